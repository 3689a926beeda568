"""ONNX files, opened with ONNX Runtime on the CPU."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any, NamedTuple

from rayon.errors import ModelError

_TERMINAL = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST_REASON = 300


class OpenedNetwork(NamedTuple):
    """A network that is ready to run, and the checksum of its file."""

    session: Any
    sha256: str


def encoder_file(modality: str) -> str:
    """Name of the ONNX file of a modality inside a model folder."""
    return f"encoder-{modality}.onnx"


def tokenizer_file(modality: str) -> str:
    """Name of the tokenizer of a modality inside a model folder."""
    return f"tokenizer-{modality}.json"


def open_network(path: Path, what: str, hint: str, threads: int = 1) -> OpenedNetwork:
    """Read an ONNX file and make a session of it.

    Parameters
    ----------
    path
        The file, weights included.
    what
        What errors call it, such as ``"image encoder"``.
    hint
        What errors advise where the file is no such thing.
    threads
        Threads of a single run.

    Raises
    ------
    ModelError
        When the file cannot be read, or is no network that can be run.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"There is no {what} {path}", "Check the path of the ONNX file") from None
    except OSError as error:
        raise ModelError(f"The {what} {path} cannot be read ({error.strerror})", hint) from None
    return OpenedNetwork(_session(data, path, what, hint, threads), hashlib.sha256(data).hexdigest())


def first_line(error: Exception) -> str:
    """The first line of a library's error, fit for a sentence: no codes for terminals, and not too long."""
    lines = _TERMINAL.sub("", str(error)).strip().splitlines()
    return lines[0].rstrip(".")[:_LONGEST_REASON] if lines else type(error).__name__


def _session(data: bytes, path: Path, what: str, hint: str, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise ModelError(
            f"The {what} {path} needs ONNX Runtime, which is not installed",
            "Install it with: pip install onnxruntime",
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what matters is raised
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(
            f"The {what} {path} is not an ONNX model that can be run ({first_line(error)})", hint
        ) from None
