"""The page of monitoring: what it says first, what it leaves out, and that nothing in it runs."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from rayon.data.loading import read_catalogue
from rayon.errors import OutputError
from rayon.learning.curves import reliability_curve
from rayon.learning.drift import DriftReport, judge_drift, pair_signals
from rayon.learning.histograms import Histogram, SignalCounts, interval_labels
from rayon.learning.live_estimates import estimate_live
from rayon.learning.live_sample import LiveSample
from rayon.learning.model import ProductClassifier
from rayon.learning.promise import promise_check
from rayon.learning.reference import OTHERS, SURE
from rayon.learning.signals import PARTS
from rayon.operations.live_window import LiveWindow
from rayon.operations.monitoring import BEFORE, TRAINING, Attention, Monitor, MonitoringReport
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.reports.monitoring import MAX_CODES, write_monitoring_report
from rayon.reports.monitoring_plots import MAX_LOOKS, Look, thinned
from rayon.reports.volumes import MAX_BARS, bars_of
from rayon.store.database import Database
from rayon.store.images import FolderImageStore
from rayon.store.predictions import add_validation

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def _checks() -> ModuleType:
    """The checks of the other pages, which are no package."""
    spec = importlib.util.spec_from_file_location("pages", Path(__file__).with_name("test_pages.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES = _checks()


def sample_of(n: int, k: int, audit: float, skill: float, seed: int) -> LiveSample:
    rng = np.random.default_rng(seed)
    true = rng.zipf(1.3, n) % k
    confidence = 1 - 0.7 * rng.beta(1, 4, n)
    right = rng.random(n) < confidence * skill
    predicted = np.where(right, true, (true + 1) % k)
    drawn = rng.random(n) < audit
    accepted = confidence > 0.8
    validated = drawn & (rng.random(n) < 0.9) | (~accepted & (rng.random(n) < 0.2))
    return LiveSample(
        predicted, confidence, accepted, np.full(n, audit), drawn, np.where(validated, true, -1)
    )  # fmt: skip


def signals_of(n: int, seed: int, change: float = 0.0, n_codes: int = 27) -> SignalCounts:
    rng = np.random.default_rng(seed)

    def drawn(labels: tuple[str, ...], moved: float = change) -> Histogram:
        shares = np.linspace(2, 1, len(labels)) ** 2
        shares[-1] *= 1 + moved
        shares[0] *= 1 - moved / 4
        return Histogram(labels, rng.multinomial(n, shares / shares.sum()))

    codes = tuple(str(1000 + place) for place in range(n_codes))
    return SignalCounts(
        {
            "text_length": drawn(interval_labels(np.array([42.0, 180, 640, 1210, 2890])), 0),
            "language": drawn(("fr", "en", "unknown", "other", "de", "es", "it")),
            "novelty": drawn(interval_labels(np.array([0.0526, 0.1429, 0.25, 0.4]))),
            "parts": drawn(PARTS, 0),
            "white_border": drawn(interval_labels(np.array([0.021, 0.21, 0.4, 0.6, 0.81, 0.93, 0.99]))),
            "confidence": drawn(interval_labels(np.array([0.31, 0.42, 0.66, 0.93])), 0),
            "codes": drawn((*codes, OTHERS)),
            "doubtful_codes": drawn((SURE, *codes, OTHERS)),
        }
    )


def report_of(
    n: int = 4000,
    k: int = 27,
    *,
    days: int = 30,
    audit: float = 0.1,
    skill: float = 1.0,
    promised: float | None = 0.9,
    change: float | None = 0.0,
    n_codes: int = 27,
    label: str = "A rather long label of a code",
    until: datetime = NOW,
    seed: int = 0,
    model: str = "4be0a1c2",
) -> MonitoringReport:
    """As `Monitor` makes it; ``change`` is how much has drifted, ``None`` of a model without a reference."""
    sample = sample_of(n, k, audit, skill, seed)
    moments = [until - days * DAY * (1 - (place + 0.5) / max(n, 1)) for place in range(n)]
    per_day: dict[str, tuple[int, int]] = {}
    for moment, accepted in zip(moments, sample.accepted.tolist(), strict=True):
        made = per_day.get(moment.date().isoformat(), (0, 0))
        per_day[moment.date().isoformat()] = made[0] + 1, made[1] + accepted
    ids = [str(place) for place in range(n)]
    window = LiveWindow(until - days * DAY, until, ids, per_day, n // 50, [], sample)
    quality = estimate_live(sample, k)
    audited = sample.drawn & sample.validated
    return MonitoringReport(
        at=until,
        model=model,
        version=model * 8,
        window=window,
        waiting=12,
        trained={
            "weighted_f1": 0.871, "accuracy": 0.868, "coverage": 0.612, "accepted_precision": 0.981,
            "promised": promised,
        },
        quality=quality,
        promise=None
        if promised is None
        else promise_check(quality.accepted_right, quality.accepted_labelled, promised),
        reliability=reliability_curve(sample.confidence[audited], sample.right[audited], 10),
        drift=None if change is None else drift_of(n, change, n_codes),
        brake=None,
        attention=(),
        missing=(),
        codes=[(str(1000 + place), f"{label} {place}") for place in range(k)],
    )  # fmt: skip


def drift_of(n: int, change: float, n_codes: int = 27) -> DriftReport:
    live, before = signals_of(n, 1, change, n_codes), signals_of(n // 2, 2, 0.0, n_codes)
    return judge_drift(pair_signals(live, {TRAINING: signals_of(10_000, 3, 0.0, n_codes), BEFORE: before}))


def document_of(report: MonitoringReport) -> dict[str, Any]:
    """As the journal gives it back."""
    found: dict[str, Any] = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    return found


@pytest.fixture(scope="module")
def fine() -> dict[str, Any]:
    return document_of(report_of())


def page_of(folder: Path, document: Mapping[str, Any], *history: Mapping[str, Any], **words: str) -> str:
    """The text of the page, checked for what any page has to be."""
    file = write_monitoring_report(folder / "new" / "page.html", document, history, **words)
    assert file == folder / "new" / "page.html"
    text = file.read_text()
    PAGES.check(text)
    assert "nan" not in re.sub(r"<style>.*</style>", "", text, flags=re.DOTALL)
    return text


def plain(text: str) -> str:
    """What a person reads, without the plots."""
    text = re.sub(r"<(style|svg).*?</\1>", " ", text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", text).replace("&nbsp;", " ").split())


def cells_of(text: str, first: str) -> list[str]:
    """The row of a table whose first cell starts so."""
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in re.findall(r"<tr>.*?</tr>", text)]
    (found,) = [row for row in rows if row and plain(row[0]).startswith(first)]
    return [plain(cell) for cell in found]


def test_what_needs_attention_comes_first_and_in_words(tmp_path: Path) -> None:
    report = replace(
        report_of(skill=0.85, change=1.2),
        attention=(
            Attention("promise", "The promised precision of 90.0% is not kept"),
            Attention("drift", "2 signals have drifted: unknown words against training"),
        ),
        missing=("Drift against training cannot be judged for parts of listings: 120 more",),
    )

    text = page_of(tmp_path, document_of(report), title="Shop")

    said = plain(text)
    places = [
        said.index(one)
        for one in (
            "Shop",
            "2 things need attention.",
            "The promised precision of 90.0% is not kept. See quality",
            "2 signals have drifted: unknown words against training.",
            "Drift against training cannot be judged for parts of listings: 120 more.",
            "Estimated from",
            "Volumes Predictions by day",
            "Over time This is the first look.",
            "Is the model as sure as it is right?",
            "By code",
            "Do listings, pictures and answers still look like",
        )
    ]
    assert places == sorted(places)
    assert '<div class="verdict bad">' in text
    assert '<div class="value bad">' in text
    assert re.search(r"Broken: \d+ of \d+ audited are right \(p &lt; 0\.0001\)\.", said)


def test_a_service_that_is_fine_says_so(tmp_path: Path, fine: dict[str, Any]) -> None:
    fine = {**fine, "promise": {**fine["promise"], "verdict": "kept"}}
    said = plain(page_of(tmp_path, fine))
    of = f"{fine['promise']['n_right']} of {fine['promise']['n']}"
    assert (
        f"Nothing needs attention. The promised precision of 90.0 % is kept: {of} audited accepted listings "
        "are right. Quality"
    ) in said
    assert "could not be judged" not in said
    few = {
        **fine,
        "promise": {**fine["promise"], "verdict": "too_few", "needed": 1234},
        "missing": ["Labels"],
    }
    said = plain(page_of(tmp_path, few))
    assert (
        "Nothing that can be judged needs attention. What could not be judged, and what is missing: Labels."
        in said
    )
    assert f"Too early to judge: {of} audited are right, and 1,234 more are needed." in said


def test_cards_show_the_honest_figure_beside_the_naive_one_and_those_of_training(
    tmp_path: Path, fine: dict[str, Any]
) -> None:
    quality, volume = fine["quality"], {**fine["volume"], "of_this_model": 3000}
    said = plain(page_of(tmp_path, {**fine, "volume": volume}))
    accuracy, naive, f1 = quality["accuracy"], quality["naive"], quality["weighted_f1"]
    assert naive["accuracy"]["estimate"] < accuracy["low"]
    assert (
        "Predictions 4,000 12 wait for review, of whatever time "
        "By this model 3,000 A part could not be used 80 "
        f"Accepted {100 * volume['acceptance_rate']:.1f} % {volume['accepted']:,} of 4,000 "
    ) in said
    assert f"By this model {100 * quality['accepted_share']:.1f} % Training 61.2 %" in said
    assert (
        f"Accuracy {100 * accuracy['estimate']:.1f} % "
        f"{100 * accuracy['low']:.1f} to {100 * accuracy['high']:.1f} % "
        f"Naive {100 * naive['accuracy']['estimate']:.1f} % Training 86.8 %"
    ) in said
    assert (
        f"Weighted F1 {f1['estimate']:.3f} {f1['low']:.3f} to {f1['high']:.3f} "
        f"Naive {naive['weighted_f1']['estimate']:.3f} Training 0.871"
    ) in said
    assert "Promised 90.0 % Training 98.1 %" in said
    over = quality["overconfidence"]
    assert (
        f"Overconfidence, in points {100 * over['estimate']:+.1f} {100 * over['low']:+.1f} to "
        f"{100 * over['high']:+.1f} Mean confidence {100 * quality['mean_confidence']:.1f} %"
    ) in said
    assert f"what all {naive['validated']} validated predictions together seem to say. It is biased" in said


def test_a_window_without_predictions_has_dashes_and_no_plots(tmp_path: Path) -> None:
    document = document_of(report_of(0, change=None, promised=None))

    text = page_of(tmp_path, document)

    said = plain(text)
    assert "<svg" not in text
    assert "There are no predictions in this window. Nothing was promised for the accepted listings." in said
    assert "Accepted – 0 of 0 Training 61.2 %" in said
    assert "Accuracy – Naive – Training 86.8 %" in said
    assert "Weighted F1 – Naive – Training 0.871" in said
    assert "Right if accepted – Training 98.1 % Nothing was promised." in said
    assert "Overconfidence, in points – Mean confidence –" in said
    assert "This is the first look. No figure could be estimated." in said
    assert "No audited prediction has been validated." in said
    assert "No prediction of the window has a label that counts." in said
    assert "Drift cannot be judged: the model does not know its training listings." in said


def test_a_figure_with_bounds_alone_has_a_dash_and_its_bounds(tmp_path: Path, fine: dict[str, Any]) -> None:
    quality = {**fine["quality"], "accuracy": {"estimate": None, "low": 0.25, "high": 0.975}}
    said = plain(page_of(tmp_path, {**fine, "quality": quality}))
    assert "Accuracy – 25.0 to 97.5 % Naive" in said


def test_hostile_text_is_shown_and_never_run(tmp_path: Path) -> None:
    hostile = PAGES.HOSTILE.replace("\ud800", "")  # no journal keeps a lone surrogate
    document = document_of(report_of(300, 5, label=hostile, change=1.5, audit=0.5))
    document["attention"] = [{"kind": hostile, "message": hostile}, {"kind": "drift", "message": hostile}]
    document["missing"], document["model"] = [hostile], hostile
    drifted = [one for one in document["drift"]["signals"] if one["verdict"] == "drift"]
    assert drifted
    for one in drifted:
        for bin_ in one["bins"]:
            bin_["label"] = hostile
        one["against"] = hostile
    document["drift"]["signals"].append({**drifted[0], "name": hostile})
    earlier = {**document_of(report_of(300, 5, model="another")), "model": hostile}

    text = page_of(tmp_path, document, earlier, title=hostile)

    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 10
    assert "{{ 7*7 }}" in text
    assert "\x00" not in text
    assert "\x1b" not in text


def test_the_same_document_gives_the_same_bytes(tmp_path: Path, fine: dict[str, Any]) -> None:
    first = write_monitoring_report(tmp_path / "a.html", fine, [fine])
    again = write_monitoring_report(tmp_path / "b.html", fine, [fine])
    assert first.read_bytes() == again.read_bytes()


def test_thousands_of_codes_and_a_year_stay_small(tmp_path: Path) -> None:
    report = report_of(20_000, 3000, days=365, audit=0.05, change=3.0, n_codes=40)
    document = document_of(report)
    assert len(document["quality"]["codes"]) > MAX_CODES

    text = page_of(tmp_path, document, *[document] * 400)

    said = plain(text)
    assert f"And {len(document['quality']['codes']) - MAX_CODES:,} more." in said
    assert "Predictions by week, under its first day" in said
    assert "bins that changed less are left out" in said
    assert len(text) < 400_000


def test_codes_with_most_errors_beyond_doubt_come_first(tmp_path: Path, fine: dict[str, Any]) -> None:
    def code(
        name: str, listings: int, low: float, high: float, estimate: float | None = 0.5
    ) -> dict[str, Any]:
        precision = {"estimate": estimate, "low": low, "high": high}
        figures = {"listings": listings, "labelled": 1234, "right": 5, "precision": precision}
        return {"code": name, "label": f"Label {name}", **figures}

    codes = [
        code("perfect", 9000, 0.5, 1.0),
        code("unknown", 9001, 0.0, 1.0, None),
        code("rare", 10, 0.0, 0.2),
        code("poor", 1000, 0.6, 0.7),
    ]

    text = page_of(tmp_path, {**fine, "quality": {**fine["quality"], "codes": codes}})

    said = plain(text)
    names = ["poor", "rare", "unknown", "perfect"]
    assert sorted(names, key=lambda name: said.index(f"Label {name}")) == names
    assert cells_of(text, "Label poor") == [
        "Label poor poor",
        "1,000",
        "1,234",
        "5",
        "50.0 %",
        "",
        "60.0 to 70.0 %",
    ]
    assert cells_of(text, "Label unknown")[4] == "–"


def test_drifted_signals_are_drawn_and_all_are_listed(tmp_path: Path) -> None:
    document = document_of(report_of(change=1.2))
    verdicts = {(one["name"], one["against"]): one["verdict"] for one in document["drift"]["signals"]}
    assert verdicts["novelty", TRAINING] == verdicts["doubtful_codes", TRAINING] == "drift"
    assert verdicts["text_length", TRAINING] == "stable"

    text = page_of(tmp_path, document)

    drawn = re.findall(r'aria-label="Shares of ([^"]*)"', text)
    assert set(drawn) == {
        "unknown words",
        "language",
        "white border",
        "predicted codes",
        "codes of doubtful answers",
    }
    said = plain(text)
    listed = [said.rindex(name.capitalize()) for name in (*drawn, "length of text", "confidence")]
    assert listed[: len(drawn)] == sorted(listed[: len(drawn)])
    assert max(listed[: len(drawn)]) < min(listed[len(drawn) :])
    assert "Drifted against training and the window before." in said
    assert "Listings: 10,000 in training, 2,000 in the window before, 4,000 now." in said
    novelty = next(one for one in document["drift"]["signals"] if one["name"] == "novelty")
    alarm = novelty["psi_by_chance"] + novelty["threshold"]
    assert cells_of(text, "Unknown words") == [
        "Unknown words Share of a listing&#39;s words that training hardly knows", "training",
        "10,000 → 4,000", f"{novelty['psi']:.3f}", f"{novelty['psi_by_chance']:.3f}", f"{alarm:.3f}",
        f"{novelty['js']:.3f}", "&lt; 0.0001", "drifted",
    ]  # fmt: skip
    # Most answers are sure: the plot has the codes alone, with their labels, and the text has the rest.
    doubtful = text.split('aria-label="Shares of codes of doubtful answers"')[1].split("</svg>")[0]
    assert SURE not in doubtful
    assert "1000 A rather long" in doubtful
    assert re.search(r"Sure answers are left out: [\d.]+ % in training, ", said)


def test_too_few_listings_are_not_drawn_and_say_how_many_are_missing(tmp_path: Path) -> None:
    live, training, before = signals_of(900, 1, 1.5), signals_of(9000, 2), signals_of(80, 3)
    drift = judge_drift(pair_signals(live, {TRAINING: training, BEFORE: before}))
    text = page_of(tmp_path, document_of(replace(report_of(900), drift=drift)))
    said = plain(text)
    assert "the window before 80 → 900 – – – – – 120 more needed" in said
    assert "Listings: 9,000 in training, 900 now." in said


def test_only_the_worst_of_many_drifted_signals_are_drawn(tmp_path: Path) -> None:
    document = document_of(report_of(change=1.2))
    (worst,) = (
        one for one in document["drift"]["signals"] if one["name"] == "novelty" and one["against"] == TRAINING
    )
    document["drift"]["signals"] = [
        {**worst, "name": f"signal_{place}", "psi": 0.1 + place} for place in range(11)
    ]
    text = page_of(tmp_path, document)
    assert re.findall(r'aria-label="Shares of ([^"]*)"', text) == [
        f"signal {place}" for place in range(10, 2, -1)
    ]
    assert "And 3 more signals that have drifted, in the table." in plain(text)
    assert "Signal 0" in plain(text)


def test_history_draws_every_look_and_tells_models_apart(tmp_path: Path) -> None:
    def look(place: int, **options: Any) -> dict[str, Any]:
        return document_of(report_of(1500, until=NOW - place * 7 * DAY, seed=place, **options))

    earlier = [look(4, model="99aa0011", promised=0.75), look(3, model="99aa0011", promised=None), look(2)]
    alone = page_of(tmp_path, look(0))
    text = page_of(tmp_path, look(0), *earlier)

    said = plain(text)
    assert "4 looks, this one included" in said
    assert "Hollow points are of other models: 99aa0011." in said
    assert "Hollow" not in plain(alone)
    assert points(alone, "Accuracy, over time") == (1, 0)
    assert points(text, "Accuracy, over time") == (2, 2)
    assert points(text, "Overconfidence, in points, over time") == (2, 2)
    unpromised = page_of(tmp_path, look(0, promised=None), look(1, promised=None))
    assert "Dashed in red: what was promised." in said
    assert "Dashed in red" not in plain(unpromised)


def points(text: str, description: str) -> tuple[int, int]:
    """How many full and hollow points a plot has."""
    plot = text.split(f'aria-label="{description}"')[1].split("</svg>")[0]
    marks = [re.search(r'fill="(var\([^)]*\))"', one) for one in re.findall(r"<use [^>]*/>", plot)]
    colours = [found[1] for found in marks if found]
    return colours.count("var(--good)"), colours.count("var(--panel)")


def test_looks_that_could_not_estimate_anything_leave_no_point(tmp_path: Path, fine: dict[str, Any]) -> None:
    empty = document_of(report_of(0, until=NOW - 40 * DAY))
    assert points(page_of(tmp_path, fine, empty), "Accuracy, over time") == (1, 0)


@pytest.mark.parametrize(
    ("days", "unit"),
    [(1, "day"), (30, "day"), (61, "day"), (62, "week"), (365, "week"), (900, "month"), (9000, "year")],
)  # fmt: skip
def test_bars_are_few_and_none_of_the_predictions_is_lost(days: int, unit: str) -> None:
    since = NOW - days * DAY
    made = [
        {"day": (since + place * DAY).date().isoformat(), "predictions": 3 + place % 5, "accepted": place % 3}
        for place in range(days + 1)
        if place % 7 != 2
    ]
    found, bars = bars_of(made, since, NOW)
    assert found == unit
    assert len(bars) <= MAX_BARS
    assert sum(one.predictions for one in bars) == sum(one["predictions"] for one in made)
    assert sum(one.accepted for one in bars) == sum(one["accepted"] for one in made)
    starts = [one.start for one in bars]
    assert starts == sorted(set(starts))


def test_days_without_predictions_have_a_place_of_their_own() -> None:
    made = [{"day": "2026-11-18", "predictions": 4, "accepted": 1}]
    _, bars = bars_of(made, NOW - 3 * DAY, datetime(2026, 11, 20, tzinfo=UTC))
    assert [(one.start.day, one.predictions, one.accepted) for one in bars] == [
        (17, 0, 0),
        (18, 4, 1),
        (19, 0, 0),
    ]


def test_a_window_since_the_beginning_of_time_starts_with_the_first_prediction() -> None:
    made = [{"day": "2026-11-18", "predictions": 4, "accepted": 1}]
    beginning = datetime(1, 1, 1, tzinfo=UTC)
    assert [one.start for one in bars_of(made, beginning, NOW)[1]] == [date(2026, 1, 1)]
    assert [one.predictions for one in bars_of([], beginning, NOW)[1]] == [0]


def test_many_looks_are_thinned_evenly_and_the_last_one_stays() -> None:
    looks = [Look(NOW + place * DAY / 10, True, 0.9, 0.8, 1.0) for place in range(1000)]
    kept = thinned(looks[::-1])
    assert len(kept) == MAX_LOOKS
    assert kept[-1] == looks[-1]
    assert kept == sorted(kept, key=lambda one: one.at)
    assert thinned(looks[:3]) == looks[:3]
    assert len(thinned([looks[0]] * (MAX_LOOKS + 1))) == 1


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, fine: dict[str, Any]) -> None:
    (tmp_path / "page.html").mkdir()
    with pytest.raises(OutputError, match=r"page\.html cannot be written \(it is a folder\)"):
        write_monitoring_report(tmp_path / "page.html", fine)


def test_what_a_monitor_finds_makes_a_page(
    tmp_path: Path, model: ProductClassifier, trained: Path, database: Database, shop: Path
) -> None:
    images = FolderImageStore(tmp_path / "images")
    recorder = PredictionRecorder(model, database, images, audit_share=0.5)
    listings = read_catalogue([shop], codes="required").listings[:120]
    made = recorder.record([recorder.prepare(one) for one in listings], [None] * len(listings))
    with database.write() as connection:
        for one in made[:100]:
            add_validation(connection, one.id, None, "right", one.code, "", datetime.now(UTC))
    monitor = Monitor(database, images, trained)
    first, second = (document_of(monitor.look("ann", lambda stage, done, total: None)) for _ in range(2))

    text = page_of(tmp_path, second, first)

    said = plain(text)
    assert "2 looks, this one included" in said
    assert f"Model {model.version_[:8]}" in said
    assert f"Estimated from {second['quality']['audited']} predictions" in said
    assert f"Predictions {len(made)} " in said
    assert text.count("more needed</td>") == len(second["drift"]["signals"])
