"""The golden set: labelled listings on which challengers meet the champion, and that nobody learns from.

It is fixed before the first training, by holding whole groups of near-duplicates out of the trusted
listings, and grows only from the random audit: what reviewers choose to look at would make it easier or
harder than the traffic is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from rayon.data.duplicates import duplicate_groups
from rayon.data.image import plain_jpeg, read_image
from rayon.data.listings import Listing
from rayon.data.splits import grouped_holdout
from rayon.data.taxonomy import sort_codes
from rayon.errors import ConflictError, ImageError, NotFoundError
from rayon.store import audit, golden
from rayon.store.database import Database
from rayon.store.golden import GoldenListing
from rayon.store.images import ImageStore
from rayon.store.predictions import StoredPrediction, validated_predictions

SHARE = 0.1
"""Share of the first training's trusted listings that becomes the golden set."""


@dataclass(frozen=True, slots=True)
class Growth:
    """What the random audit brought.

    Parameters
    ----------
    added
        Listings that are in the golden set now.
    known
        Audited listings that stay outside because a near-duplicate of them is in the training data.
    """

    added: int
    known: int


class GoldenSet:
    """Keep labelled listings away from all training.

    Parameters
    ----------
    database, images
        Where the listings and their pictures are kept.
    """

    def __init__(self, database: Database, images: ImageStore) -> None:
        self._database = database
        self._images = images

    def __len__(self) -> int:
        with self._database.read() as connection:
            return golden.count_golden(connection)

    def fix(
        self,
        listings: Sequence[Listing],
        codes: Sequence[str],
        actor: str,
        share: float = SHARE,
        random_state: int = 0,
    ) -> NDArray[np.bool_]:
        """Hold a share of the trusted listings out, for good.

        Parameters
        ----------
        listings, codes
            N trusted listings with their true codes.
        actor
            Who does it, for the audit log.
        share
            About how much of each code is held out, in whole groups of near-duplicates.
        random_state
            Seed of the choice.

        Returns
        -------
        ndarray
            ``bool[N]``: what is held out.

        Raises
        ------
        ConflictError
            When there is a golden set already.
        TrainingError
            When the share is not between 0 and 1.
        """
        held = grouped_holdout(codes, duplicate_groups(listings), share, random_state)
        now = datetime.now(UTC)
        rows = [self._golden(listings[row], codes[row], now) for row in np.flatnonzero(held).tolist()]
        with self._database.write() as connection:
            if golden.count_golden(connection):
                raise ConflictError(
                    "There is a golden set already", "It only grows, by what the random audit draws"
                )
            golden.add_golden(connection, rows)
            audit.record(connection, actor, "golden.fix", f"{len(rows)} listings", now, {"share": share})
        return held

    def grow(self, training: Sequence[Listing], actor: str) -> Growth:
        """Take in what the random audit drew and people validated.

        An audited listing with a near-duplicate in the training data, or among what people validated besides,
        stays outside: models have learned from it, if not to the letter.

        Parameters
        ----------
        training
            The listings that models have learned from, or will.
        actor
            Who does it, for the audit log.
        """
        with self._database.read() as connection:
            drawn = golden.audited_elsewhere(connection)
            feedback = [one for one in validated_predictions(connection) if one.queued_for != "audit"]
        if not drawn:
            return Growth(0, 0)
        mine = [self._listing(one) for one in drawn]
        fresh = _without_relatives(mine, [*training, *(self._listing(one) for one in feedback)])
        now = datetime.now(UTC)
        rows = [
            GoldenListing(
                now,
                one.designation,
                one.description,
                one.productid,
                one.imageid,
                one.image,
                str(one.true_code),
                one.id,
                one.user_id,
            )
            for one, is_fresh in zip(drawn, fresh, strict=True)
            if is_fresh
        ]
        with self._database.write() as connection:
            # Looking for near-duplicates takes long, and what was forgotten meanwhile must not come back.
            there = {one.id for one in golden.audited_elsewhere(connection)}
            rows = [one for one in rows if one.prediction_id in there]
            if rows:
                golden.add_golden(connection, rows)
                audit.record(connection, actor, "golden.grow", f"{len(rows)} listings", now)
        return Growth(len(rows), len(drawn) - len(rows))

    def listings(self) -> tuple[list[Listing], list[str]]:
        """All golden listings with their pictures, and their true codes."""
        with self._database.read() as connection:
            rows = golden.list_golden(connection)
        return [self._listing(one) for one in rows], [one.code for one in rows]

    def counts(self) -> dict[str, int]:
        """How many listings each code has, in the order of the codes."""
        with self._database.read() as connection:
            counted = Counter(one.code for one in golden.list_golden(connection))
        return {code: counted[code] for code in sort_codes(counted)}

    def teachable(self, listings: Sequence[Listing]) -> NDArray[np.bool_]:
        """Which of N listings may be learned from: ``bool[N]``, false for near-duplicates of golden ones."""
        return _without_relatives(listings, self.listings()[0])

    def _golden(self, listing: Listing, code: str, now: datetime) -> GoldenListing:
        digest = None
        if listing.image is not None:
            try:
                digest = self._images.put(plain_jpeg(read_image(listing.image)))
            except ImageError:
                digest = None  # models cannot use it either
        return GoldenListing(
            now,
            listing.designation.replace("\0", ""),  # PostgreSQL keeps none
            listing.description.replace("\0", ""),
            listing.productid[:200],
            listing.imageid[:200],
            digest,
            code,
        )

    def _listing(self, one: GoldenListing | StoredPrediction) -> Listing:
        return Listing(one.designation, one.description, self._picture(one.image), one.productid, one.imageid)

    def _picture(self, digest: str | None) -> bytes | None:
        if digest is None:
            return None
        try:
            return self._images.get(digest)
        except NotFoundError:
            return None


def _without_relatives(listings: Sequence[Listing], others: Sequence[Listing]) -> NDArray[np.bool_]:
    """Which of N listings have no near-duplicate, by text or by picture, among others: ``bool[N]``."""
    groups = duplicate_groups([*others, *listings])
    return ~np.isin(groups[len(others) :], groups[: len(others)])
