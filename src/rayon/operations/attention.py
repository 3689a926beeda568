"""What of monitoring's findings a person should look at, and what there is too little data for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from rayon.learning.drift import DriftReport, DriftThresholds
from rayon.learning.live_estimates import LiveEstimate
from rayon.learning.promise import PromiseCheck, PromiseThresholds
from rayon.reports.html import p_value
from rayon.reports.signals import signal_words
from rayon.store.brakes import Brake

_SHOWN = 4

AttentionKind = Literal["promise", "quality", "confidence", "drift", "brake"]


@dataclass(frozen=True, slots=True)
class MonitoringThresholds:
    """When something needs attention; the one place where it is written.

    Parameters
    ----------
    window
        What is looked at where nobody says since when.
    promise
        When the promised precision counts as broken.
    brake_listings
        Audited accepted listings that a broken promise takes before a model is braked for it.
    f1_loss
        How far the weighted F1 of the live service may be below that of training: more, beyond doubt, needs
        attention.
    overconfidence
        How much more may be claimed than is kept.
    drift
        When a signal counts as drifted.
    """

    window: timedelta = timedelta(days=30)
    promise: PromiseThresholds = field(default_factory=PromiseThresholds)
    brake_listings: int = 20
    f1_loss: float = 0.03
    overconfidence: float = 0.03
    drift: DriftThresholds = field(default_factory=DriftThresholds)


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that a person should look at.

    Parameters
    ----------
    kind
        What it is about.
    message
        One sentence with the figures.
    """

    kind: AttentionKind
    message: str


def attention_of(
    promise: PromiseCheck | None,
    quality: LiveEstimate,
    trained_f1: float | None,
    drift: DriftReport | None,
    brake: Brake | None,
    asked: MonitoringThresholds,
) -> tuple[Attention, ...]:
    """Judge what was found.

    Parameters
    ----------
    promise, quality, drift, brake
        What was found; ``None`` where there is no such thing.
    trained_f1
        Weighted F1 in training.
    asked
        The thresholds.
    """
    return (
        *_broken_promise(promise),
        *_lost_quality(quality, trained_f1, asked),
        *_overconfident(quality, asked),
        *_drifted(drift),
        *_held_back(brake),
    )


def missing_data(
    quality: LiveEstimate, promise: PromiseCheck | None, drift: DriftReport | None
) -> tuple[str, ...]:
    """Say what could not be judged, and how much data it takes."""
    return (*_missing_labels(quality, promise), *_missing_listings(drift))


def _broken_promise(promise: PromiseCheck | None) -> list[Attention]:
    if promise is None or promise.verdict != "broken":
        return []
    return [
        Attention(
            "promise",
            f"The promised precision of {promise.promise:.1%} is not kept: {promise.n_right:,} of "
            f"{promise.n:,} audited accepted listings are right ({p_value(promise.p_value)})",
        )
    ]


def _lost_quality(
    quality: LiveEstimate, before: float | None, asked: MonitoringThresholds
) -> list[Attention]:
    found = quality.weighted_f1
    if found is None or before is None or found.high >= before - asked.f1_loss:
        return []
    return [
        Attention(
            "quality",
            f"Weighted F1 is {found.high:.3f} at the most, after {before:.3f} in training",
        )
    ]


def _overconfident(quality: LiveEstimate, asked: MonitoringThresholds) -> list[Attention]:
    found = quality.overconfidence
    if found is None or found.low <= asked.overconfidence:
        return []
    return [
        Attention(
            "confidence",
            f"The mean confidence of {quality.mean_confidence:.1%} is above the share that is right, by "
            f"{100 * found.low:.1f} points at least",
        )
    ]


def _drifted(drift: DriftReport | None) -> list[Attention]:
    if drift is None or not drift.drifted:
        return []
    worst = sorted(drift.drifted, key=lambda one: -(one.comparison.psi if one.comparison else 0.0))
    named = ", ".join(f"{signal_words(one.name).name} against {one.against}" for one in worst[:_SHOWN])
    more = len(worst) - _SHOWN
    return [
        Attention(
            "drift",
            f"{len(worst)} signal{'s have' if len(worst) > 1 else ' has'} drifted: {named}"
            + (f" and {more} more" if more > 0 else ""),
        )
    ]


def _held_back(brake: Brake | None) -> list[Attention]:
    if brake is None:
        return []
    what = "accepts nothing" if brake.threshold is None else "accepts less"
    return [
        Attention(
            "brake",
            f"The model {what} since {brake.at:%Y-%m-%d %H:%M} UTC ({brake.reason}): recalibrate it, or "
            "release the brake",
        )
    ]


def _missing_labels(quality: LiveEstimate, promise: PromiseCheck | None) -> list[str]:
    missing = []
    if promise is not None and promise.verdict == "too_few":
        missing.append(
            f"Whether the promise is kept can be said after {promise.needed:,} more audited accepted listings"
        )
    if quality.accuracy is None:
        missing.append("Quality cannot be estimated: no prediction that the audit drew has been validated")
    elif quality.weighted_f1 is None or quality.weighted_f1.estimate is None:
        missing.append("Weighted F1 has bounds alone: more predictions that the audit drew must be validated")
    return missing


def _missing_listings(drift: DriftReport | None) -> list[str]:
    if drift is None:
        return ["Drift cannot be judged: the model does not know its training listings; train it again"]
    missing = []
    for against in dict.fromkeys(one.against for one in drift.signals):
        few = [one for one in drift.signals if one.against == against and one.verdict == "too_few"]
        if few:
            needed = max(one.needed for one in few)
            named = ", ".join(signal_words(one.name).name for one in few)
            missing.append(
                f"Drift against {against} cannot be judged for {named}: {needed:,} more listings are needed"
            )
    return missing
