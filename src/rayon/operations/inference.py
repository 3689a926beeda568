"""Catalogues to answers: in bounded memory, a part at a time, and resumable after any interruption.

Finished parts lie in a folder beside the results. A part appears by an atomic rename once it is on the disk,
so whatever is there is whole; the parts are joined at the end and then removed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from rayon.data.catalogue import Catalogue, Row, open_catalogue
from rayon.errors import OutputError
from rayon.learning.modalities import IMAGE
from rayon.learning.model import ProductClassifier
from rayon.learning.prediction import Prediction
from rayon.operations.results import ResultFormat, assemble, check_target

PART_ROWS = 2048
"""Rows of a part: what an interruption costs at the most, and what is in memory at a time."""


@dataclass(frozen=True, slots=True)
class ClassifySummary:
    """What a run of `classify_catalogues` did.

    Parameters
    ----------
    rows
        All rows of the results.
    accepted, review, failed
        Rows by outcome; they add up to ``rows``.
    missing_images
        Rows that name a picture which is not there, where the model looks at pictures.
    resumed
        Rows that an earlier, interrupted run had finished.
    out
        The file of results.
    """

    rows: int
    accepted: int
    review: int
    failed: int
    missing_images: int
    resumed: int
    out: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return asdict(self)


def classify_catalogues(
    model: ProductClassifier,
    inputs: Sequence[Path],
    out: Path,
    *,
    form: ResultFormat = "rayon",
    images: Path | None = None,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
    resume: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> ClassifySummary:
    """Classify every row of the inputs into one file of results.

    Parameters
    ----------
    model
        A classifier that was loaded from a folder; a run is only resumed with the very same version.
    inputs
        Catalogues, joined in the given order.
    out
        Results: ``.csv``, ``.parquet`` or ``.jsonl``.
    form
        ``"rayon"``, or ``"challenge"`` for its submission file.
    images, columns, encoding
        As for `open_catalogue`.
    resume
        Go on where an interrupted run over the same inputs stopped.
    progress
        Told how many rows are done, and how many there are (in text files, at the most).

    Raises
    ------
    CatalogueError
        When an input cannot be read as a whole.
    OutputError
        When results cannot be written; finished parts are kept for ``resume``.
    """
    check_target(out, form, inputs)
    catalogues = [open_catalogue(path, columns=columns, images=images, encoding=encoding) for path in inputs]
    journal = _Journal(out, _run_identity(model.version_, catalogues, form), resume)
    ids = list(dict.fromkeys(name for catalogue in catalogues for name in catalogue.id_fields))
    looks = IMAGE in model.parts_
    missing = 0
    done, expected = 0, sum(catalogue.size for catalogue in catalogues)
    try:
        for number, rows in enumerate(_parts(catalogues)):
            if not journal.has(number):
                journal.write(number, [_answer_line(row, p) for row, p in _answers(model, rows)])
            done += journal.count(number)
            missing += sum(_lacks_its_picture(row) for row in rows) if looks else 0
            if progress is not None:
                progress(done, max(done, expected))
        if progress is not None:
            progress(done, done)
        summary = journal.summary(str(out), missing)
        assemble(journal.parts(), out, ids, form)
    except OSError as error:
        raise OutputError(
            f"The results {out} cannot be written ({error.strerror})",
            "Make room or mend the permissions, then run again with --resume",
        ) from None
    journal.remove()
    return summary


def _parts(catalogues: Sequence[Catalogue]) -> Iterator[list[Row]]:
    rows = (row for catalogue in catalogues for row in catalogue.rows(codes=False))
    while part := list(islice(rows, PART_ROWS)):
        yield part


def _lacks_its_picture(row: Row) -> bool:
    return row.listing is not None and bool(row.listing.imageid) and row.listing.image is None


def _answers(model: ProductClassifier, rows: Sequence[Row]) -> Iterator[tuple[Row, Prediction | None]]:
    listings = [row.listing for row in rows if row.listing is not None]
    predictions = iter(model.decide(listings))
    for row in rows:
        yield row, (next(predictions) if row.listing is not None else None)


def _answer_line(row: Row, prediction: Prediction | None) -> dict[str, Any]:
    if prediction is None:
        prediction = Prediction("", "", 0.0, "review", "error", None, (), error=row.error or "unreadable row")
    return {
        "ids": dict(row.ids),
        "code": prediction.code,
        "label": prediction.label,
        "confidence": prediction.confidence,
        "decision": prediction.decision,
        "reason": prediction.reason,
        "modalities": list(prediction.modalities),
        "alternatives": [asdict(alternative) for alternative in prediction.alternatives],
        "error": prediction.error or row.error or row.warning or "",
    }


def _run_identity(model_fingerprint: str, catalogues: Sequence[Catalogue], form: ResultFormat) -> str:
    digest = hashlib.sha256(f"{model_fingerprint} {form} {PART_ROWS}".encode())
    for catalogue in catalogues:
        digest.update(catalogue.fingerprint().encode())
    return digest.hexdigest()


class _Journal:
    """The finished parts of one run, in a folder beside its results."""

    def __init__(self, out: Path, identity: str, resume: bool) -> None:
        self.folder = out.with_name(f"{out.name}.parts")
        self._counts: dict[int, dict[str, int]] = {}
        self._resumed = 0
        if self.folder.exists() and not (resume and self._identity() == identity):
            shutil.rmtree(self.folder)
        try:
            self.folder.mkdir(exist_ok=True)
            _write_durably(self.folder / "run.json", json.dumps({"run": identity}))
        except OSError as error:
            raise OutputError(
                f"The results {out} cannot be written ({error.strerror})",
                "Check the permissions and the free space",
            ) from None
        for part in self.parts():
            self._counts[int(part.stem.removeprefix("part-"))] = _count(part)
        self._resumed = sum(sum(counts.values()) for counts in self._counts.values())

    def has(self, number: int) -> bool:
        return number in self._counts

    def write(self, number: int, lines: Sequence[Mapping[str, Any]]) -> None:
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        part = self.folder / f"part-{number:06d}.jsonl"
        _write_durably(part, text)
        self._counts[number] = _count(part)

    def parts(self) -> list[Path]:
        return sorted(self.folder.glob("part-*.jsonl"))

    def count(self, number: int) -> int:
        """Rows of the part of this number."""
        return sum(self._counts[number].values())

    def summary(self, out: str, missing_images: int) -> ClassifySummary:
        total = {key: sum(c[key] for c in self._counts.values()) for key in ("accept", "review", "failed")}
        return ClassifySummary(
            sum(total.values()),
            total["accept"],
            total["review"],
            total["failed"],
            missing_images,
            self._resumed,
            out,
        )

    def remove(self) -> None:
        # The identity goes first: what is left of a half removed journal is never taken up again.
        (self.folder / "run.json").unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _identity(self) -> str | None:
        try:
            return str(json.loads((self.folder / "run.json").read_text(encoding="utf-8"))["run"])
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _count(part: Path) -> dict[str, int]:
    counts = {"accept": 0, "review": 0, "failed": 0}
    with part.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            counts[row["decision"] if row["code"] else "failed"] += 1
    return counts


def _write_durably(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.tmp")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
