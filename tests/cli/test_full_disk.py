"""A disk without room: an error that says so, nothing half stored, and all well once there is room again."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

URL = "/api/v1/predictions"
pytestmark = pytest.mark.proof


def small_disk(place: Path, size: str) -> list[str]:
    """What to put before a command so that it, and nobody else, sees a folder on a small disk."""
    disk = place.with_name("disk")
    for folder in (place, disk):
        folder.mkdir()
    mount = (
        f"mount -t tmpfs -o size={size} tmpfs {disk} && cp -a {place}/. {disk} && mount --bind {disk} {place}"
    )
    before = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh"]
    if shutil.which("unshare") is None or subprocess.run([*before, "true"], check=False).returncode != 0:
        pytest.skip("this system lets nobody mount a disk of their own")
    return before


def noise(number: int) -> bytes:
    """A picture that needs some room, another for each number."""
    buffer = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_no_room_for_pictures(start: Callable[..., Any], tmp_path: Path) -> None:
    images = tmp_path / "pictures"
    service = start(under=small_disk(images, "256k"), RAYON_IMAGES=str(images))
    client = service.client
    kept = []
    for number in range(30):
        answer = client.post(URL, data={"designation": "Lampe"}, files={"image": noise(number)})
        if answer.status_code != 200:
            break
        kept.append(answer.json()["id"])
    assert kept
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    detail = "The picture cannot be kept at the moment (No space left on device)."
    assert answer.json()["detail"] == detail
    assert client.post(URL, json={"designation": "Lampe"}).status_code == 200
    batch = [{"designation": "Lampe"}] * 3
    assert client.post(f"{URL}/batch", json={"listings": batch}).status_code == 200
    listed = client.get(URL, params={"limit": 1000}).json()["items"]
    assert [one["id"] for one in listed if one["image"]] == kept[::-1]
    assert len(listed) == len(kept) + 4
    inside = Path(f"/proc/{service.process.pid}/root") / images.relative_to("/")
    files = [path for path in inside.rglob("*") if path.is_file()]
    assert len(files) == len(kept), "something half written was left behind"
    files[0].unlink()
    again = client.post(URL, data={"designation": "Lampe"}, files={"image": noise(99)})
    assert again.status_code == 200
    assert client.get("/api/v1" + again.json()["image"]).status_code == 200
    assert service.stop() == 0


def test_no_room_for_the_database(start: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "database"
    service = start(under=small_disk(folder, "3m"), RAYON_DATABASE=f"sqlite:///{folder}/rayon.db")
    client = service.client
    answered = []
    for _ in range(3000):
        answer = client.post(URL, json={"designation": "Lampe", "description": "x" * 5000})
        if answer.status_code != 200:
            break
        answered.append(answer.json()["id"])
    assert answered
    assert answer.status_code == 503
    assert answer.json()["detail"] == "The database cannot be used at the moment."
    for _ in range(3):
        assert client.post(URL, json={"designation": "x" * 50_000}).status_code == 503
    assert client.get("/health/live").status_code == 200
    pages = client.get(URL, params={"limit": 1000}).json()["items"]
    assert {one["id"] for one in pages} <= set(answered)
    assert client.get(f"{URL}/{answered[0]}").status_code == 200
    assert service.stop() == 0
