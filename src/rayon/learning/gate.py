"""The gate: whether a challenger may replace the champion, judged on the same golden listings.

Nobody sees the gate's listings in training, and both models are scored on them afresh, so that every
comparison is paired: what both answer alike tells nothing, and only the listings on which they differ count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

from rayon.errors import RayonError
from rayon.learning.bootstrap import one_hot, resampled_totals
from rayon.learning.curves import confidence_bins
from rayon.learning.paired_tests import holm, loss_p_values, permutation_test

_BINS = 15
_PER_LEVEL = 20
"""So many permutations fall below the level on average: with fewer, chance would decide at low levels."""


@dataclass(frozen=True, slots=True)
class GateThresholds:
    """What the gate asks for; the one place where it is written.

    Parameters
    ----------
    alpha
        How often an equal challenger may be promoted; over the life of a golden set it is spent piece by
        piece, see `rayon.learning.spending`.
    code_loss
        How much of a code's listings a challenger may lose: more, beyond doubt, blocks it.
    code_alpha
        How often any code blocks a challenger that loses no more than that, over all codes together.
    min_code_listings
        Golden listings that a code needs to block.
    promise_alpha
        How often a challenger that keeps its promised precision is blocked all the same.
    confidence_alpha
        How often a challenger that is no more overconfident than the champion is blocked all the same.
    permutations, resamples
        Of the test of weighted F1, and of the one of confidence. At low levels there are more permutations.
    time_ratio, time_slack
        How much longer than the champion a challenger may take for a listing: so many times as long, and so
        many seconds beside.
    size_ratio, size_slack
        The same for the bytes of its folder.
    """

    alpha: float = 0.05
    code_loss: float = 0.05
    code_alpha: float = 0.05
    min_code_listings: int = 50
    promise_alpha: float = 0.05
    confidence_alpha: float = 0.05
    permutations: int = 9_999
    resamples: int = 500
    time_ratio: float = 1.5
    time_slack: float = 0.005
    size_ratio: float = 2.0
    size_slack: int = 20_000_000


@dataclass(frozen=True, slots=True)
class GoldenScores:
    """What a model answered for the N golden listings.

    Parameters
    ----------
    proba
        ``float64[N, K]``, calibrated.
    accepted
        ``bool[N]``, by the model's own policy.
    promise
        The precision that it promises for what it accepts.
    """

    proba: NDArray[np.float64]
    accepted: NDArray[np.bool_]
    promise: float

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Class indices ``int64[N]``."""
        return np.asarray(self.proba.argmax(axis=1), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the gate looked at.

    Parameters
    ----------
    name
        ``"better"``, ``"codes"``, ``"promise"`` or ``"confidence"``; ``"latency"``, ``"size"`` or
        ``"smoke"``, see `rayon.learning.budgets`.
    passed
        Whether it stands in the way of nothing.
    reason
        One sentence with the figures.
    figures
        JSON-ready.
    """

    name: str
    passed: bool
    reason: str
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate found; the challenger may replace the champion where every check passed."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether the challenger may replace the champion."""
        return all(check.passed for check in self.checks)

    def at_level(self, alpha: float) -> Verdict:
        """The same findings, with "better" judged at another level."""
        return Verdict(
            tuple(
                _better_at(alpha, check.figures) if check.name == "better" else check for check in self.checks
            )
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {"passed": self.passed, "checks": [asdict(check) for check in self.checks]}


def judge(
    y: NDArray[np.int64],
    champion: GoldenScores,
    challenger: GoldenScores,
    codes: Sequence[str],
    thresholds: GateThresholds | None = None,
    seed: int = 0,
) -> Verdict:
    """Judge a challenger against the champion.

    Parameters
    ----------
    y
        ``int64[N]``, the true classes of the golden listings.
    champion, challenger
        What both answered, columns in the order of ``codes``.
    codes
        The K codes.
    thresholds
        What is asked for.
    seed
        Of the permutations.

    Raises
    ------
    RayonError
        When the arrays do not fit each other, or there is no listing.
    """
    asked = thresholds or GateThresholds()
    shape = (len(y), len(codes))
    if not len(y) or champion.proba.shape != shape or challenger.proba.shape != shape:
        raise RayonError(
            f"Scores of the shapes {champion.proba.shape} and {challenger.proba.shape} cannot be compared "
            f"on {shape[0]} listings and {shape[1]} codes",
            "Score both models on the same golden listings, with the same codes",
        )
    return Verdict(
        (
            _better(y, champion.predicted, challenger.predicted, len(codes), asked, seed),
            _codes(y, champion.predicted, challenger.predicted, codes, asked),
            _promise(y, challenger, asked),
            _confidence(y, champion, challenger, asked, seed),
        )
    )


def _better(
    y: NDArray[np.int64],
    champion: NDArray[np.int64],
    challenger: NDArray[np.int64],
    n_classes: int,
    asked: GateThresholds,
    seed: int,
) -> Check:
    permutations = max(asked.permutations, round(_PER_LEVEL / asked.alpha))
    gain, p_value = permutation_test(y, champion, challenger, n_classes, permutations, seed)
    differ = int((champion != challenger).sum())
    return _better_at(asked.alpha, {"gain": gain, "p_value": p_value, "listings": len(y), "differ": differ})


def _better_at(alpha: float, figures: Mapping[str, Any]) -> Check:
    gain, p_value, listings, differ = (figures[name] for name in ("gain", "p_value", "listings", "differ"))
    passed = p_value <= alpha
    word = "better" if passed else "not shown to be better"
    return Check(
        "better",
        passed,
        f"The challenger is {word}: weighted F1 {gain:+.4f} on {listings:,} listings, of which {differ:,} "
        f"are answered differently (p = {p_value:.3g}, at most {alpha:.3g} is asked for)",
        {**figures, "alpha": alpha},
    )


def _codes(
    y: NDArray[np.int64],
    champion: NDArray[np.int64],
    challenger: NDArray[np.int64],
    codes: Sequence[str],
    asked: GateThresholds,
) -> Check:
    n = np.bincount(y, minlength=len(codes))
    lost = np.bincount(y[(champion == y) & (challenger != y)], minlength=len(codes))
    gained = np.bincount(y[(champion != y) & (challenger == y)], minlength=len(codes))
    judged = np.flatnonzero(n >= asked.min_code_listings)
    p_values = holm(loss_p_values(n[judged], lost[judged], gained[judged], asked.code_loss))
    blocking: list[dict[str, Any]] = [
        {
            "code": codes[int(code)],
            "listings": int(n[code]),
            "lost": int(lost[code]),
            "gained": int(gained[code]),
            "p_value": float(p_value),
        }
        for code, p_value in zip(judged, p_values, strict=True)
        if p_value <= asked.code_alpha
    ]
    named = ", ".join(
        f"{one['code']} ({one['lost'] - one['gained']} of {one['listings']})" for one in blocking
    )
    reason = (
        f"More than {asked.code_loss:.0%} of the listings is lost in {len(blocking)} codes: {named}"
        if blocking
        else f"None of {len(judged)} codes with {asked.min_code_listings} listings or more loses more than "
        f"{asked.code_loss:.0%} of them"
    )
    return Check("codes", not blocking, reason, {"judged": len(judged), "blocking": blocking})


def _promise(y: NDArray[np.int64], challenger: GoldenScores, asked: GateThresholds) -> Check:
    accepted = challenger.accepted
    n, right = int(accepted.sum()), int((challenger.predicted[accepted] == y[accepted]).sum())
    p_value = float(stats.binom.cdf(right, n, challenger.promise)) if n else 1.0
    passed = p_value > asked.promise_alpha
    kept = "consistent with" if passed else "below"
    return Check(
        "promise",
        passed,
        f"{right:,} of {n:,} accepted listings are right, {kept} the promised {challenger.promise:.0%}"
        if n
        else "Nothing is accepted, so nothing is promised",
        {"accepted": n, "right": right, "promise": challenger.promise, "p_value": p_value},
    )


def _confidence(
    y: NDArray[np.int64], champion: GoldenScores, challenger: GoldenScores, asked: GateThresholds, seed: int
) -> Check:
    """Look whether the challenger claims more than it keeps; one that is better than it says does no harm."""
    gaps = [_gaps(one, (one.predicted == y).astype(np.float64)) for one in (champion, challenger)]
    before, after = (float(_overconfidence(np.asarray(one.sum(axis=0)), len(y))) for one in gaps)
    drawn = resampled_totals(sparse.csr_array(sparse.hstack(gaps, format="csr")), asked.resamples, seed)
    grown = _overconfidence(drawn[:, _BINS:], len(y)) - _overconfidence(drawn[:, :_BINS], len(y))
    at_least = float(np.quantile(grown, asked.confidence_alpha))
    by_chance = _by_chance(challenger, asked, seed)
    passed = after <= by_chance or at_least <= 0
    word = "not shown to be worse than" if passed else "worse than"
    return Check(
        "confidence",
        passed,
        f"Overconfidence {after:.4f}, {word} the champion's {before:.4f}; a perfectly calibrated model shows "
        f"up to {by_chance:.4f} by chance",
        {"champion": before, "challenger": after, "by_chance": by_chance, "worse_by_at_least": at_least},
    )


def _gaps(scores: GoldenScores, right: NDArray[np.float64]) -> sparse.csr_array[np.float64]:
    """What each listing adds to right answers minus confidence, by bin of confidence: ``[N, bins]``."""
    confidence = scores.proba.max(axis=1)
    return one_hot(confidence_bins(confidence, _BINS), _BINS, right - confidence)


def _overconfidence(totals: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """The part of the calibration error where more is claimed than kept, from sums ``[..., bins]``."""
    return np.asarray(np.maximum(-totals, 0).sum(axis=-1) / n)


def _by_chance(scores: GoldenScores, asked: GateThresholds, seed: int) -> float:
    """Overconfidence that a perfectly calibrated model would rarely exceed."""
    confidence = scores.proba.max(axis=1)
    rng = np.random.default_rng(seed)
    right = rng.random((asked.resamples, len(confidence))) < confidence
    bins = one_hot(confidence_bins(confidence, _BINS), _BINS)
    totals = np.asarray((bins.T @ (right - confidence).T).T)
    return float(np.quantile(_overconfidence(totals, len(confidence)), 1 - asked.confidence_alpha))
