"""The report of an evaluation: one page for people, and the same figures as plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from rayon import __version__
from rayon.data.listings import Listing
from rayon.learning.figures import CodeFigures, Evaluation
from rayon.reports.html import render_page, write_file
from rayon.reports.pictures import thumbnail
from rayon.reports.plots import confusion_plot, coverage_plot, reliability_plot
from rayon.reports.promise import Verdict, judge
from rayon.reports.text import evaluation_text
from rayon.reports.words import plain_text

MAX_CONFUSIONS = 20
"""Pairs of codes that the page lists."""

MAX_MISTAKES = 24
"""Mistakes that the page shows, so that it stays small whatever it is given."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A listing that got a wrong code.

    Parameters
    ----------
    listing
        The listing, with its picture.
    true, predicted
        The two codes.
    confidence
        How sure the model was of the wrong one, 0 to 1.
    true_label, predicted_label
        Readable labels; those of the evaluation where they are empty.
    accepted
        Whether it was accepted without review; ``None`` where that is not known.
    """

    listing: Listing
    true: str
    predicted: str
    confidence: float
    true_label: str = ""
    predicted_label: str = ""
    accepted: bool | None = None


def find_worst_mistakes(
    listings: Sequence[Listing],
    fused: NDArray[np.float64],
    true_codes: Sequence[str],
    codes: Sequence[str],
    accepted: NDArray[np.bool_] | None = None,
    limit: int = MAX_MISTAKES,
) -> list[Mistake]:
    """The errors that the model was surest of, surest first.

    Parameters
    ----------
    listings, true_codes
        N listings and their codes.
    fused
        ``[N, K]``, what the model answers; listings with a row of NaN are left out.
    codes
        The K codes, in the order of the columns.
    accepted
        ``bool[N]``, the decisions.
    limit
        How many at most.
    """
    answered = np.asarray(np.isfinite(fused).all(axis=1))
    confidence = np.where(answered, fused.max(axis=1, initial=0), -1.0)
    mistakes: list[Mistake] = []
    for index in np.argsort(-confidence, kind="stable").tolist():
        if len(mistakes) == limit or not answered[index]:
            break
        predicted = codes[int(fused[index].argmax())]
        if predicted != true_codes[index]:
            decision = None if accepted is None else bool(accepted[index])
            mistakes.append(
                Mistake(
                    listings[index],
                    true_codes[index],
                    predicted,
                    float(confidence[index]),
                    accepted=decision,
                )
            )
    return mistakes


def write_evaluation_report(
    folder: Path,
    evaluation: Evaluation,
    *,
    title: str = "Evaluation",
    subtitle: str = "",
    promised: float | None = None,
    promise_note: str = "",
    warning: str = "",
    facts: Mapping[str, str] | None = None,
    worst_mistakes: Sequence[Mistake] = (),
) -> list[Path]:
    """Write ``report.html`` and ``report.txt``.

    Parameters
    ----------
    folder
        Made where it is missing; older reports in it are replaced.
    evaluation
        The figures.
    title, subtitle
        What was evaluated, in a few words.
    promised
        Promised precision of the accepted listings, 0 to 1; ``None`` where nothing was promised.
    promise_note
        What the decision policy has to say, such as why nothing can be accepted.
    warning
        Why the figures prove nothing about the promise; empty where they do.
    facts
        More to know about the model and the data, by name.
    worst_mistakes
        Shown with their pictures; the first `MAX_MISTAKES` of them.

    Returns
    -------
    list of Path
        The files, the page first.

    Raises
    ------
    OutputError
        When they cannot be written.
    """
    folder = Path(folder)
    verdict = judge(evaluation, promised, promise_note, warning)
    page = _page(evaluation, title, subtitle, promised, verdict, dict(facts or {}), worst_mistakes)
    files = {
        folder / "report.html": page,
        folder / "report.txt": evaluation_text(
            evaluation, title=title, promised=promised, promise_note=promise_note, warning=warning
        ),
    }
    for path, text in files.items():
        write_file(path, text)
    return list(files)


def _page(
    evaluation: Evaluation,
    title: str,
    subtitle: str,
    promised: float | None,
    verdict: Verdict,
    facts: dict[str, str],
    mistakes: Sequence[Mistake],
) -> str:
    labels = {one.code: one.label for one in evaluation.per_code}
    shown = [_mistake_view(one, labels) for one in mistakes[:MAX_MISTAKES]]
    return render_page(
        "evaluation.html.j2",
        title=title,
        subtitle=subtitle,
        facts=facts,
        version=__version__,
        sections=_sections(bool(shown)),
        evaluation=evaluation,
        fused=evaluation.fused,
        labels=labels,
        verdict=verdict,
        promised=promised,
        codes=by_support(evaluation.per_code),
        confusions=evaluation.confusions[:MAX_CONFUSIONS],
        mistakes=shown,
        plots=_plots(evaluation, promised, labels),
    )


def by_support(per_code: Sequence[CodeFigures]) -> list[CodeFigures]:
    """The codes that most listings have first."""
    return sorted(per_code, key=lambda one: -one.support)


def _plots(evaluation: Evaluation, promised: float | None, labels: Mapping[str, str]) -> dict[str, Markup]:
    fused = evaluation.fused
    operating = None
    if fused.coverage is not None and fused.accepted_precision is not None:
        operating = (fused.coverage, fused.accepted_precision)
    names = [labels[code] for code in evaluation.codes]
    return {
        "reliability": reliability_plot(evaluation.reliability),
        "coverage": coverage_plot(evaluation.coverage_curve, promised, operating),
        "confusion": confusion_plot(evaluation.matrix, evaluation.codes, names),
    }


def _sections(has_mistakes: bool) -> list[tuple[str, str]]:
    sections = [
        ("modalities", "Modalities"),
        ("confidence", "Confidence and coverage"),
        ("codes", "Codes"),
        ("confusions", "Confusions"),
    ]
    return [*sections, ("mistakes", "Worst mistakes")] if has_mistakes else sections


def _mistake_view(mistake: Mistake, labels: Mapping[str, str]) -> dict[str, Any]:
    return {
        "title": plain_text(mistake.listing.designation),
        "description": plain_text(mistake.listing.description),
        "has_image": mistake.listing.has_image,
        "picture": thumbnail(mistake.listing.image),
        "true": mistake.true,
        "true_label": mistake.true_label or labels.get(mistake.true, mistake.true),
        "predicted": mistake.predicted,
        "predicted_label": mistake.predicted_label or labels.get(mistake.predicted, mistake.predicted),
        "confidence": mistake.confidence,
        "accepted": mistake.accepted,
    }
