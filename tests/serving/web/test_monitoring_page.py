"""The pages of monitoring: verdict first, plots after the page, a look on demand, and the journal."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from rayon.learning.drift import judge_drift, pair_signals
from rayon.learning.histograms import SignalCounts
from rayon.operations.attention import MonitoringThresholds, attention_of, missing_data
from rayon.operations.monitoring import BEFORE, TRAINING, MonitoringReport
from rayon.reports.drift_changes import bin_name
from rayon.reports.monitoring import monitoring_plot
from rayon.reports.signals import SIGNALS
from rayon.reports.wording import Wording
from rayon.serving.services import Services
from rayon.serving.web.languages import french, translate_message
from rayon.serving.web.look_plots import OVER_TIME
from rayon.store.brakes import Brake
from rayon.store.monitoring import add_run

PHONE = {"width": 390, "height": 844}
SCRIPT = "<script>document.title='caught'</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
DAY = timedelta(days=1)
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


def _reports() -> ModuleType:
    """What makes reports in tests of their page, which are no package."""
    path = Path(__file__).parents[2] / "reports" / "test_monitoring_page.py"
    spec = importlib.util.spec_from_file_location("reports_of_looks", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MADE = _reports()
NOW = MADE.NOW
BRAKE = Brake("4be0a1c2", NOW - DAY, "the schedule", "review", "too many complaints", None)


def judged(report: MonitoringReport) -> MonitoringReport:
    """The report with what `Monitor` would have said of it."""
    before = report.trained["weighted_f1"]
    asked = MonitoringThresholds()
    return replace(
        report,
        attention=attention_of(report.promise, report.quality, before, report.drift, report.brake, asked),
        missing=missing_data(report.quality, report.promise, report.drift),
    )


def with_signals(report: MonitoringReport, live: SignalCounts, before: SignalCounts) -> MonitoringReport:
    references = {TRAINING: MADE.signals_of(10_000, 3), BEFORE: before}
    return replace(report, drift=judge_drift(pair_signals(live, references)))


def bad() -> MonitoringReport:
    """Everything is wrong that can be."""
    return judged(replace(MADE.report_of(skill=0.8, change=1.2), brake=BRAKE))


def all_states() -> list[MonitoringReport]:
    """Reports in which, together, everything is said that can be said."""
    one_signal = MADE.signals_of(4000, 1)
    moved = MADE.signals_of(4000, 2, 2.0)
    histograms = {**one_signal.histograms, "novelty": moved.histograms["novelty"]}
    tightened = replace(BRAKE, kind="tighten", threshold=0.97)
    scarce = MADE.report_of(900, audit=0.02, skill=1.1)
    bounds = replace(scarce.quality, weighted_f1=replace(MADE.report_of().quality.weighted_f1, estimate=None))
    return [
        bad(),
        judged(MADE.report_of(skill=1.2)),
        judged(MADE.report_of(0, change=None)),
        judged(replace(MADE.report_of(), brake=replace(tightened, reason=bad().attention[0].message))),
        judged(replace(scarce, quality=bounds)),
        judged(with_signals(scarce, MADE.signals_of(900, 1), MADE.signals_of(80, 3))),
        judged(with_signals(MADE.report_of(), SignalCounts(histograms), MADE.signals_of(80, 3))),
    ]


def sentences() -> list[str]:
    found = [
        one
        for report in all_states()
        for one in (*(attention.message for attention in report.attention), *report.missing)
    ]
    return list(dict.fromkeys(found))


def look(served: Services, report: MonitoringReport, actor: str = "ann", **changes: Any) -> int:
    """Note in the journal what was found."""
    document = {**MADE.document_of(report), **changes}
    with served.database.write() as connection:
        attention = len(document["attention"])
        return add_run(connection, report.at, actor, document["model"], attention, document)


@pytest.fixture
def browser(served: Services, address: str) -> Iterator[Callable[..., httpx.Client]]:
    """What a browser of somebody signed in asks, without the browser."""
    made: list[httpx.Client] = []

    def signed_in(role: str = "reviewer", language: str = "en") -> httpx.Client:
        token = served.sessions.begin(served.accounts.find(role))
        headers = {"Accept": "text/html", "Accept-Language": language}
        client = httpx.Client(base_url=address, cookies={"rayon_session": token}, headers=headers, timeout=60)
        made.append(client)
        return client

    yield signed_in
    for client in made:
        client.close()


def form_of(page: str) -> dict[str, str]:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return {"csrf": found[1]}


def drawn(page: Page, plots: int) -> None:
    """Wait until all plots are there."""
    expect(page.locator(".plot > svg[role=img]")).to_have_count(plots, timeout=30_000)


def test_the_page_says_first_what_needs_attention_and_draws_after(
    visit: Callable[..., Page], served: Services
) -> None:
    look(served, MADE.report_of(until=NOW - 7 * DAY, model="99aa0011"))
    look(served, bad(), "the schedule")
    page = visit("reviewer", "/monitoring")
    verdict = page.locator(".verdict")
    expect(verdict.get_by_role("heading", level=2)).to_have_text("5 things need attention.")
    expect(verdict.get_by_role("listitem").first).to_contain_text(
        "The promised precision of 90.0% is not kept"
    )
    expect(page.locator("#brake")).to_contain_text("has been released since")
    drawn(page, 11)
    expect(page.locator("#history")).to_contain_text("Hollow points are of other models: 99aa0011.")
    assert page.evaluate("document.querySelectorAll('[style], style').length") == 0
    assert page.evaluate("getComputedStyle(document.querySelector('.plot text')).fill") == "rgb(86, 98, 109)"


@pytest.mark.proof
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_is_for_everybody_and_fits_a_phone(
    visit: Callable[..., Page], served: Services, axe: Callable[[Page], list[str]], dark: bool
) -> None:
    look(served, MADE.report_of(until=NOW - 7 * DAY, model="99aa0011"))
    look(served, bad())
    for size in (None, PHONE):
        page = visit("reviewer", "/monitoring", language="fr", dark=dark, size=size)
        expect(page.get_by_role("heading", level=1)).to_have_text("Suivi")
        drawn(page, 11)
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        assert axe(page) == []
        width, seen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width <= seen
        page.goto("/monitoring/journal")
        assert axe(page) == []


@pytest.mark.proof
def test_by_keyboard_a_look_is_had_and_its_result_shown(
    visit: Callable[..., Page],
    served: Services,
    database_url: str,
    tmp_path: Path,
    trained: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAYON_DATABASE", database_url)
    monkeypatch.setenv("RAYON_IMAGES", str(tmp_path / "images"))
    monkeypatch.setenv("RAYON_MODEL", str(trained))
    page = visit("reviewer", "/monitoring")
    expect(page.get_by_role("heading", name="Nobody has looked yet")).to_be_visible()
    page.get_by_role("button", name="Look now").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("progressbar", name="A look is under way")).to_be_visible()
    page.wait_for_url("**/monitoring/1?done=looked", timeout=90_000)
    expect(page.get_by_role("status")).to_have_text("The live service has been looked at.")
    expect(page.locator(".facts").first).to_contain_text("reviewer")
    expect(page.locator(".verdict")).to_contain_text("There are no predictions in this window.")
    assert not served.looking.locked()


@pytest.mark.proof
def test_a_look_that_fails_says_so(visit: Callable[..., Page], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYON_MODEL", "/nowhere")
    page = visit("reviewer", "/monitoring", language="fr")
    page.get_by_role("button", name="Examiner maintenant").click()
    expect(page.get_by_role("alert")).to_contain_text("L'examen a échoué.", timeout=60_000)
    expect(page.get_by_role("button", name="Réessayer")).to_be_visible()


def test_two_looks_at_once_are_refused(served: Services, browser: Callable[..., httpx.Client]) -> None:
    look(served, bad())
    client = browser()
    form = form_of(client.get("/monitoring").text)
    with served.looking:
        refused = client.post("/monitoring", data=form)
        page = client.get("/monitoring").text
    assert refused.status_code == 409
    assert "Somebody has the live service looked at already." in refused.text
    assert "5 things need attention." in refused.text
    assert "Somebody has the live service looked at just now." in page
    waiting = client.get("/monitoring/looking?after=1&begun=9999999999").text
    assert "A look is under way" in waiting
    assert "The look has failed." in client.get("/monitoring/looking/state?after=1&begun=1").text
    found = client.get("/monitoring/looking?after=0&begun=1")
    assert (found.status_code, found.headers["location"]) == (303, "/monitoring/1?done=looked")
    assert "data-reload" in client.get("/monitoring/looking/state?after=0&begun=1").text


def test_it_is_for_reviewers_alone(served: Services, browser: Callable[..., httpx.Client]) -> None:
    id = look(served, bad())
    client = browser("client")
    for path in (
        "/monitoring",
        "/monitoring/journal",
        f"/monitoring/{id}",
        f"/monitoring/{id}/history",
        f"/monitoring/{id}/plots/volumes.svg",
        "/monitoring/looking",
        "/monitoring/looking/state",
        "/monitoring/reports/monitoring-2026-10.html",
    ):
        assert client.get(path).status_code == 403, path
    assert client.post("/monitoring", data=form_of(client.get("/account").text)).status_code == 403


def test_all_that_monitoring_says_is_said_in_french() -> None:
    said = sentences()
    assert len(said) >= 14
    for one in said:
        translated = translate_message(f"{one}.", "fr")
        assert translated != f"{one}."
        assert translate_message(one, "fr") == translated.removesuffix(".")
        assert not re.search(r"\b(the|against|training|listings|words|more|is)\b", translated), translated
    first = translate_message(bad().attention[0].message, "fr")
    assert re.fullmatch(
        r"La précision promise de 90,0\u202f% n'est pas tenue : \d+ annonces acceptées et contrôlées sur \d+ "
        r"sont justes \(p < 0,0001\)",
        first,
    )
    drift = translate_message("2 signals have drifted: sharpness against training, language against the "
                              "window before and 1,234 more", "fr")  # fmt: skip
    assert drift == (
        "2 signaux ont dérivé : netteté par rapport à l'apprentissage, langue par rapport à la période "
        "précédente et 1\u202f234 autres"
    )
    # What is no signal is not half translated.
    assert translate_message("Nobody speaks against training.", "fr") == "Nobody speaks against training."


def test_all_words_of_plots_are_translated() -> None:
    said: set[str] = set()

    def say(text: str) -> str:
        said.add(text)
        return text

    wording = Wording(say)
    document = MADE.document_of(bad())
    earlier = [MADE.document_of(MADE.report_of(until=NOW - place * 60 * DAY)) for place in (3, 2, 1)]
    drifted = {one["name"] for one in document["drift"]["signals"] if one["verdict"] == "drift"}
    for name in ("volumes", "reliability", *OVER_TIME, *(f"drift-{one}" for one in drifted)):
        assert monitoring_plot(name, document, earlier, {}, wording)
    for days in (200, 1500, 4000):
        assert monitoring_plot("volumes", MADE.document_of(MADE.report_of(days=days)), (), {}, wording)
    for language in ("fr", "en", "de", "es", "it", "other", "unknown"):
        bin_name("language", language, {}, wording)
    for words in SIGNALS.values():
        said |= {words.name, words.explanation}
    parts = MADE.signals_of(100, 1).histograms["parts"].labels
    said |= {bin_name("parts", one, {}) for one in parts}
    intervals = re.compile(r"(up to |above |below )?[\d.]+( to [\d.]+)?")
    assert {one for one in said if not intervals.fullmatch(one)} - set(french()) == set()


def test_plots_are_in_the_language_and_kept(served: Services, browser: Callable[..., httpx.Client]) -> None:
    id = look(served, bad())
    client, reader = browser(), browser(language="fr")
    path = f"/monitoring/{id}/plots/drift-novelty.svg"
    english, translated = client.get(path), reader.get(path)
    assert english.headers["content-type"] == "image/svg+xml"
    assert english.headers["cache-control"] == "private, max-age=86400"
    assert english.headers["vary"] == "Accept-Language, Cookie"
    assert "style" not in english.text
    for words in ('aria-label="Shares of unknown words"', ">the window before<", ">up to 0.0526<"):
        assert words in english.text
    for words in ('aria-label="Répartition : mots inconnus"', ">la période précédente<", ">jusqu'à 0,0526<"):
        assert words in translated.text
    assert client.get(path).text == english.text
    for missing in ("drift-text_length", "nothing", "drift-nothing"):
        assert client.get(f"/monitoring/{id}/plots/{missing}.svg").status_code == 404
    assert client.get(f"/monitoring/{id + 1}/plots/volumes.svg").status_code == 404


def test_figures_stand_beside_the_plots(served: Services, browser: Callable[..., httpx.Client]) -> None:
    report = bad()
    id = look(served, report)
    page = browser().get(f"/monitoring/{id}").text
    accuracy, naive = report.quality.accuracy, report.quality.naive.accuracy
    assert accuracy is not None
    assert naive is not None
    for figure in (
        f"{100 * accuracy.estimate:.1f}%",
        f"{100 * accuracy.low:.1f} to {100 * accuracy.high:.1f}%",
        f"{100 * naive.estimate:.1f}%",
        "86.8%",
        "0.871",
        "90.0%",
        "4,000",
    ):
        assert figure in page, figure
    assert "The promise is broken" in page
    history = browser().get(f"/monitoring/{id}/history?whole=yes").text
    assert f"{accuracy.estimate:.1%}" in history
    assert "This is the first look." in history


def test_every_state_has_a_page(served: Services, browser: Callable[..., httpx.Client]) -> None:
    client = browser(language="fr")
    for report in all_states():
        id = look(served, report)
        for path in (f"/monitoring/{id}", f"/monitoring/{id}/history", "/monitoring"):
            answer = client.get(path)
            assert answer.status_code == 200
            assert "nan" not in re.findall(r"\w+", answer.text)
    assert client.get("/monitoring/999").status_code == 404


def test_the_journal_leads_to_all_looks(served: Services, browser: Callable[..., httpx.Client]) -> None:
    client = browser()
    assert "Nobody has looked yet" in client.get("/monitoring/journal").text
    report = judged(MADE.report_of(200))
    ids = [look(served, report, "command line") for _ in range(27)]
    first = client.get("/monitoring/journal").text
    shown = [int(one) for one in re.findall(r'<tr><td><a href="/monitoring/(\d+)"', first)]
    assert shown == ids[:1:-1]
    assert "command line" in first
    older = re.search(r'href="(/monitoring/journal\?before=\d+)"', first)
    assert older is not None
    rest = client.get(older[1]).text
    assert [int(one) for one in re.findall(r'<tr><td><a href="/monitoring/(\d+)"', rest)] == ids[1::-1]
    assert "monitoring/journal?before=" not in rest.replace(older[1], "", 1)


def test_monthly_reports_are_opened_by_a_name_from_the_list(
    served: Services, browser: Callable[..., httpx.Client], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = tmp_path / "reports"
    object.__setattr__(served, "reports", folder)
    client = browser(language="fr")
    assert "Il n'y en a pas encore." in client.get("/monitoring/journal").text
    folder.mkdir()
    (folder / "monitoring-2026-09.html").write_text("<p>September</p>")
    (folder / "monitoring-2026-10.html").write_text(f"<p>October {SCRIPT}</p>")
    (folder / "secret.html").write_text("secret")
    (folder / "monitoring-2026-11.html").mkdir()
    page = client.get("/monitoring/journal").text
    assert re.findall(r'href="/monitoring/reports/([^"]+)">([^<]+)<', page) == [
        ("monitoring-2026-10.html", "oct. 2026"),
        ("monitoring-2026-09.html", "sept. 2026"),
    ]
    report = client.get("/monitoring/reports/monitoring-2026-10.html")
    assert report.text == f"<p>October {SCRIPT}</p>"
    assert report.headers.get_list("content-security-policy") == [POLICY]
    for name in ("secret.html", "..%2Fsecret", "monitoring-2026-11.html", "monitoring-2026-13.html"):
        assert client.get(f"/monitoring/reports/{name}").status_code == 404, name


@pytest.mark.proof
def test_texts_of_strangers_stay_texts(visit: Callable[..., Page], served: Services) -> None:
    document = MADE.document_of(bad())
    attention = [{"kind": "drift", "message": SCRIPT}, {"kind": IMAGE, "message": IMAGE}]
    codes = [{**one, "code": f"{place}{IMAGE}", "label": SCRIPT}
             for place, one in enumerate(document["quality"]["codes"])]  # fmt: skip
    drift = json.loads(json.dumps(document["drift"]))
    for one in drift["signals"]:
        one["against"] = one["against"] + SCRIPT
        for bin_ in one["bins"]:
            bin_["label"] = IMAGE
    look(
        served, bad(), IMAGE, model=SCRIPT, attention=attention, missing=[IMAGE], drift=drift,
        quality={**document["quality"], "codes": codes}, brake={**document["brake"], "reason": SCRIPT},
    )  # fmt: skip
    page = visit("reviewer", "/monitoring")
    drawn(page, 11)
    expect(page.locator(".verdict")).to_contain_text(SCRIPT)
    expect(page.locator(".facts").first).to_contain_text(IMAGE)
    assert page.title() == "Monitoring · Rayon"
    assert page.locator("main img").count() == 0
    page.goto("/monitoring/journal")
    expect(page.locator("tbody")).to_contain_text(IMAGE)
    assert page.title() == "Earlier looks · Rayon"
