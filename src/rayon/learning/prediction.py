"""What is answered for a listing."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another code that the listing may have."""

    code: str
    label: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one listing, and what it rests on.

    Parameters
    ----------
    code, label
        The most probable product type code and its readable label; empty where there is an error.
    confidence
        Calibrated probability, 0 to 1, that the code is right.
    decision
        ``"accept"`` or ``"review"``.
    reason
        Why, in one of the fixed words of the decision policy.
    threshold
        The score from which listings are accepted, ``None`` where nothing is promised.
    modalities
        What was used: ``"text"``, ``"image"``, or both.
    degraded
        Whether a part that was given could not be used, such as an unreadable picture.
    alternatives
        The other codes of the prediction set, most probable first.
    scores
        Per modality, the code that it alone would give with its confidence.
    score
        What is compared with the threshold: half of one plus the lead of the code over the second.
    error
        Why there is no answer, or which part could not be used; empty otherwise.
    """

    code: str
    label: str
    confidence: float
    decision: Literal["accept", "review"]
    reason: str
    threshold: float | None
    modalities: tuple[str, ...]
    degraded: bool = False
    alternatives: tuple[Alternative, ...] = ()
    scores: dict[str, Alternative] = field(default_factory=dict)
    score: float = 0.0
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return asdict(self)
