"""FlauBERT's tokenizer, which is Python code elsewhere, in the form that the tokenizers library runs.

Words are split as Moses does for French (Koehn et al., 2007) but for rare abbreviations, and then into
pieces by the checkpoint's own byte-pair encoding. Texts come with plain spaces, see
`rayon.encoders.onnx_text.plain_text`.
"""

from __future__ import annotations

import json
from pathlib import Path

from rayon.errors import ModelError

KIND = "flaubert"
"""What its checkpoints call themselves."""

_UNKNOWN = "<unk>"
_FILES = ("vocab.json", "merges.txt", "tokenizer_config.json")

_CHARACTERS = r"\p{L}\p{M}\p{Nd}\p{Nl}"
_ABBREVIATIONS = "etc|MM|Mme|Mlle|Prof|vol|éd|env|pp|cf|ex|tél|fig|min|réf|nb|ed|av|sec"
_WORDS = "|".join(
    (
        r"\.{2,}",
        # Abbreviations and what has other dots within keep their dot: "etc.", "S.A.R.L."
        rf"(?<![{_CHARACTERS}.\-'])(?:\p{{L}}|{_ABBREVIATIONS})\.(?![.{_CHARACTERS}])",
        rf"(?=[{_CHARACTERS}.\-]*\p{{L}})(?:[{_CHARACTERS}\-]+\.)+[{_CHARACTERS}\-]+\.(?![.{_CHARACTERS}])",
        # Words with hyphens, numbers with commas or dots; the apostrophe stays with what it cuts short, and a
        # dot where the sentence goes on.
        rf"(?:[{_CHARACTERS}\-]|(?<=\p{{Nd}}),(?=\p{{Nd}})|(?<!\.)\.(?=[{_CHARACTERS}\-]))+"
        r"(?:(?<=\p{L})'(?=[\p{L} ]))?(?:\.(?!\.)(?= \p{Ll}))?",
        r"\S",
    )
)


def flaubert_tokenizer(folder: Path) -> str:
    """The tokenizer of a checkpoint, as the JSON of the tokenizers library.

    Raises
    ------
    ModelError
        When ``vocab.json`` or ``merges.txt`` is missing or cannot be read.
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary, merges, lowercase = _read(folder)
    replace = normalizers.Replace
    steps = [
        replace("``", '"'),
        replace("''", '"'),
        normalizers.NFC(),
        *([normalizers.Lowercase()] if lowercase else []),
        replace(Regex("[“”„«»《》「」]"), '"'),
        replace(Regex("[‘’‚´`]"), "'"),
        replace("''", '"'),
        replace("–", "-"),
        replace("—", " - "),
        replace("…", "..."),
        replace("，", ","),
        replace("：", ":"),
        replace(Regex(r"(?<=\d) %"), "%"),
        replace(Regex(" (?=[:;])"), ""),
        replace(',"', '",'),
    ]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token=_UNKNOWN, end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_WORDS), "removed", invert=True)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[(mark, vocabulary[mark]) for mark in ("<s>", "</s>")]
    )
    return str(tokenizer.to_str())


def _read(folder: Path) -> tuple[dict[str, int], list[tuple[str, str]], bool]:
    try:
        words, merges, settings = (
            path.read_text(encoding="utf-8") if (path := folder / name).is_file() else "" for name in _FILES
        )
        vocabulary = {str(piece): int(number) for piece, number in json.loads(words).items()}
        pairs = [(pair[0], pair[1]) for line in merges.splitlines() if len(pair := line.split()) > 1]
        lowercase = bool(json.loads(settings).get("do_lowercase")) if settings else False
    except (OSError, ValueError, TypeError, AttributeError):
        vocabulary = {}
    if not {"<s>", "</s>", _UNKNOWN} <= vocabulary.keys():
        raise ModelError(
            f"{folder} has no tokenizer that can be used", "Copy it with its vocab.json and merges.txt"
        )
    return vocabulary, pairs, lowercase
