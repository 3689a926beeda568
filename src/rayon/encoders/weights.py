"""Pretrained weights: from a folder, or from the Hugging Face hub into a folder of Rayon's own.

Weights are safetensors and never anything that would have to be unpickled; Python files of a checkpoint are
neither fetched nor run. What was fetched is pinned: the revision, and the SHA-256 of every file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rayon.encoders.leftovers import remove_leftovers
from rayon.errors import MissingExtraError, ModelError

PREFIX = "hf:"
MANIFEST = "rayon.json"
MAX_HEADER = 100_000_000
"""Bytes of the list of tensors at the beginning of a safetensors file."""

_PATTERNS = ("*.json", "*.safetensors", "vocab.txt", "merges.txt", "*.model")
_LEFT_OUT = ("onnx/*", "openvino/*", "*/onnx/*", "training_args*", "optimizer*")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_SUFFIXES = (".json", ".safetensors", ".txt", ".model")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_DRAFT = re.compile(r"\.pull-\w{8}")
_FORGOTTEN = 7 * 86400.0
"""Seconds after which what was fetched in part is removed."""

_NO_NETWORK = (
    "Fetch them where there is a network with `rayon encoders pull {name}`, and copy the folder here; "
    "or name a folder that holds config.json, the weights as safetensors and tokenizer.json"
)


@dataclass(frozen=True, slots=True)
class Weights:
    """A checkpoint on disk.

    Parameters
    ----------
    name
        As it was asked for, without ``hf:``.
    folder
        Where it lies.
    revision
        Commit on the hub; empty for a folder of one's own.
    sha256
        Digest over the checksums of all its files.
    """

    name: str
    folder: Path
    revision: str
    sha256: str

    def source(self) -> dict[str, str]:
        """JSON-ready: what a model says of where its weights come from."""
        return {key: str(value) for key, value in asdict(self).items() if key != "folder"}


@dataclass(frozen=True, slots=True)
class WeightStore:
    """The checkpoints that were fetched, each in a folder of its own.

    Parameters
    ----------
    folder
        Where they lie; made where it is missing.
    """

    folder: Path

    def find(self, name: str) -> Weights:
        """Weights by folder, or by name and revision: ``NAME[@REVISION]``; fetched if they are not here.

        Raises
        ------
        ModelError
            When there is no such checkpoint, it has changed, or it cannot be fetched.
        MissingExtraError
            When it has to be fetched, and the package huggingface_hub is not installed.
        """
        name = name.removeprefix(PREFIX)
        found = self._here(name)
        return found if found is not None else self.pull(name)

    def here(self, name: str) -> Weights:
        """Weights as `find` gives them, and never fetched.

        Raises
        ------
        ModelError
            When there is no such checkpoint here, or it has changed.
        """
        found = self._here(name.removeprefix(PREFIX))
        if found is None:
            raise ModelError(
                f"There are no weights of {name} here", f"Fetch them: rayon encoders pull {name}"
            )
        return found

    def pull(self, name: str) -> Weights:
        """Fetch a checkpoint from the hub; what is here already and whole is kept.

        Raises
        ------
        ModelError
            When it cannot be fetched, or has no weights as safetensors.
        MissingExtraError
            When the package huggingface_hub is not installed.
        """
        name = name.removeprefix(PREFIX)
        wanted, _, revision = name.partition("@")
        if not _NAME.fullmatch(wanted):
            raise ModelError(f"{wanted!r} is no name on the Hugging Face hub", "Write it as owner/name")
        commit = _commit(wanted, revision or None)
        place = self.folder / f"{wanted.replace('/', '--')}@{commit}"
        try:
            found = self.verify(place)
        except ModelError:  # not here, or not whole
            return self._fetch(wanted, revision, commit, place)
        document = _manifest(place)
        if revision not in document["asked"]:
            _write_manifest(place, {**document, "asked": [*document["asked"], revision]})
        return found

    def _fetch(self, name: str, revision: str, commit: str, place: Path) -> Weights:
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.folder, _DRAFT, _FORGOTTEN)
        draft = Path(tempfile.mkdtemp(prefix=".pull-", dir=self.folder))
        try:
            _download(name, commit, draft)
            shutil.rmtree(draft / ".cache", ignore_errors=True)
            _require_weights(draft, name)
            _write_manifest(
                draft,
                {"name": name, "revision": commit, "asked": [revision], "files": _checksums(draft)},
            )
            shutil.rmtree(place, ignore_errors=True)
            draft.chmod(0o755)
            draft.rename(place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return self.verify(place)

    def verify(self, place: Path) -> Weights:
        """Check every byte of a fetched checkpoint against what was fetched.

        Raises
        ------
        ModelError
            Naming the file that is missing, changed, added or not a safetensors file.
        """
        document = _manifest(place)
        for file, expected in document["files"].items():
            path = place / file
            if not path.is_file():
                raise ModelError(f"{path} is missing", _AGAIN.format(name=document["name"]))
            if _sha256(path) != expected:
                raise ModelError(
                    f"{path} has changed since it was fetched", _AGAIN.format(name=document["name"])
                )
        added = sorted(set(_files(place)) - set(document["files"]))
        if added:
            raise ModelError(f"{place / added[0]} was added since it was fetched", "Remove that file")
        _require_weights(place, document["name"])
        return Weights(document["name"], place, document["revision"], _digest(document["files"]))

    def places(self) -> list[Path]:
        """Folders of all fetched checkpoints, by name."""
        if not self.folder.is_dir():
            return []
        folders = (path for path in self.folder.iterdir() if not path.name.startswith("."))
        return sorted(path for path in folders if (path / MANIFEST).is_file())

    @staticmethod
    def manifest(place: Path) -> dict[str, Any]:
        """What was fetched into a folder: ``name``, ``revision``, and ``files`` with their SHA-256.

        Raises
        ------
        ModelError
            When it cannot be read.
        """
        return _manifest(place)

    def _here(self, name: str) -> Weights | None:
        try:
            folder = Path(name).expanduser()
        except RuntimeError:  # of a user that there is not
            folder = Path(name)
        if folder.is_dir():
            return _read_folder(folder.absolute().resolve(), name)
        if not _NAME.fullmatch(name.partition("@")[0]):
            raise ModelError(
                f"There is no folder {name} with pretrained weights",
                "Give a folder, or a name on the Hugging Face hub such as almanach/camembert-base",
            )
        wanted, _, revision = name.partition("@")
        known = wanted.replace("/", "--")
        found = [
            place
            for place in self.places()
            if place.name.startswith(f"{known}@") and _is_revision(_manifest(place), wanted, revision)
        ]
        return self.verify(max(found, key=lambda place: place.stat().st_mtime)) if found else None


_AGAIN = "Fetch it again: rayon encoders pull {name}"


def _is_revision(document: Mapping[str, Any], name: str, revision: str) -> bool:
    return document["name"] == name and (
        revision in document["asked"] or str(document["revision"]).startswith(revision)
    )


def _read_folder(folder: Path, name: str) -> Weights:
    if (folder / MANIFEST).is_file():
        return WeightStore(folder.parent).verify(folder)
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{name} holds no pretrained weights: config.json is missing",
            "Give a folder in the format of transformers, as save_pretrained makes it",
        )
    _require_weights(folder, name)
    return Weights(name, folder, "", _digest(_checksums(folder)))


def read_configuration(folder: Path) -> dict[str, Any]:
    """What ``config.json`` says of the network of a checkpoint.

    Raises
    ------
    ModelError
        When it cannot be read.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = None
    if not isinstance(config, dict):
        raise ModelError(f"{path} cannot be read", "Fetch or copy the weights again")
    return config


def _require_weights(folder: Path, name: str) -> None:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ModelError(
            f"{name} has no weights as safetensors",
            "Others would have to be unpickled, which could run anything; ask its authors for safetensors, "
            "or convert it where nothing can be harmed",
        )
    for path in files:
        _check_safetensors(path)


def _check_safetensors(path: Path) -> None:
    """Refuse what is cut off or no safetensors file, by its header alone."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(MAX_HEADER, size - 8):
                raise ValueError
            header: Mapping[str, Any] = json.loads(file.read(length))
        ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
        whole = 8 + length + max(ends, default=0) == size
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        whole = False
    if not whole:
        raise ModelError(f"{path} is cut off or no safetensors file", "Fetch or copy it again")


def _commit(name: str, revision: str | None) -> str:
    """The commit that a revision of a checkpoint, or its newest one, is at the moment."""
    with _asking_the_hub(name, revision):
        from huggingface_hub import HfApi

        found = str(HfApi().model_info(name, revision=revision).sha)
    if not _COMMIT.fullmatch(found):
        raise ModelError(f"The hub answers {found[:80]!r} for the commit of {name}", "Check HF_ENDPOINT")
    return found


def _download(name: str, commit: str, folder: Path) -> None:
    """Fetch the files of a checkpoint."""
    with _asking_the_hub(name, commit):
        from huggingface_hub import snapshot_download

        snapshot_download(
            name,
            revision=commit,
            local_dir=folder,
            allow_patterns=list(_PATTERNS),
            ignore_patterns=list(_LEFT_OUT),
        )


@contextmanager
def _asking_the_hub(name: str, revision: str | None) -> Iterator[None]:
    """Have what goes wrong on the way to the hub said in a sentence."""
    try:
        from huggingface_hub.errors import (
            GatedRepoError,
            HfHubHTTPError,
            HFValidationError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )
    except ImportError:
        raise MissingExtraError("huggingface_hub", f"Fetching {name}") from None
    try:
        yield
    except GatedRepoError:
        raise ModelError(
            f"{name} is only given to whom its authors let have it",
            "Ask on its page, and set HF_TOKEN to a token of yours",
        ) from None
    except RepositoryNotFoundError:
        raise ModelError(f"There is no {name} on the Hugging Face hub", "Check the name") from None
    except RevisionNotFoundError:
        raise ModelError(f"{name} has no revision {revision}", "Check it on its page on the hub") from None
    except HFValidationError:
        raise ModelError(f"{name!r} is no name on the Hugging Face hub", "Write it as owner/name") from None
    except Exception as error:
        on_the_way = type(error).__module__.startswith(("httpx", "httpcore"))
        if not on_the_way and not isinstance(error, HfHubHTTPError | OSError | RuntimeError):
            raise
        raise ModelError(
            f"The weights of {name} cannot be fetched ({_reason(error)})", _NO_NETWORK.format(name=name)
        ) from None


def _manifest(place: Path) -> dict[str, Any]:
    try:
        document = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
        found = {key: str(document[key]) for key in ("name", "revision")}
        asked = [str(one) for one in document["asked"]]
        files = {str(file): str(digest) for file, digest in document["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(
            f"{place / MANIFEST} cannot be read", "Remove the folder, and fetch it again"
        ) from None
    if any(Path(file).is_absolute() or ".." in Path(file).parts for file in files):
        raise ModelError(f"{place / MANIFEST} names files elsewhere", "Remove the folder, and fetch it again")
    return {**found, "asked": asked, "files": files}


def _write_manifest(place: Path, document: Mapping[str, Any]) -> None:
    draft = place / f".{MANIFEST}.tmp"
    draft.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    draft.replace(place / MANIFEST)


def _files(folder: Path) -> list[str]:
    """The files of a checkpoint that count, as seen from its folder."""
    names = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    return [
        str(name)
        for name in names
        if name.suffix in _SUFFIXES
        and name.name != MANIFEST
        and not any(part.startswith(".") for part in name.parts)
    ]


def _checksums(folder: Path) -> dict[str, str]:
    return {name: _sha256(folder / name) for name in _files(folder)}


def _digest(files: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(files), sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return os.strerror(error.errno) if error.errno else error.strerror
    first = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    return first[:200].rstrip(".")
