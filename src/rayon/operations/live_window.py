"""The predictions of a window of live service, ready for the statistics of monitoring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import numpy as np

from rayon.data.listings import Listing
from rayon.errors import NotFoundError
from rayon.learning.histograms import SignalCounts
from rayon.learning.live_sample import LiveSample
from rayon.learning.reference import LIVE_PICTURES, TEXT_SIGNALS, Reference, measure_signals
from rayon.store.database import Database
from rayon.store.images import ImageStore
from rayon.store.predictions import StoredPrediction
from rayon.store.windows import answers_between, predictions_by_id

SAMPLED_LISTINGS = 10_000
"""Listings of a window whose texts are measured, at the most; as many as training measures."""

_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class LiveWindow:
    """The predictions made from one moment on and before another.

    Parameters
    ----------
    since, until
        The moments.
    ids
        Of all N predictions, oldest first.
    days
        Day, in UTC and ISO 8601, to how many predictions were made and how many of them were accepted.
    degraded
        How many predictions could not use a part of their listing.
    codes
        What the model that is looked at answered: M codes.
    sample
        The same M predictions, with what people said of them.
    """

    since: datetime
    until: datetime
    ids: list[str]
    days: dict[str, tuple[int, int]]
    degraded: int
    codes: list[str]
    sample: LiveSample

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def accepted(self) -> int:
        """How many of all predictions were accepted."""
        return sum(accepted for _, accepted in self.days.values())

    @classmethod
    def read(
        cls,
        database: Database,
        since: datetime,
        until: datetime,
        version: str,
        known_codes: Sequence[str],
    ) -> Self:
        """Read a window.

        Parameters
        ----------
        database
            Where the predictions are.
        since, until
            The moments.
        version
            Of the model that is looked at.
        known_codes
            Its K codes; a true code that is none of them gets the index K.
        """
        index = {code: place for place, code in enumerate(known_codes)}
        ids: list[str] = []
        codes: list[str] = []
        made: Counter[str] = Counter()
        accepted: Counter[str] = Counter()
        degraded = 0
        rows: list[tuple[int, float, bool, float, bool, int]] = []
        with database.snapshot() as connection:
            for one in answers_between(connection, since, until):
                ids.append(one.id)
                day = one.at.date().isoformat()
                made[day] += 1
                accepted[day] += one.accepted
                degraded += one.degraded
                if one.model_version == version and one.code in index:
                    codes.append(one.code)
                    true = -1 if one.true_code is None else index.get(one.true_code, len(index))
                    rows.append(
                        (
                            index[one.code],
                            one.confidence,
                            one.accepted,
                            one.audit_probability,
                            one.audited,
                            true,
                        )
                    )
        columns: Any = zip(*rows, strict=True) if rows else ((),) * 6
        predicted, confidence, was_accepted, probability, audited, labels = columns
        sample = LiveSample(
            predicted=np.array(predicted, dtype=np.int64),
            confidence=np.array(confidence, dtype=np.float64),
            accepted=np.array(was_accepted, dtype=np.bool_),
            audit_probability=np.array(probability, dtype=np.float64),
            drawn=np.array(audited, dtype=np.bool_),
            true=np.array(labels, dtype=np.int64),
        )
        days = {day: (n, accepted[day]) for day, n in sorted(made.items())}
        return cls(since, until, ids, days, degraded, codes, sample)

    def signals(
        self,
        database: Database,
        images: ImageStore,
        reference: Reference,
        *,
        listings: int = SAMPLED_LISTINGS,
        pictures: int = LIVE_PICTURES,
        threads: int | None = None,
    ) -> SignalCounts:
        """Count what the listings look like, and what the model answered, in the bins of its reference.

        Texts are those of a random sample of all listings, whoever answered them; pictures those of a smaller
        one. The answers are all those of the model.

        Parameters
        ----------
        database, images
            Where listings and pictures are.
        reference
            Of the model.
        listings, pictures
            How many are measured at the most.
        threads
            Workers that decode pictures.
        """
        drawn = np.random.default_rng(len(self)).permutation(len(self))[:listings]
        with database.snapshot() as connection:
            rows = predictions_by_id(connection, [self.ids[place] for place in drawn.tolist()])
        texts = [_listing(row, None) for row in rows]
        found = measure_signals(
            texts, reference, confidence=self.sample.confidence, codes=self.codes, max_pictures=0
        )
        if not reference.has_pictures:
            return found
        # Which parts a listing has is seen together with the pictures.
        seen = _picture_signals(rows, images, reference, pictures, threads)
        return SignalCounts(found.histograms | seen.histograms)


def _picture_signals(
    rows: Sequence[StoredPrediction],
    images: ImageStore,
    reference: Reference,
    limit: int,
    threads: int | None,
) -> SignalCounts:
    """What pictures of listings in random order look like, a few in memory at a time."""
    order = np.random.default_rng(len(rows)).permutation(len(rows))[:limit].tolist()
    counted = SignalCounts({})
    for start in range(0, len(order), _AT_ONCE):
        listings = [_listing(rows[place], images) for place in order[start : start + _AT_ONCE]]
        counted += measure_signals(listings, reference, max_pictures=_AT_ONCE, threads=threads)
    return SignalCounts({name: one for name, one in counted.histograms.items() if name not in TEXT_SIGNALS})


def _listing(row: StoredPrediction, images: ImageStore | None) -> Listing:
    picture: bytes | None = None
    if images is not None and row.image is not None:
        try:
            picture = images.get(row.image)
        except NotFoundError:
            picture = None
    return Listing(row.designation, row.description, picture, row.productid, row.imageid)
