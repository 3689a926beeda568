"""The golden set: labelled listings that no model may learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select

from rayon.store.predictions import PREDICTION_COLUMNS, StoredPrediction
from rayon.store.tables import golden_listings, predictions


@dataclass(frozen=True, slots=True)
class GoldenListing:
    """A listing with its true code.

    Parameters
    ----------
    image
        SHA-256 of the picture in hexadecimal digits; ``None`` where there is none.
    code
        The true one.
    prediction_id
        The audited prediction that it comes from; ``None`` where it was held out of the first training.
    user_id
        Who had asked for that prediction.
    """

    added_at: datetime
    designation: str
    description: str
    productid: str
    imageid: str
    image: str | None
    code: str
    prediction_id: str | None = None
    user_id: str | None = None


_COLUMNS = tuple(golden_listings.c[name] for name in GoldenListing.__slots__)


def add_golden(connection: Connection, rows: Sequence[GoldenListing]) -> None:
    """Add listings; the database refuses a prediction that is there already (`IntegrityError`)."""
    if rows:
        connection.execute(insert(golden_listings), [asdict(row) for row in rows])


def list_golden(connection: Connection) -> list[GoldenListing]:
    """All of them, in the order in which they were added."""
    query = select(*_COLUMNS).order_by(golden_listings.c.id)
    return [GoldenListing(*row) for row in connection.execute(query)]


def count_golden(connection: Connection) -> int:
    """How many there are."""
    return int(connection.execute(select(func.count()).select_from(golden_listings)).scalar_one())


def audited_elsewhere(connection: Connection) -> list[StoredPrediction]:
    """Predictions that the random audit drew, a person validated, and the golden set does not have."""
    known = select(golden_listings.c.prediction_id).where(golden_listings.c.prediction_id == predictions.c.id)
    query = (
        select(*PREDICTION_COLUMNS)
        .where(
            predictions.c.queued_for == "audit",
            predictions.c.validated_at.is_not(None),
            ~known.exists(),
        )
        .order_by(predictions.c.id)
    )
    return [StoredPrediction(*row) for row in connection.execute(query)]


def erase_golden(connection: Connection, productid: str | None, user_id: str | None) -> list[GoldenListing]:
    """Erase the listings of a product or those that a user had asked for, and give them a last time."""
    column, wanted = (
        (golden_listings.c.productid, productid) if user_id is None else (golden_listings.c.user_id, user_id)
    )
    query = select(*_COLUMNS).where(column == wanted).order_by(golden_listings.c.id)
    found = [GoldenListing(*row) for row in connection.execute(query)]
    connection.execute(delete(golden_listings).where(column == wanted))
    return found
