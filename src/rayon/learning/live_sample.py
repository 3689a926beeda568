"""The predictions of a window of live service, and the strata from which the random audit drew."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from rayon.errors import RayonError
from rayon.learning.stratified import Stratum


@dataclass(frozen=True, slots=True)
class LiveSample:
    """N predictions of a window of time, with what people have said about them so far.

    Parameters
    ----------
    predicted
        ``int64[N]``, class indices.
    confidence
        ``float64[N]``, stated probability of the predicted class.
    accepted
        ``bool[N]``, whether the decision was to accept; else it was to review.
    audit_probability
        ``float64[N]``, with which the random audit drew the prediction when it was made.
    drawn
        ``bool[N]``, whether it did.
    true
        ``int64[N]``, class indices where a person has validated, else -1. An index that is never predicted
        stands for a code that the model does not know.

    Raises
    ------
    RayonError
        When the arrays do not fit together.
    """

    predicted: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accepted: NDArray[np.bool_]
    audit_probability: NDArray[np.float64]
    drawn: NDArray[np.bool_]
    true: NDArray[np.int64]

    def __post_init__(self) -> None:
        shapes = {field.name: np.shape(getattr(self, field.name)) for field in fields(self)}
        if len(set(shapes.values())) > 1 or len(shapes["predicted"]) != 1:
            listed = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
            raise RayonError(f"The arrays of a window differ in shape: {listed}", "Give N values in each")
        if not len(self):
            return
        if self.predicted.min() < 0 or self.true.min() < -1:
            raise RayonError(
                "A window holds a class index that is negative", "Only a true class may be -1: not validated"
            )
        # A comparison with NaN is false, so that NaN is refused too.
        for name in ("confidence", "audit_probability"):
            values = getattr(self, name)
            if not (values.min() >= 0 and values.max() <= 1):
                raise RayonError(f"A value of {name} is not between 0 and 1", "Give probabilities")
        if (self.drawn & (self.audit_probability == 0)).any():
            raise RayonError(
                "A prediction was drawn by the audit although its audit probability is 0",
                "Mark as drawn only what the random audit drew",
            )

    def __len__(self) -> int:
        return len(self.predicted)

    @property
    def right(self) -> NDArray[np.bool_]:
        """``bool[N]``, whether the prediction is known to be right."""
        return np.asarray(self.predicted == self.true)

    @property
    def validated(self) -> NDArray[np.bool_]:
        """``bool[N]``, whether a person has said what is true."""
        return np.asarray(self.true >= 0)


@dataclass(frozen=True, slots=True)
class Strata:
    """The H strata of a window: decision by audit probability, without empty ones.

    Parameters
    ----------
    of_listing
        ``int64[N]``, the stratum of each prediction.
    counts
        ``bool[N]``, whether its label counts: drawn by the audit, or its whole stratum is validated.
    accepted, audit_probability
        ``bool[H]`` and ``float64[H]``.
    listings, labelled, right
        ``int64[H]``: predictions, those whose label counts, and how many of these are right.
    """

    of_listing: NDArray[np.int64]
    counts: NDArray[np.bool_]
    accepted: NDArray[np.bool_]
    audit_probability: NDArray[np.float64]
    listings: NDArray[np.int64]
    labelled: NDArray[np.int64]
    right: NDArray[np.int64]

    @classmethod
    def of(cls, sample: LiveSample) -> Strata:
        """Strata of a window."""
        levels, level = np.unique(sample.audit_probability, return_inverse=True)
        present, of_listing = np.unique(2 * level.reshape(-1) + sample.accepted, return_inverse=True)
        of_listing = of_listing.reshape(-1).astype(np.int64)
        listings = np.bincount(of_listing, minlength=len(present))
        validated = np.bincount(of_listing[sample.validated], minlength=len(present))
        counts = sample.validated & (sample.drawn | (validated == listings)[of_listing])
        return cls(
            of_listing=of_listing,
            counts=counts,
            accepted=present % 2 == 1,
            audit_probability=levels[present // 2],
            listings=listings,
            labelled=np.bincount(of_listing[counts], minlength=len(present)),
            right=np.bincount(of_listing[counts & sample.right], minlength=len(present)),
        )

    @property
    def known(self) -> NDArray[np.bool_]:
        """``bool[H]``, whether every listing has a label."""
        return np.asarray(self.labelled == self.listings)

    @property
    def estimable(self) -> NDArray[np.bool_]:
        """``bool[H]``, whether the stratum or another one of its decision has a label."""
        seen = np.array([(self.labelled[self.accepted == decision] > 0).any() for decision in (False, True)])
        return np.asarray(seen[self.accepted.astype(np.int64)])

    @property
    def weights(self) -> NDArray[np.float64]:
        """For how many listings a label of the stratum stands, ``float64[H]``; 0 without a label.

        Labels of the other strata of a decision stand for one that has none.
        """
        weights = np.zeros(len(self.listings))
        for decision in (False, True):
            of_decision = self.accepted == decision
            seen = of_decision & (self.labelled > 0)
            total, reached = self.listings[of_decision].sum(), self.listings[seen].sum()
            weights[seen] = total / max(reached, 1) * self.listings[seen] / self.labelled[seen]
        return weights

    def rows(self, chosen: NDArray[np.bool_]) -> list[Stratum]:
        """The chosen strata, one by one."""
        columns = (self.listings[chosen], self.labelled[chosen], self.right[chosen])
        return [Stratum(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
