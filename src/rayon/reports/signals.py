"""What the signals of monitoring are called, for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SignalWords:
    """A signal in words.

    Parameters
    ----------
    name
        As in the middle of a sentence.
    explanation
        One line without a full stop.
    """

    name: str
    explanation: str


SIGNALS: Mapping[str, SignalWords] = {
    "text_length": SignalWords("length of text", "Characters of title and description"),
    "language": SignalWords("language", "Guessed from title and description"),
    "novelty": SignalWords("unknown words", "Share of a listing's words that training hardly knows"),
    "parts": SignalWords("parts of listings", "Whether they have text, a readable picture, or both"),
    "brightness": SignalWords("brightness", "How light pictures are on average"),
    "contrast": SignalWords("contrast", "How far light and dark are apart in a picture"),
    "colourfulness": SignalWords("colourfulness", "From grey to vivid"),
    "sharpness": SignalWords("sharpness", "Low for blurred pictures, high for busy ones"),
    "white_border": SignalWords("white border", "Share of the pixels near the edge that are almost white"),
    "border_spread": SignalWords("busy border", "0 for a plain background, more for a scene"),
    "aspect_ratio": SignalWords("picture format", "Width divided by height"),
    "confidence": SignalWords("confidence", "How sure the model says it is"),
    "codes": SignalWords("predicted codes", "How often each code is the answer"),
    "doubtful_codes": SignalWords(
        "codes of doubtful answers", "How often each code is the answer where the model is unsure"
    ),
}
"""Name of a signal to its words."""


def signal_words(name: str) -> SignalWords:
    """Words of a signal; those of one that is not known here are made of its name."""
    return SIGNALS.get(name) or SignalWords(name.replace("_", " "), "")
