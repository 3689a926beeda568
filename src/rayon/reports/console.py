"""Tables for the terminal; they say the same without colour, and fit 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rayon.data.inspection import Inspection
from rayon.data.listings import Listing
from rayon.learning.explain import Explanation
from rayon.learning.figures import Evaluation
from rayon.learning.prediction import Prediction
from rayon.reports.html import MISSING, count, interval, number, percent
from rayon.reports.svg import short
from rayon.reports.words import plain_text

_BAR = 8
_MAX_WORDS = 8
_SHADES = " ░▒▓█"
_FIGURES = (
    ("weighted_f1", "weighted F1"),
    ("macro_f1", "macro F1"),
    ("accuracy", "accuracy"),
    ("log_loss", "log-loss"),
    ("ece", "calibration error"),
    ("coverage", "accepted"),
    ("accepted_precision", "right if accepted"),
)


def figures_table(modalities: Mapping[str, Mapping[str, Any]], title: str) -> Table:
    """Figures by modality, with their intervals below.

    Parameters
    ----------
    modalities
        By name, what `ModalityFigures.to_dict` gives.
    title
        What the figures are about.
    """
    table = _table(title)
    if len({figures["n"] for figures in modalities.values()}) > 1:
        table.caption = "Each is scored on the listings that have it; fused on all."
    table.add_column("")
    for name in modalities:
        table.add_column(name, justify="right")
    table.add_row("listings", *(count(figures["n"]) for figures in modalities.values()))
    for key, name in _FIGURES:
        ranges = [interval(figures.get("intervals", {}).get(key)) for figures in modalities.values()]
        table.add_row(name, *(number(figures[key]) for figures in modalities.values()))
        if any(ranges):
            table.add_row("", *(Text(ends, style="dim") for ends in ranges))
    return table


def evaluation_table(evaluation: Evaluation) -> RenderableType:
    """Figures by modality, then the weakest codes and the most frequent confusions."""
    modalities = {name: figures.to_dict() for name, figures in evaluation.modalities.items()}
    title = f"{count(evaluation.n)} listings, {len(evaluation.codes)} codes"
    parts: list[RenderableType] = [figures_table(modalities, title), _codes_table(evaluation)]
    if evaluation.confusions:
        parts.append(_confusions_table(evaluation))
    return Group(*parts)


def inspection_tables(inspection: Inspection) -> RenderableType:
    """What a catalogue holds: an overview, the codes, and what looks wrong."""
    overview = _table("Catalogue")
    overview.add_column("")
    overview.add_column("listings", justify="right")
    overview.add_column("share", justify="right")
    for name, n in _overview_rows(inspection):
        share = percent(n / inspection.listings) if inspection.listings else MISSING
        overview.add_row(Text(name), count(n), share)
    parts: list[RenderableType] = [overview]
    if inspection.codes:
        parts.append(_balance_table(inspection))
    if inspection.suspects:
        parts.append(_suspects_table(inspection))
    return Group(*parts)


def predictions_table(
    listings: Sequence[Listing], predictions: Sequence[Prediction], title: str = ""
) -> Table:
    """One row a listing: its title, its code, how sure, and what becomes of it.

    Parameters
    ----------
    listings, predictions
        As many of one as of the other, in the same order.
    title
        What the listings are.
    """
    table = _table(title)
    table.add_column("listing", ratio=5, no_wrap=True, overflow="ellipsis")
    table.add_column("pic", justify="center", width=3)
    table.add_column("code", ratio=5, no_wrap=True, overflow="ellipsis")
    table.add_column("sure", width=_BAR + 5, no_wrap=True)
    table.add_column("decision", ratio=4, no_wrap=True, overflow="ellipsis")
    table.expand = True
    for listing, prediction in zip(listings, predictions, strict=True):
        title_text = plain_text(listing.designation or listing.description) or "(no text)"
        picture = "yes" if listing.has_image else MISSING
        table.add_row(Text(short(title_text, 60)), picture, *_answer(prediction))
    return table


def explanation_view(prediction: Prediction, explanation: Explanation) -> RenderableType:
    """The answer for one listing, then the words, the region and the known listings behind it."""
    heading = Text.assemble(
        (f"{explanation.label} ", "bold"),
        f"({explanation.code})  " if explanation.label != explanation.code else " ",
        f"{percent(explanation.confidence)} sure, ",
        (_decision_words(prediction), _decision_style(prediction)),
    )
    alone = ", ".join(f"{name} alone {percent(share)}" for name, share in explanation.scores.items())
    parts: list[RenderableType] = [heading, Text(alone, style="dim")]
    if explanation.words:
        parts += [Text(""), _words_table(explanation)]
    if explanation.regions is not None:
        parts += [
            Text("Where in the picture (darker speaks for the code)", style="bold"),
            _region_map(explanation),
        ]
    if explanation.neighbours:
        parts += [Text(""), _neighbours_table(explanation)]
    return Group(*parts)


def confidence_bar(confidence: float, width: int = _BAR) -> str:
    """A share as a bar of characters."""
    full = round(max(0.0, min(1.0, confidence)) * width)
    return "█" * full + "░" * (width - full)


def _table(title: str) -> Table:
    return Table(title=Text(title) if title else None, box=SIMPLE_HEAD, title_justify="left", pad_edge=False)


def _answer(prediction: Prediction) -> tuple[Text, Text, Text]:
    if not prediction.code:
        return Text(MISSING), Text(MISSING), Text(short(prediction.error, 60), style="red")
    label = "" if prediction.label == prediction.code else f" {short(prediction.label, 40)}"
    code = Text.assemble((prediction.code, "bold"), label)
    sure = Text(f"{confidence_bar(prediction.confidence)} {100 * prediction.confidence:3.0f}%")
    return code, sure, Text(_decision_words(prediction), style=_decision_style(prediction))


def _decision_words(prediction: Prediction) -> str:
    if prediction.decision == "accept":
        return "accept"
    reason = prediction.reason.replace("_", " ")
    return f"review: {reason}" if reason else "review"


def _decision_style(prediction: Prediction) -> str:
    return "green" if prediction.decision == "accept" else "yellow"


def _codes_table(evaluation: Evaluation, limit: int = 10) -> Table:
    scored = [one for one in evaluation.per_code if one.support]
    weakest = sorted(scored, key=lambda one: one.f1 or 0)[:limit]
    table = _table("Weakest codes" if len(scored) > limit else "Codes")
    table.add_column("code", no_wrap=True, overflow="ellipsis", max_width=32)
    for name in ("listings", "precision", "recall", "F1"):
        table.add_column(name, justify="right")
    for one in weakest:
        figures = (number(one.precision, 2), number(one.recall, 2), number(one.f1, 2))
        table.add_row(_named(one.code, one.label), count(one.support), *figures)
    return table


def _confusions_table(evaluation: Evaluation, limit: int = 8) -> Table:
    labels = {one.code: one.label for one in evaluation.per_code}
    table = _table("Most frequent confusions")
    table.add_column("true code", no_wrap=True, overflow="ellipsis", max_width=28)
    table.add_column("taken for", no_wrap=True, overflow="ellipsis", max_width=28)
    table.add_column("listings", justify="right")
    table.add_column("share", justify="right")
    for one in evaluation.confusions[:limit]:
        names = _named(one.true, labels[one.true]), _named(one.predicted, labels[one.predicted])
        table.add_row(*names, count(one.n), percent(one.share, 0))
    return table


def _overview_rows(inspection: Inspection) -> list[tuple[str, int]]:
    rows = [("usable", inspection.listings), ("rejected rows", inspection.rejected_rows)]
    rows += [("rows with warnings", inspection.warning_rows)]
    rows += [(f"without {name}", n) for name, n in inspection.missing.items() if n]
    rows += [(f"language: {name}", n) for name, n in inspection.languages.items()]
    for name, found in (("text", inspection.text_duplicates), ("picture", inspection.image_duplicates)):
        if found is not None:
            rows += [(f"same {name} as another", found.exact_listings)]
            rows += [(f"nearly the same {name}", found.near_listings)]
            rows += [(f"nearly the same {name}, different codes", found.conflicting_listings)]
    if inspection.unreadable_images is not None:
        rows.append(("unreadable picture", inspection.unreadable_images))
    if inspection.suspect_labels is not None:
        rows.append(("label looks wrong", inspection.suspect_labels))
    return rows


def _balance_table(inspection: Inspection) -> Table:
    counts = sorted(inspection.codes or [], key=lambda one: -one.n)
    largest = max((one.n for one in counts), default=1)
    table = _table(f"{len(counts)} codes")
    table.add_column("code", no_wrap=True, overflow="ellipsis", max_width=40)
    table.add_column("listings", justify="right")
    table.add_column("")
    for one in counts:
        table.add_row(_named(one.code, one.label), count(one.n), "█" * max(1, round(20 * one.n / largest)))
    return table


def _suspects_table(inspection: Inspection, limit: int = 10) -> Table:
    table = _table("Labels that look wrong")
    table.add_column("listing", no_wrap=True, overflow="ellipsis", max_width=30)
    table.add_column("label", no_wrap=True, overflow="ellipsis", max_width=22)
    table.add_column("rather", no_wrap=True, overflow="ellipsis", max_width=22)
    for one in inspection.suspects[:limit]:
        title = short(plain_text(one.listing.designation), 40) or one.listing.place
        names = _named(one.given, one.given_label), _named(one.suggested, one.suggested_label)
        table.add_row(Text(title), *names)
    return table


def _words_table(explanation: Explanation) -> Table:
    ranked = sorted(explanation.words, key=lambda word: -word.weight)
    sides = [word for word in ranked if word.weight > 0], [word for word in ranked[::-1] if word.weight < 0]
    table = _table("Words")
    table.add_column("for", no_wrap=True, overflow="ellipsis", max_width=28)
    table.add_column("", justify="right")
    table.add_column("against", no_wrap=True, overflow="ellipsis", max_width=28)
    table.add_column("", justify="right")
    for row in range(min(_MAX_WORDS, max(len(side) for side in sides))):
        cells: list[Text] = []
        for side in sides:
            word = side[row] if row < len(side) else None
            cells += (
                [Text(short(word.word, 40)), Text(f"{word.weight:+.2f}")] if word else [Text(""), Text("")]
            )
        table.add_row(*cells)
    return table


def _region_map(explanation: Explanation) -> Text:
    regions = explanation.regions or ()
    largest = max((weight for row in regions for weight in row), default=0.0)
    lines = []
    for row in regions:
        shares = [max(0.0, weight) / largest if largest > 0 else 0.0 for weight in row]
        lines.append("  " + "".join(_SHADES[round(share * (len(_SHADES) - 1))] * 2 for share in shares))
    return Text("\n".join(lines))


def _neighbours_table(explanation: Explanation) -> Table:
    table = _table("Nearest known listings")
    table.add_column("code", no_wrap=True)
    table.add_column("title", no_wrap=True, overflow="ellipsis")
    table.add_column("alike", justify="right")
    for one in explanation.neighbours:
        table.add_row(
            Text(one.code), Text(short(plain_text(one.title), 60) or "(no title)"), f"{one.similarity:.2f}"
        )
    return table


def _named(code: str, label: str) -> Text:
    return Text(short(code if code == label else f"{code} {label}", 40))
