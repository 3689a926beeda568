"""Feedback becomes data: validated predictions as a labelled catalogue to train on."""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rayon.data.catalogue import open_catalogue
from rayon.data.columns import CODE, IMAGE
from rayon.data.duplicates import duplicate_groups
from rayon.data.listings import Listing
from rayon.errors import CatalogueError, NotFoundError, OutputError
from rayon.store.database import Database
from rayon.store.images import ImageStore
from rayon.store.predictions import StoredPrediction, validated_predictions

CATALOGUE_FILE, ASIDE_FILE, SUMMARY_FILE = "listings.jsonl", "set-aside.csv", "snapshot.json"
_FOR_THE_GOLDEN_SET = "drawn by the random audit, so it is for the golden set"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What `take_snapshot` wrote.

    Parameters
    ----------
    catalogue
        The file to train on.
    listings
        How many there are in it.
    set_aside
        Validated predictions that are not in it, by reason; each is named in the file beside it.
    fingerprint
        SHA-256, in hexadecimal, of the catalogue.
    """

    catalogue: str
    listings: int
    set_aside: dict[str, int]
    fingerprint: str


def take_snapshot(
    database: Database,
    images: ImageStore,
    out: Path,
    training: tuple[Sequence[Listing], Sequence[str]],
    golden: Sequence[Listing],
) -> Snapshot:
    """Write validated predictions as a catalogue, each product once and with one code.

    Set aside, with a reason: what the random audit drew, what looks like a golden listing, what the training
    data has already or contradicts, and what people do not agree about.

    Parameters
    ----------
    database, images
        Where the predictions and their pictures are.
    out
        The folder to make.
    training
        Listings that models learn from anyway, and their codes.
    golden
        Listings that none may learn from.

    Raises
    ------
    CatalogueError
        When no validated prediction is left.
    OutputError
        When the folder is in the way, or cannot be written; nothing half made stays behind.
    """
    if out.exists():
        raise OutputError(f"{out} is in the way", "Choose another folder")
    with database.snapshot() as connection:
        rows = validated_predictions(connection)
    reasons = _sort_out(rows, images, training, golden)
    kinds = Counter(_kind(reason) for reason in reasons.values() if reason is not None)
    if kinds.total() == len(rows):
        why = "; ".join(f"{reason} ({n:,})" for reason, n in sorted(kinds.items()))
        raise CatalogueError(
            "There is nothing to learn from", why or "Validate predictions first; the review queue has some"
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
            draft = Path(scratch) / out.name
            (draft / "images").mkdir(parents=True)
            _write_catalogue(draft, [row for row in rows if reasons[row.id] is None], images)
            _write_set_aside(draft, rows, reasons)
            made = Snapshot(
                str(out / CATALOGUE_FILE),
                sum(reason is None for reason in reasons.values()),
                dict(sorted(kinds.items())),
                open_catalogue(draft / CATALOGUE_FILE).fingerprint(),
            )
            (draft / SUMMARY_FILE).write_text(json.dumps(asdict(made), indent=1) + "\n", encoding="utf-8")
            draft.rename(out)
    except (OSError, shutil.Error) as error:
        raise OutputError(
            f"The snapshot {out} cannot be written ({error})", "Check the permissions and the free space"
        ) from None
    return made


def _sort_out(
    rows: Sequence[StoredPrediction],
    images: ImageStore,
    training: tuple[Sequence[Listing], Sequence[str]],
    golden: Sequence[Listing],
) -> dict[str, str | None]:
    """Why each prediction is set aside, by its id; ``None`` where it is not."""
    reasons: dict[str, str | None] = {
        row.id: _FOR_THE_GOLDEN_SET if row.queued_for == "audit" else None for row in rows
    }
    offered = [row for row in rows if reasons[row.id] is None]
    listings = [_listing(row, images) for row in offered]
    groups = duplicate_groups([*golden, *training[0], *listings]).tolist()
    start, known = len(golden), len(golden) + len(training[0])
    is_golden = set(groups[:start])
    taught: dict[int, set[str]] = {}
    for group, code in zip(groups[start:known], training[1], strict=True):
        taught.setdefault(group, set()).add(code)
    said: dict[int, set[str]] = {}
    for group, row in zip(groups[known:], offered, strict=True):
        said.setdefault(group, set()).add(str(row.true_code))
    taken: set[int] = set()
    for group, row in zip(groups[known:], offered, strict=True):
        if group in is_golden:
            reasons[row.id] = "looks like a golden listing"
        elif group in taught:
            same = str(row.true_code) in taught[group]
            codes = ", ".join(sorted(taught[group]))
            reasons[row.id] = "in the training data already" if same else f"training data disagrees: {codes}"
        elif len(said[group]) > 1:
            reasons[row.id] = f"people disagree: {', '.join(sorted(said[group]))}"
        elif group in taken:
            reasons[row.id] = "looks like another that is taken"
        taken.add(group)
    return reasons


def _kind(reason: str) -> str:
    return reason.partition(":")[0]


def _listing(row: StoredPrediction, images: ImageStore) -> Listing:
    return Listing(row.designation, row.description, _picture(row, images), row.productid, row.imageid)


def _picture(row: StoredPrediction, images: ImageStore) -> bytes | None:
    try:
        return None if row.image is None else images.get(row.image)
    except NotFoundError:
        return None


def _write_catalogue(folder: Path, rows: Sequence[StoredPrediction], images: ImageStore) -> None:
    with (folder / CATALOGUE_FILE).open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(_line(folder, row, images), ensure_ascii=False) + "\n")


def _line(folder: Path, row: StoredPrediction, images: ImageStore) -> dict[str, str]:
    names = ("designation", "description", "productid", "imageid")
    line = {name: str(getattr(row, name)) for name in names} | {CODE: str(row.true_code), IMAGE: ""}
    picture = _picture(row, images)
    if picture is not None:
        line[IMAGE] = f"images/{row.image}.jpg"
        (folder / line[IMAGE]).write_bytes(picture)
    return line


def _write_set_aside(folder: Path, rows: Sequence[StoredPrediction], reasons: dict[str, str | None]) -> None:
    def lines() -> Iterator[tuple[str, str, str, str]]:
        for row in rows:
            reason = reasons[row.id]
            if reason is not None:
                yield row.id, row.designation, str(row.true_code), reason

    with (folder / ASIDE_FILE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("prediction_id", "designation", CODE, "reason"))
        writer.writerows(lines())
