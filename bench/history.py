"""A long history: a database with many predictions that nobody has made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random
from uuid import UUID

from sqlalchemy import insert

from rayon.data.listings import Listing
from rayon.data.sampling.recipes import new_recipe
from rayon.data.sampling.text import write_texts
from rayon.data.taxonomy import Taxonomy
from rayon.operations.near_key import near_key
from rayon.store.database import Database
from rayon.store.predictions import Queue, StoredPrediction, add_predictions
from rayon.store.tables import validations

PREDICTIONS, WAITING = 200_000, 10_000

_TEXTS = 20_000
_AT_ONCE = 5000
_AUDIT_SHARE = 0.01
_VALIDATED_SHARE = 0.05
_WRONG_SHARE = 0.2
_EVERY = timedelta(seconds=30)
"""How often one was asked for, as far as the database can tell; the last one just now."""


def fill(
    database: Database,
    n: int = PREDICTIONS,
    waiting: int = WAITING,
    user_ids: Sequence[str | None] = (None,),
    models: Sequence[str] = ("a" * 64, "b" * 64),
    images: Sequence[str | None] = (None,),
    seed: int = 0,
) -> None:
    """Fill a database with plausible predictions.

    Parameters
    ----------
    database
        Its tables are made.
    n, waiting
        How many predictions, and how many of them wait for a person.
    user_ids
        Who asked, each for as many.
    models
        The versions of the models that answered, one after the other, each as many.
    images
        Pictures that are drawn from, by their SHA-256; ``None`` is a listing without.
    seed
        Of all that is drawn.
    """
    rows = _predictions(n, waiting, user_ids, models, images, Random(seed))  # nothing is secret
    while part := list(islice(rows, _AT_ONCE)):
        with database.write() as connection:
            add_predictions(connection, part)
            if said := [_word(one, user_ids[0]) for one in part if one.validated_at]:
                connection.execute(insert(validations), said)


def _word(one: StoredPrediction, user_id: str | None) -> dict[str, object]:
    """What somebody said of a prediction."""
    return {
        "prediction_id": one.id,
        "user_id": user_id,
        "at": one.validated_at,
        "verdict": "right" if one.true_code == one.code else "wrong",
        "code": one.true_code,
        "comment": "",
    }


def _predictions(
    n: int,
    waiting: int,
    user_ids: Sequence[str | None],
    models: Sequence[str],
    images: Sequence[str | None],
    rng: Random,
) -> Iterator[StoredPrediction]:
    taxonomy = Taxonomy.rakuten_france()
    codes = taxonomy.codes
    texts = [
        (code, *write_texts(new_recipe(code, str(key))))
        for key in range(_TEXTS)
        for code in [rng.choice(codes)]
    ]
    ranks: dict[str | None, int] = {}
    queued = set(rng.sample(range(n), waiting))
    now = datetime.now(UTC)
    for number in range(n):
        code, designation, description = rng.choice(texts)
        listing = Listing(designation, description, None, str(rng.randrange(10**9, 10**10)), str(number))
        at = now - (n - number) * _EVERY
        confidence = rng.betavariate(1.2, 1.2) if number in queued else rng.betavariate(20, 1)
        validated = number not in queued and rng.random() < _VALIDATED_SHARE
        true_code = (rng.choice(codes) if rng.random() < _WRONG_SHARE else code) if validated else None
        key = near_key(listing, None) if number in queued else None
        rank = ranks.get(key, -1) + 1
        ranks[key] = rank
        yield StoredPrediction(
            id=_id(at, rng),
            created_at=at,
            user_id=user_ids[number % len(user_ids)],
            designation=designation,
            description=description,
            productid=listing.productid,
            imageid=listing.imageid,
            image=rng.choice(images),
            code=code,
            label=taxonomy.label(code),
            confidence=confidence,
            decision="review" if number in queued or validated else "accept",
            reason="below_threshold" if number in queued or validated else "confident",
            threshold=0.7,
            modalities=["text"],
            degraded=False,
            alternatives=[
                {"code": other, "label": taxonomy.label(other), "confidence": (1 - confidence) / 8}
                for other in rng.sample(codes, 4)
            ],
            scores={"text": {"code": code, "label": taxonomy.label(code), "confidence": confidence}},
            error="",
            model_version=models[number * len(models) // n],
            queued_for=_queue(rng) if number in queued or validated else None,
            audit_probability=_AUDIT_SHARE,
            validated_at=at + _EVERY if validated else None,
            true_code=true_code,
            priority=(1 - confidence) / (1 + rank) if number in queued else None,
            near_key=key,
            near_rank=rank if number in queued else None,
        )


def _queue(rng: Random) -> Queue:
    return "audit" if rng.random() < 0.1 else "review"


def _id(at: datetime, rng: Random) -> str:
    """An identifier as it would have been made then."""
    value = int(at.timestamp() * 1000) << 80 | rng.getrandbits(80)
    value = value & ~(0xF << 76) | 7 << 76
    return str(UUID(int=value & ~(0x3 << 62) | 0b10 << 62))
