"""Recalibration: the champion's weights stay, its thresholds come from what people validated lately.

Only predictions that the random audit drew count, whichever model had answered them: the audit draws from all
traffic alike, and the champion answers their listings afresh.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rayon.data.listings import Listing
from rayon.errors import NotFoundError, RayonError
from rayon.learning.bounds import listings_needed
from rayon.learning.crossfit import Progress, silent
from rayon.learning.decision import DecisionPolicy
from rayon.learning.model import ProductClassifier
from rayon.learning.recalibration import recalibrated
from rayon.operations.registry import NAME_LENGTH, Registry
from rayon.store.database import Database
from rayon.store.images import ImageStore
from rayon.store.models import ModelVersion, Promotion
from rayon.store.predictions import StoredPrediction, audited_predictions

WINDOW = timedelta(days=90)
"""How far back validations count as fresh where nobody says since when."""

SCORING = "Answering audited listings"
_AT_ONCE = 256
_SEED = 0


@dataclass(frozen=True, slots=True)
class Effect:
    """What a policy does with the fresh listings.

    Parameters
    ----------
    threshold
        Score from which it accepts; ``None`` where it accepts nothing.
    accepted, right
        How many of the listings it accepts, and how many of those are right.
    """

    threshold: float | None
    accepted: int
    right: int


@dataclass(frozen=True, slots=True)
class Recalibration:
    """A model with new thresholds, which is neither kept nor promoted yet, and what they rest on.

    Parameters
    ----------
    model
        The new one; the same answers as the champion's, decided upon otherwise.
    champion
        The name of the model that it comes from.
    since
        From when on validations counted.
    listings, right, unknown
        How many listings the thresholds rest on, how many of them are answered rightly, and how many have a
        code that the model does not know.
    waiting, thinned, seen, unanswerable
        Audited predictions that did not count: nobody has validated them; they were more likely to be drawn
        than others; the model has learned from the listing; it or its picture was erased or gives no answer.
    before, after
        What the champion's policy does with these listings, and the new one.
    """

    model: ProductClassifier
    champion: str
    since: datetime
    listings: int
    right: int
    unknown: int
    waiting: int
    thinned: int
    seen: int
    unanswerable: int
    before: Effect
    after: Effect

    @property
    def supported(self) -> bool:
        """Whether the listings support the promise; if not, nothing would be accepted."""
        return self.after.threshold is not None

    @property
    def message(self) -> str:
        """The new promise, and what it rests on, in a sentence without a full stop."""
        return str(self.model.policy_.report()["message"])

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        counts = ("listings", "right", "unknown", "waiting", "thinned", "seen", "unanswerable")
        return {
            "champion": self.champion,
            "since": self.since.isoformat(timespec="seconds"),
            **{name: getattr(self, name) for name in counts},
            "precision": self.model.policy_.precision,
            "before": _effect(self.before, self.listings),
            "after": _effect(self.after, self.listings),
            "message": self.message,
        }


def recalibrate(
    database: Database,
    images: ImageStore,
    champion: ProductClassifier,
    *,
    since: datetime | None = None,
    progress: Progress = silent,
) -> Recalibration:
    """Find thresholds for a model on fresh validations; nothing is changed by it.

    Parameters
    ----------
    database, images
        Where predictions and their pictures are.
    champion
        The model.
    since
        From when on predictions count; `WINDOW` ago where it is not given.
    progress
        Told how far it is.

    Raises
    ------
    RayonError
        When so few listings are left that not even one without an error could keep the promise.
    """
    now = datetime.now(UTC)
    start = since or now - WINDOW
    with database.read() as connection:
        drawn = audited_predictions(connection, start)
    validated = [one for one in drawn if one.true_code is not None]
    alike = _alike(validated)
    fresh = [one for one in alike if not champion.neighbours_.was_seen(_listing(one, None))]
    proba, y = _answers(champion, images, fresh, progress)
    _require_enough(champion.policy_, len(y), len(drawn) - len(validated), start)
    made = recalibrated(champion, proba, y, now)
    right = proba.argmax(axis=1) == y
    return Recalibration(
        model=made,
        champion=champion.version_[:NAME_LENGTH],
        since=start,
        listings=len(y),
        right=int(right.sum()),
        unknown=int((y < 0).sum()),
        waiting=len(drawn) - len(validated),
        thinned=len(validated) - len(alike),
        seen=len(alike) - len(fresh),
        unanswerable=len(fresh) - len(y),
        before=_effect_of(champion.policy_, proba, right),
        after=_effect_of(made.policy_, proba, right),
    )


def keep_recalibrated(registry: Registry, found: Recalibration, actor: str) -> ModelVersion:
    """Register the model.

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    folder = registry.folder_of(found.champion).parent
    with tempfile.TemporaryDirectory(dir=folder, prefix=".recalibrated-") as scratch:
        draft = Path(scratch) / "model"
        found.model.save(draft)
        return registry.register(draft, actor, "recalibrate")


def promote_recalibrated(registry: Registry, found: Recalibration, actor: str, reason: str = "") -> Promotion:
    """Register the model and make it the champion, with what it rests on as the verdict.

    The gate is not asked: it judges answers, and these are the same. A rollback leads back as usual, to the
    brake as well, if one is on the old model.

    Parameters
    ----------
    registry
        Where models are kept.
    found
        What `recalibrate` gave.
    actor
        Who does it.
    reason
        Why, beyond the figures.

    Raises
    ------
    RayonError
        When the listings do not support the promise.
    ConflictError
        When another model has become the champion meanwhile.
    OutputError
        When it cannot be written.
    """
    if not found.supported:
        raise RayonError(found.message, "Have more of what the random audit draws validated")
    version = keep_recalibrated(registry, found, actor)
    why = f"recalibrated on {found.listings:,} audited listings" + (f": {reason.strip()}" if reason else "")
    verdict = {"recalibration": found.to_dict()}
    return registry.promote(version.name, actor, why, verdict, after=found.champion)


def _alike(rows: Sequence[StoredPrediction]) -> list[StoredPrediction]:
    """Those that are left when each was as likely to be drawn as the least likely one."""
    probability = np.array([one.audit_probability for one in rows])
    if not len(rows) or probability.min() == probability.max():
        return list(rows)
    chance = np.random.default_rng(_SEED).random(len(rows))
    kept = np.flatnonzero(chance * probability < probability.min())
    return [rows[row] for row in kept.tolist()]


def _answers(
    model: ProductClassifier, images: ImageStore, rows: Sequence[StoredPrediction], progress: Progress
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The model's answers `[N, K]` and true class indices `[N]`, -1 where it does not know the code."""
    index = {code: place for place, code in enumerate(model.taxonomy_.codes)}
    proba = [np.empty((0, len(index)))]
    true: list[int] = []
    for start in range(0, len(rows), _AT_ONCE):
        listings, codes = [], []
        for one in rows[start : start + _AT_ONCE]:
            picture = _picture(images, one)
            if one.image is None or picture is not None:  # without its picture it is another listing
                listings.append(_listing(one, picture))
                codes.append(index.get(str(one.true_code), -1))
        scores = model.scores(listings)
        usable = scores.usable()
        proba.append(scores.fused[usable])
        true += np.array(codes, dtype=np.int64)[usable].tolist()
        progress(SCORING, min(start + _AT_ONCE, len(rows)), len(rows))
    return np.concatenate(proba), np.array(true, dtype=np.int64)


def _listing(one: StoredPrediction, picture: bytes | None) -> Listing:
    return Listing(one.designation, one.description, picture, one.productid, one.imageid)


def _picture(images: ImageStore, one: StoredPrediction) -> bytes | None:
    try:
        return images.get(one.image) if one.image is not None else None
    except NotFoundError:
        return None


def _require_enough(policy: DecisionPolicy, n: int, waiting: int, since: datetime) -> None:
    least = listings_needed(1.0, policy.precision, policy.confidence)
    if least is not None and n >= least:
        return
    raise RayonError(
        f"{n:,} validated listings of the random audit since {since:%Y-%m-%d} are too few: a precision of "
        f"{policy.precision:.1%} takes at least {least:,}",
        f"Validate those that wait ({waiting:,}), go further back, or draw more with RAYON_AUDIT_SHARE",
    )


def _effect_of(policy: DecisionPolicy, proba: NDArray[np.float64], right: NDArray[np.bool_]) -> Effect:
    accepted = policy.accept(proba)
    return Effect(policy.threshold_, int(accepted.sum()), int((accepted & right).sum()))


def _effect(one: Effect, n: int) -> dict[str, Any]:
    return {
        "threshold": one.threshold,
        "accepted": one.accepted,
        "share": one.accepted / n,
        "precision": one.right / one.accepted if one.accepted else None,
    }
