"""Texts to the numbers of tokens, by the tokenizers library, which is only imported where it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rayon.encoders.onnx_session import first_line
from rayon.errors import MissingExtraError, ModelError

_PADDING = ("[PAD]", "<pad>")
_MASKS = ("[MASK]", "<mask>", "[UNK]", "<unk>")


def open_tokenizer(data: bytes, max_length: int, path: Path) -> Any:
    """Make a tokenizer of its JSON, which cuts texts off after ``max_length`` tokens and never pads.

    Raises
    ------
    ModelError
        When it is no tokenizer; ``path`` is named.
    MissingExtraError
        When the package tokenizers is not installed.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise MissingExtraError("tokenizers", f"The tokenizer {path}") from None
    try:
        tokenizer = Tokenizer.from_buffer(data)
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length)
    except Exception as error:  # the library raises bare exceptions
        raise ModelError(
            f"{path} is not a tokenizer ({first_line(error)})", "It takes a tokenizer.json"
        ) from None
    return tokenizer


def encode_tokens(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Tokens of each text, those that mark beginning and end included."""
    return [found.ids for found in tokenizer.encode_batch(list(texts))]


def padding_id(tokenizer: Any) -> int:
    """Number of the token that fills up; 0 where there is none."""
    found = (tokenizer.token_to_id(token) for token in _PADDING)
    return next((int(number) for number in found if number is not None), 0)


def mask_id(tokenizer: Any) -> int | None:
    """Number of the token that stands for one that is hidden, or else for an unknown one."""
    found = (tokenizer.token_to_id(token) for token in _MASKS)
    return next((int(number) for number in found if number is not None), None)
