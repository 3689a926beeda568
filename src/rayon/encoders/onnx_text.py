"""Any ONNX text encoder with its tokenizer: what it takes and gives is read from the files.

``FILE.onnx`` takes ``input_ids`` and ``attention_mask`` (and ``token_type_ids``, if it wants them) of shape
``[batch, tokens]`` and gives a vector a listing, or one a token, which are averaged. The tokenizer lies
beside it as ``tokenizer.json``, in the format of the tokenizers library. What the files cannot say comes
from an optional ``FILE.onnx.json``::

    {"max_length": 128, "output": "vectors"}
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rayon.data.listings import Listing
from rayon.data.readable import readable
from rayon.encoders.onnx_session import first_line, open_network
from rayon.encoders.onnx_settings import check_source, read_sidecar
from rayon.encoders.tokens import encode_tokens, open_tokenizer, padding_id
from rayon.errors import ModelError

TOKENIZER_FILE = "tokenizer.json"
DEFAULT_LENGTH = 128
"""Tokens of a listing that are read, where nothing says otherwise."""

LONGEST = 8192
BATCH = 32
"""Listings that go through the network together, all about equally long."""

MAX_CHARS = 4000
"""Characters of a title, and of a description, that are looked at."""

_HINT = "Export a text encoder with: rayon encoders export"
_SETTINGS = frozenset({"max_length", "output", "source"})
_INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids"})


PREPROCESSING = "plain-1"
"""Version of `plain_text`."""


def plain_text(listing: Listing) -> str:
    """What networks read of a listing: title and description, as people would read them, in one line."""
    parts = (listing.designation[:MAX_CHARS], listing.description[:MAX_CHARS])
    text = ". ".join(" ".join(readable(part).split()) for part in parts if part.strip())
    # Lone surrogates, which JSON can bring, are no text to tokenizers.
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


class OnnxTextEncoder:
    """A text encoder in an ONNX file, run on the CPU by ONNX Runtime.

    Listings of about the same length go through together, padded to the longest; what else is in the batch
    changes a vector in its last bits alone.

    Parameters
    ----------
    path
        The ONNX file, weights included.
    tokenizer
        Its tokenizer; ``tokenizer.json`` beside it where not given.
    settings
        ``max_length`` (tokens that are read), ``output`` (name) and ``source`` (where the weights come from,
        JSON-ready); read from the sidecar where not given.
    threads
        Batches that are encoded side by side.

    Raises
    ------
    ModelError
        When the file is not an ONNX model, not a text encoder, or the tokenizer or the settings do not fit.
    MissingExtraError
        When the package tokenizers is not installed.
    """

    name = "onnx-text"

    def __init__(
        self,
        path: Path | str,
        tokenizer: Path | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        threads: int = 1,
    ) -> None:
        self.path = Path(path)
        self.tokenizer_path = tokenizer or self.path.with_name(TOKENIZER_FILE)
        self.threads = max(1, threads)
        self._session, self.sha256 = open_network(self.path, "text encoder", _HINT)
        self._settings = self._checked(read_sidecar(self.path) if settings is None else settings)
        self.max_length = int(self._settings.get("max_length", DEFAULT_LENGTH))
        self._tokenizer, self.tokenizer_sha256 = self._open_tokenizer()
        self._pad = padding_id(self._tokenizer)
        self._inputs = self._read_inputs()
        self._output = self._choose_output()
        self.dimension = self._try_out()

    def encode(self, listings: Sequence[Listing]) -> NDArray[np.float32]:
        """Vectors `float32[n, d]` of `n` listings; see `encode_texts`."""
        return self.encode_texts([plain_text(listing) for listing in listings])

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors `float32[n, d]` of `n` texts; a row of zeros where there is none.

        Raises
        ------
        ModelError
            When the network fails, or gives something other than finite numbers.
        """
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        tokens = self.token_ids(texts)
        order = sorted((row for row, text in enumerate(texts) if text), key=lambda row: len(tokens[row]))
        batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]

        def work(rows: list[int]) -> None:
            vectors[rows] = self._run([tokens[row] for row in rows])

        if len(batches) < 2 or self.threads < 2:
            for rows in batches:
                work(rows)
        else:
            with ThreadPoolExecutor(self.threads, thread_name_prefix="rayon-text") as pool:
                list(pool.map(work, batches))
        return vectors

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of each text, at most ``max_length``, those that mark beginning and end included."""
        return encode_tokens(self._tokenizer, texts)

    def spec(self) -> dict[str, Any]:
        """JSON-ready description: the files' SHA-256 and every setting that was used."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "tokenizer_sha256": self.tokenizer_sha256,
            "settings": {**self._settings, "max_length": self.max_length, "output": self._output},
            "dimension": self.dimension,
        }

    def _run(self, tokens: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        width = max(1, *map(len, tokens))
        ids = np.full((len(tokens), width), self._pad, np.int64)
        mask = np.zeros((len(tokens), width), np.int64)
        for row, given in enumerate(tokens):
            ids[row, : len(given)] = given
            mask[row, : len(given)] = 1
        given_inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        try:
            result = self._session.run([self._output], {name: given_inputs[name] for name in self._inputs})[0]
        except Exception as error:  # ONNX Runtime's exceptions share no public base
            raise self._error(f"fails on a text ({first_line(error)})") from None
        vectors = np.asarray(result, np.float32)
        if vectors.ndim == 3:
            weight = mask[..., None].astype(np.float32)
            vectors = (vectors * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1)
        if not np.isfinite(vectors).all():
            raise self._error("gives vectors with values that are not finite numbers")
        return vectors

    def _checked(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(settings) - _SETTINGS)
        if unknown:
            raise ModelError(
                f"The text encoder {self.path} has an unknown setting {unknown[0]!r}",
                f"Known are {', '.join(sorted(_SETTINGS))}",
            )
        length = settings.get("max_length", DEFAULT_LENGTH)
        if type(length) is not int or not 4 <= length <= LONGEST:
            raise ModelError(
                f"The setting 'max_length' of the text encoder {self.path} is not a whole number from 4 to "
                f"{LONGEST}",
                f"It is {length!r}",
            )
        check_source(settings, f"text encoder {self.path}")
        return dict(settings)

    def _open_tokenizer(self) -> tuple[Any, str]:
        path = self.tokenizer_path
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise ModelError(f"The text encoder {self.path} has no tokenizer {path}", _HINT) from None
        except OSError as error:
            raise ModelError(f"The tokenizer {path} cannot be read ({error.strerror})", _HINT) from None
        return open_tokenizer(data, self.max_length, path), hashlib.sha256(data).hexdigest()

    def _read_inputs(self) -> list[str]:
        names = [node.name for node in self._session.get_inputs()]
        if "input_ids" not in names or not set(names) <= _INPUTS:
            raise self._error(f"takes {', '.join(sorted(names))}, not input_ids and attention_mask")
        return names

    def _choose_output(self) -> str:
        outputs = {node.name: node for node in self._session.get_outputs()}
        chosen = self._settings.get("output")
        if chosen is not None:
            if not isinstance(chosen, str) or chosen not in outputs:
                raise self._error(f"has the outputs {sorted(outputs)}, and the settings name {chosen!r}")
            return str(chosen)
        for dimensions in (2, 3):
            for node in outputs.values():
                if node.type == "tensor(float)" and len(node.shape) == dimensions:
                    return str(node.name)
        raise self._error("gives no vectors")

    def _try_out(self) -> int:
        vectors = self._run(self.token_ids(["a", "an example"]))
        if vectors.ndim != 2 or vectors.shape[0] != 2 or vectors.shape[1] == 0:
            raise self._error(f"gives an array of shape {vectors.shape} for two texts, not two vectors")
        return int(vectors.shape[1])

    def _error(self, what: str) -> ModelError:
        return ModelError(f"The text encoder {self.path} {what}", _HINT)
