"""The rest of the gate: what a challenger may cost, and that it answers in the champion's form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rayon.learning.gate import Check, GateThresholds


def check_latency(
    champion: float, challenger: float, listings: int, thresholds: GateThresholds | None = None
) -> Check:
    """Check that the challenger is not much slower.

    Parameters
    ----------
    champion, challenger
        Median seconds for a listing on its own.
    listings
        How many were timed.
    thresholds
        What is asked for.
    """
    asked = thresholds or GateThresholds()
    most = asked.time_ratio * champion + asked.time_slack
    passed = challenger <= most
    word = "within" if passed else "beyond"
    return Check(
        "latency",
        passed,
        f"A listing takes {1000 * challenger:.1f} ms, {word} the {1000 * most:.1f} ms that the champion's "
        f"{1000 * champion:.1f} ms allow",
        {"champion": champion, "challenger": challenger, "most": most, "listings": listings},
    )


def check_size(champion: int, challenger: int, thresholds: GateThresholds | None = None) -> Check:
    """Check that the challenger is not much larger.

    Parameters
    ----------
    champion, challenger
        Bytes of all files of the model.
    thresholds
        What is asked for.
    """
    asked = thresholds or GateThresholds()
    most = round(asked.size_ratio * champion + asked.size_slack)
    passed = challenger <= most
    word = "within" if passed else "beyond"
    return Check(
        "size",
        passed,
        f"The model takes {challenger / 1e6:,.1f} MB, {word} the {most / 1e6:,.1f} MB that the champion's "
        f"{champion / 1e6:,.1f} MB allow",
        {"champion": champion, "challenger": challenger, "most": most},
    )


def check_form(champion: Sequence[dict[str, Any]], challenger: Sequence[dict[str, Any]]) -> Check:
    """Check that what is answered for the smoke set has the champion's form.

    Parameters
    ----------
    champion, challenger
        For each listing of the smoke set, the form of the answer: property to value.
    """
    differences = [
        {"listing": row, "what": what, "champion": one.get(what), "challenger": other.get(what)}
        for row, (one, other) in enumerate(zip(champion, challenger, strict=True), start=1)
        for what in dict.fromkeys([*one, *other])
        if one.get(what) != other.get(what)
    ]
    named = "; ".join(
        f"{one['what']} of listing {one['listing']} was {one['champion']} and is {one['challenger']}"
        for one in differences
    )
    reason = (
        f"The answers to the smoke set have another form: {named}"
        if differences
        else f"The {len(champion)} answers to the smoke set have the champion's form"
    )
    return Check("smoke", not differences, reason, {"listings": len(champion), "differences": differences})
