from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlparse

import numpy as np
import pytest
from safetensors.numpy import save_file

from rayon.encoders.weights import MANIFEST, WeightStore
from rayon.errors import ModelError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def write_weights(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text('{"model_type": "bert", "vocab_size": 9}')
    (folder / "tokenizer.json").write_text("{}")
    save_file({"layer.weight": np.ones((4, 3), np.float32)}, folder / "model.safetensors")
    return folder


def object_id(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


class Hub:
    """As much of the Hugging Face hub as fetching a checkpoint takes, on this machine."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.commit = COMMIT
        self.asked: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.do_GET()

            def do_GET(self) -> None:
                path = unquote(urlparse(self.path).path)
                hub.asked.append(path)
                if path.startswith("/api/models/shop/tiny"):
                    self._api(path)
                elif path.startswith(f"/shop/tiny/resolve/{COMMIT}/"):
                    self._file(path.removeprefix(f"/shop/tiny/resolve/{COMMIT}/"))
                else:
                    self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})

            def _api(self, path: str) -> None:
                rest = path.removeprefix("/api/models/shop/tiny")
                if rest.startswith("/revision/") and not rest.endswith((COMMIT, "/main")):
                    self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
                elif rest.startswith("/tree/"):
                    rows = [
                        {
                            "type": "file",
                            "path": name,
                            "size": len(data),
                            "oid": object_id(data),
                        }
                        for name, data in hub.files.items()
                    ]
                    self._send(200, json.dumps(rows).encode())
                else:
                    names = [{"rfilename": name} for name in hub.files]
                    document = {
                        "id": "shop/tiny",
                        "modelId": "shop/tiny",
                        "sha": hub.commit,
                        "siblings": names,
                    }
                    self._send(200, json.dumps(document).encode())

            def _file(self, name: str) -> None:
                if name not in hub.files:
                    self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
                    return
                data = hub.files[name]
                self._send(
                    200,
                    data,
                    {
                        "ETag": f'"{object_id(data)}"',
                        "X-Repo-Commit": COMMIT,
                    },
                )

            def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    folder = write_weights(tmp_path / "on-the-hub")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    files |= {"modeling_tiny.py": b"raise SystemExit", "pytorch_model.bin": b"\x80pickle", "README.md": b"#"}
    hub = Hub(files)
    yield hub
    hub.close()


def rayon(home: Path, *arguments: str, hub: str = "http://127.0.0.1:9") -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "RAYON_HOME": str(home),
        "HF_ENDPOINT": hub,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1",
        "COLUMNS": "200",
    }
    return subprocess.run(
        [sys.executable, "-m", "rayon", "encoders", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )


@pytest.mark.proof
def test_weights_are_fetched_pinned_listed_and_checked(tmp_path: Path, hub: Hub) -> None:
    done = rayon(tmp_path, "pull", "hf:shop/tiny", "--json", hub=hub.address)
    assert done.returncode == 0, done.stderr
    (pulled,) = json.loads(done.stdout)["pulled"]
    place = Path(pulled["folder"])
    assert pulled["revision"] == COMMIT
    assert place == tmp_path / "networks" / "pretrained" / f"shop--tiny@{COMMIT}"
    assert sorted(path.name for path in place.iterdir()) == [
        "config.json",
        "model.safetensors",
        MANIFEST,
        "tokenizer.json",
    ]
    assert not any(path.endswith((".py", ".bin")) for path in hub.asked)
    manifest = json.loads((place / MANIFEST).read_text())
    data = hub.files["model.safetensors"]
    assert manifest["files"]["model.safetensors"] == hashlib.sha256(data).hexdigest()

    # From now on nothing is asked of the hub any more.
    found = WeightStore(tmp_path / "networks" / "pretrained").find("hf:shop/tiny")
    assert (found.revision, found.sha256, found.folder) == (COMMIT, pulled["sha256"], place)
    assert WeightStore(place.parent).find(f"shop/tiny@{COMMIT[:8]}") == found
    assert WeightStore(place.parent).find(str(place)) == found
    listed = json.loads(rayon(tmp_path, "list", "--json").stdout)["encoders"]
    assert {row["name"]: row["revision"] for row in listed}["hf:shop/tiny"] == COMMIT
    assert rayon(tmp_path, "verify").stdout.startswith(f"✓ shop/tiny: {found.sha256[:12]}")

    (place / "config.json").write_text('{"model_type": "bert", "vocab_size": 10}')
    checked = rayon(tmp_path, "verify")
    assert checked.returncode == 3
    assert checked.stdout == (
        f"✗ {place / 'config.json'} has changed since it was fetched. "
        "Fetch it again: rayon encoders pull shop/tiny\n"
    )
    again = rayon(tmp_path, "pull", "shop/tiny", hub=hub.address)
    assert again.returncode == 0, again.stderr
    assert rayon(tmp_path, "verify").returncode == 0

    # What is here and whole is not fetched again.
    hub.asked.clear()
    assert rayon(tmp_path, "pull", "shop/tiny@main", hub=hub.address).returncode == 0
    assert not any("/resolve/" in path for path in hub.asked)
    assert WeightStore(place.parent).find("shop/tiny@main").revision == COMMIT
    (place / "added.safetensors").write_bytes(b"")
    checked = rayon(tmp_path, "verify")
    assert checked.returncode == 3
    assert "added.safetensors was added since it was fetched. Remove that file" in checked.stdout


@pytest.mark.proof
def test_what_the_hub_does_not_have_is_said(tmp_path: Path, hub: Hub) -> None:
    nobody = rayon(tmp_path, "pull", "shop/nothing", hub=hub.address)
    assert nobody.returncode == 2
    assert nobody.stderr.splitlines()[-2:] == [
        "Error: There is no shop/nothing on the Hugging Face hub.",
        "Check the name.",
    ]
    revision = rayon(tmp_path, "pull", "shop/tiny@other", hub=hub.address)
    assert "Error: shop/tiny has no revision other." in revision.stderr
    store = tmp_path / "networks" / "pretrained"
    for name, days in ((".pull-abcd_123", 8), (".pull-efgh_456", 6)):
        (store / name).mkdir(parents=True, exist_ok=True)
        os.utime(store / name, (time.time() - days * 86400,) * 2)
    for name in ("shop/ti--ny", "shop/a..b", "shop/tiny.git"):
        wrong = rayon(tmp_path, "pull", name, hub=hub.address)
        assert wrong.returncode == 2
        assert f"Error: '{name}' is no name on the Hugging Face hub." in wrong.stderr
    hub.commit = "../../elsewhere"
    lying = rayon(tmp_path, "pull", "shop/tiny", hub=hub.address)
    assert "Error: The hub answers '../../elsewhere' for the commit of shop/tiny." in lying.stderr
    hub.commit = COMMIT
    del hub.files["model.safetensors"]
    pickled = rayon(tmp_path, "pull", "shop/tiny", hub=hub.address)
    assert "Error: shop/tiny has no weights as safetensors." in pickled.stderr
    assert list(store.iterdir()) == [store / ".pull-efgh_456"]  # another process may be at it


@pytest.mark.proof
def test_without_a_network_it_is_said_what_to_do(tmp_path: Path) -> None:
    done = rayon(tmp_path, "pull", "shop/tiny")
    assert done.returncode == 2
    assert "Error: The weights of shop/tiny cannot be fetched (" in done.stderr
    assert "rayon encoders pull shop/tiny" in done.stderr
    assert "copy the folder here" in " ".join(done.stderr.split())


def test_a_folder_of_ones_own_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = write_weights(tmp_path / "own")
    store = WeightStore(tmp_path / "store")
    found = store.find(f"hf:{folder}")
    assert (found.folder, found.revision, found.name) == (folder, "", str(folder))
    (folder / "config.json").write_text('{"model_type": "roberta"}')
    assert store.find(str(folder)).sha256 != found.sha256


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    store = WeightStore(tmp_path / "store")
    with pytest.raises(ModelError, match=r"There is no folder \./nothing with pretrained weights"):
        store.find("hf:./nothing")
    folder = write_weights(tmp_path / "own")
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match=r"holds no pretrained weights: config\.json is missing"):
        store.find(str(folder))
    write_weights(folder)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError) as caught:
        store.find(str(folder))
    assert caught.value.message == f"{path} is cut off or no safetensors file"
    path.unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(ModelError) as caught:
        store.find(str(folder))
    assert caught.value.message == f"{folder} has no weights as safetensors"
    assert caught.value.hint.startswith("Others would have to be unpickled, which could run anything")


def test_a_manifest_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    place = write_weights(tmp_path / "store" / "shop--tiny@1")
    document = {"name": "shop/tiny", "revision": "1", "asked": [], "files": {"../../secret": "0"}}
    (place / MANIFEST).write_text(json.dumps(document))
    with pytest.raises(ModelError, match="names files elsewhere"):
        WeightStore(place.parent).verify(place)
    (place / MANIFEST).write_text("[]")
    with pytest.raises(ModelError, match="cannot be read"):
        WeightStore(place.parent).find("shop/tiny")


def test_what_is_broken_in_the_store_hides_nothing_else(tmp_path: Path) -> None:
    store = WeightStore(tmp_path / "store")
    for name in ("shop--tiny@1", "shop--other@1", ".pull-begun"):
        place = write_weights(store.folder / name)
        owner, _, rest = name.partition("@")[0].partition("--")
        files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(place.iterdir())}
        document = {"name": f"{owner}/{rest}", "revision": "1", "asked": [""], "files": files}
        (place / MANIFEST).write_text(json.dumps(document))
    (store.folder / "shop--other@1" / MANIFEST).write_text("[]")
    assert store.find("hf:shop/tiny").folder == store.folder / "shop--tiny@1"
    assert [path.name for path in store.places()] == ["shop--other@1", "shop--tiny@1"]
    with pytest.raises(ModelError, match="cannot be read"):
        store.find("shop/other")
