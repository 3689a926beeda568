"""The figures of an evaluation as plain text, for terminals, mails and files."""

from __future__ import annotations

from rayon.learning.figures import Evaluation
from rayon.reports.html import count, interval, number, percent
from rayon.reports.promise import judge
from rayon.reports.svg import short

_LABEL_WIDTH = 31
_MAX_CONFUSIONS = 10


def evaluation_text(
    evaluation: Evaluation,
    *,
    title: str = "Evaluation",
    promised: float | None = None,
    promise_note: str = "",
    warning: str = "",
) -> str:
    """The figures in at most 80 columns, laid out like scikit-learn's classification report."""
    verdict = judge(evaluation, promised, promise_note, warning)
    lines = [short(title, 80), "=" * len(short(title, 80)), "", verdict.sentence, *_wrap(verdict.detail), ""]
    lines += _modalities(evaluation)
    lines += ["", *_per_code(evaluation)]
    lines += ["", *_confusions(evaluation)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _modalities(evaluation: Evaluation) -> list[str]:
    names = list(evaluation.modalities)
    rows = [["", *names]]
    rows.append(["listings", *(count(evaluation.modalities[name].n) for name in names)])
    for figure in (
        "weighted_f1",
        "macro_f1",
        "accuracy",
        "log_loss",
        "ece",
        "coverage",
        "accepted_precision",
    ):
        values = [number(getattr(evaluation.modalities[name], figure)) for name in names]
        rows.append(
            [figure.replace("_", " ").replace("f1", "F1").replace("ece", "calibration error"), *values]
        )
        ranges = [interval(evaluation.modalities[name].intervals.get(figure)) for name in names]
        if any(ranges):
            rows.append(["", *ranges])
    return [f"{row[0]:<20}" + "".join(f"{short(cell, 17):>18}" for cell in row[1:]) for row in rows]


def _per_code(evaluation: Evaluation) -> list[str]:
    columns = f"{'precision':>9} {'recall':>7} {'f1':>6} {'95 % of f1':>13} {'listings':>9}"
    heading = f"{'code':<{_LABEL_WIDTH}} {columns}"
    lines = [heading, "-" * len(heading)]
    for one in sorted(evaluation.per_code, key=lambda code: -code.support):
        code = short(one.code, 10)
        name = (
            code
            if one.label == one.code
            else f"{code:<5} {short(one.label, _LABEL_WIDTH - 1 - max(5, len(code)))}"
        )
        lines.append(
            f"{name:<{_LABEL_WIDTH}} {number(one.precision):>9} {number(one.recall):>7} {number(one.f1):>6} "
            f"{interval(one.f1_interval, 2):>13} {count(one.support):>9}"
        )
    return lines


def _confusions(evaluation: Evaluation) -> list[str]:
    if not evaluation.confusions:
        return ["No listing was given a wrong code."]
    labels = {one.code: one.label for one in evaluation.per_code}
    heading = f"{'true code':<30} {'taken for':<30} {'listings':>8} {'share':>7}"
    lines = [heading, "-" * len(heading)]
    for one in evaluation.confusions[:_MAX_CONFUSIONS]:
        true, predicted = (
            short(code if labels[code] == code else f"{code} {labels[code]}", 30)
            for code in (one.true, one.predicted)
        )
        lines.append(f"{true:<30} {predicted:<30} {count(one.n):>8} {percent(one.share, 0):>7}")
    return lines


def _wrap(sentence: str) -> list[str]:
    lines = [""]
    for word in sentence.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > 80:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
