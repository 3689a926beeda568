"""The documentation is complete, and speaks of nothing that is not there."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from rayon.cli.main import make_app
from rayon.learning.finetuning.settings import NetworkTraining
from rayon.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted((REPOSITORY / "docs").rglob("*.md")),
]
SERVICE = (REPOSITORY / "docs" / "service.md").read_text(encoding="utf-8")
EVERYTHING = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def commands(app: typer.Typer, prefix: str = "rayon") -> Iterator[str]:
    for command in app.registered_commands:
        assert command.callback is not None
        yield f"{prefix} {command.name or command.callback.__name__.rstrip('_')}"
    for group in app.registered_groups:
        assert group.typer_instance is not None
        yield from commands(group.typer_instance, f"{prefix} {group.name}")


def test_every_setting_is_documented_and_no_other() -> None:
    documented = set(re.findall(r"^\| `(RAYON_\w+)` \|", SERVICE, re.MULTILINE))
    assert documented == {f"RAYON_{name.upper()}" for name in Settings.model_fields}
    mentioned = set(re.findall(r"RAYON_[A-Z_]+", EVERYTHING))
    assert mentioned - documented <= {
        "RAYON_SHARED",
        "RAYON_TEST_POSTGRESQL",
        "RAYON_PORT",
        "RAYON_MODEL_DIR",
    }


def test_every_command_is_documented_and_no_other() -> None:
    existing = set(commands(make_app()))
    for command in existing:
        assert re.search(rf"\b{command}\b", EVERYTHING), f"{command} is not documented"
    groups = {command.rsplit(" ", 1)[0] for command in existing if command.count(" ") == 2}
    for mentioned in re.findall(r"(?:`|\$ )(rayon [a-z]+(?: [a-z]+)?)", EVERYTHING):
        short = " ".join(mentioned.split()[:2])
        assert mentioned in existing or short in existing or mentioned in groups, mentioned


def test_every_endpoint_is_documented_with_who_may_ask() -> None:
    spec = importlib.util.spec_from_file_location("access", REPOSITORY / "tests/serving/test_access.py")
    assert spec is not None
    assert spec.loader is not None
    access = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(access)  # its table is tested against the service itself
    rows = re.findall(r"^\| ([A-Z]+) \| `(/[^`]+)` \| (\w+) \|", SERVICE, re.MULTILINE)
    assert {(method, path): who for method, path, who in rows} == access.TABLE
    assert len(rows) == len(access.TABLE)


def test_every_training_option_is_documented_with_its_default() -> None:
    page = (REPOSITORY / "docs/encoders.md").read_text(encoding="utf-8")
    documented = dict(
        re.findall(r"^\| `(\w+)` \| ([^|]+) \|", page.split("| name | unless told |")[1], re.MULTILINE)
    )
    options = NetworkTraining().to_dict()
    assert documented.keys() == options.keys()
    for name, value in options.items():
        told = documented[name].strip()
        assert told.startswith("by network") if value is None else told == str(value).lower(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target
