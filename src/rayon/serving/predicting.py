"""Listings to stored predictions, within the time that whoever asks is ready to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool

from rayon.data.listings import Listing
from rayon.errors import ListingError, OverloadedError
from rayon.serving.services import Services
from rayon.store.accounts import User
from rayon.store.predictions import StoredPrediction


async def predict_listing(served: Services, listing: Listing, user: User) -> StoredPrediction:
    """Classify one listing for a user, and store the prediction.

    Raises
    ------
    ListingError
        When there is nothing in it to classify.
    OverloadedError
        As in `predict_listings`.
    """
    (stored,) = await predict_listings(served, [listing], user)
    if not stored.code:
        raise ListingError(
            f"The listing cannot be classified: {stored.error}",
            "Send a title, a description or a picture that can be used",
        )
    return stored


async def predict_listings(
    served: Services, listings: Sequence[Listing], user: User
) -> list[StoredPrediction]:
    """Classify listings for a user, and store what was answered; one without a code is not stored.

    Raises
    ------
    OverloadedError
        When too many listings wait already, or no answer comes in time.
    """
    served.predictions.refuse_if_full(len(listings))  # before their pictures are kept
    prepare = served.recorder.prepare
    if any(listing.image is not None for listing in listings):
        questions = await run_in_threadpool(lambda: [prepare(listing) for listing in listings])
    else:
        questions = [prepare(listing) for listing in listings]
    future = served.predictions.submit(questions, user.id)
    try:
        stored = await asyncio.wait_for(asyncio.wrap_future(future), served.deadline)
    except TimeoutError:
        raise OverloadedError(
            f"No answer came within {served.deadline:g} s", "Try again in a moment"
        ) from None
    served.metrics.count_rejected_images(
        sum(one.listing.has_image and one.image is None for one in questions)
    )
    return stored
