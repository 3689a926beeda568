"""What was promised about the accepted listings, and whether it was kept, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rayon.learning.figures import Evaluation
from rayon.reports.html import percent, percent_interval


@dataclass(frozen=True, slots=True)
class Verdict:
    """One sentence and its explanation.

    Parameters
    ----------
    tone
        ``"good"`` where the promise was kept, ``"bad"`` where it was broken beyond chance, else ``"quiet"``.
    sentence, detail
        For people, with full stops.
    """

    tone: Literal["good", "bad", "quiet"]
    sentence: str
    detail: str


def judge(evaluation: Evaluation, promised: float | None, note: str = "", warning: str = "") -> Verdict:
    """Compare the accepted precision with what was promised.

    Parameters
    ----------
    evaluation
        With the decisions in it.
    promised
        Promised precision of the accepted listings, 0 to 1; ``None`` where nothing was promised.
    note
        What the policy itself has to say, such as why nothing can be accepted.
    warning
        Why the figures prove nothing, such as listings that were trained on; empty where they do.
    """
    fused = evaluation.fused
    if warning:
        return Verdict("quiet", "These figures cannot tell whether the promise is kept.", warning)
    if promised is None or fused.coverage is None:
        return Verdict(
            "quiet", "Nothing was promised for the accepted listings.", note or "There was no policy."
        )
    asked = f"{100 * promised:g} %"
    if fused.accepted_precision is None:
        detail = note or "All listings go to review, so that the promise is neither kept nor broken."
        return Verdict("quiet", f"No listing was accepted; {asked} precision was promised.", detail)
    observed, exact = fused.accepted_precision, fused.intervals.get("accepted_precision_exact")
    accepted = (
        f"{percent(fused.coverage)} of {fused.n:,} listings were accepted without review, "
        f"and {percent(observed, 2)} of those were right."
    )
    range_ = f" Exact 95 % interval: {percent_interval(exact)}." if exact else ""
    if observed >= promised:
        return Verdict("good", f"The promise of {asked} was kept.", accepted + range_)
    if exact is None or exact[1] >= promised:
        detail = f"{accepted}{range_} The difference is within what chance does to so few listings."
        return Verdict("quiet", f"Slightly below the promise of {asked}.", detail)
    detail = f"{accepted}{range_} These listings are probably unlike those that the policy was set on."
    return Verdict("bad", f"The promise of {asked} was broken.", detail)
