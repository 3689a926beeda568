from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rayon.serving.services import Services

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "client.py"


@pytest.mark.parametrize("role", ["reviewer", "client"])
def test_the_client_of_the_examples(
    served: Services, address: str, tmp_path: Path, picture: bytes, role: str
) -> None:
    _, secret = served.accounts.create_key(role, "example", "test")
    (tmp_path / "lamp.jpg").write_bytes(picture)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(EXAMPLE), address, *arguments],
            env={**os.environ, "RAYON_KEY": secret},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    both, text, nothing = run("Lampe rouge", "lamp.jpg"), run("Lampe rouge"), run(" ")
    for done in (both, text):
        assert done.returncode == 0, done.stderr
        first, second, third = done.stdout.splitlines()
        assert first.endswith(" sure")
        assert second in ("filed", "a person should look")
        assert third == (
            "validated"
            if role == "reviewer"
            else "This takes the role 'reviewer', and 'client' is a 'client'."
        )
    assert nothing.returncode == 1
    assert nothing.stderr.startswith("Bad Request: The listing cannot be classified")
