"""Models with a browser: what is kept, what the gate says, promoting, rolling back, braking, retraining."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from rayon.data.loading import read_catalogue
from rayon.learning.model import ProductClassifier
from rayon.operations.brake import brake_of, set_brake
from rayon.operations.evaluation import evaluate_on
from rayon.operations.golden_set import GoldenSet
from rayon.operations.hot_swap import ModelFollower
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.operations.recipe import RetrainingRecipe
from rayon.operations.retrainings import REPORT_FILE
from rayon.serving.services import Services
from rayon.store.predictions import add_validation
from rayon.store.retrainings import add_step, end_retraining, start_retraining
from rayon.store.verdicts import list_verdicts

PHONE = {"width": 390, "height": 844}
HOSTILE = "<script>alert(1)</script>"
WHY = "Why? For whoever asks later"
CHECKS = 7


@pytest.fixture(scope="session")
def model(text_models: dict[str, Path]) -> ProductClassifier:
    """The champion, which answers."""
    return ProductClassifier.load(text_models["champion"])


@pytest.fixture
def served(served: Services, text_models: dict[str, Path], request: pytest.FixtureRequest) -> Services:
    """A process that follows the champion; or one that is pinned, or whose gate has no time."""
    registry, recorder = served.registry, served.recorder
    for who in ("champion", "better", "equal 1"):
        registry.register(text_models[who], "ann")
    name = served.model.version_[:12]
    if getattr(request, "param", "") == "nobody":
        return served
    registry.promote(name, "ann", f"the first {HOSTILE}")
    kind = getattr(request, "param", "")
    if kind == "pinned":
        return served

    def swap(model: ProductClassifier) -> None:
        recorder.model = model

    follower = ModelFollower(registry, ProductClassifier.load, swap, name, recorder.look_at_brakes)
    return replace(served, follower=follower, gate_seconds=0.0 if kind == "hurried" else 600.0)


@pytest.fixture
def names(served: Services, text_models: dict[str, Path]) -> dict[str, str]:
    """What the models are called."""
    versions = {
        who: ProductClassifier.load(path).version_
        for who, path in text_models.items()
        if path.is_dir() and (path / "model.json").is_file()
    }
    return {who: version[:12] for who, version in versions.items()}


@pytest.fixture
def golden(served: Services, held_out: Path) -> GoldenSet:
    loaded = read_catalogue(held_out, codes="required")
    golden = GoldenSet(served.database, served.images)
    golden.fix(loaded.listings[:250], (loaded.codes or [])[:250], "ann", share=0.9)
    return golden


def fits(page: Page) -> bool:
    width, seen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return bool(width <= seen)


def verdicts(served: Services) -> list[tuple[str, int, bool, bool]]:
    with served.database.read() as connection:
        return [(one.challenger, one.turn, one.passed, one.forced) for one in list_verdicts(connection)]


def test_a_refusal_shows_the_verdict_and_keeps_the_reason_and_can_be_overruled(
    visit: Callable[..., Page], served: Services, golden: GoldenSet, names: dict[str, str]
) -> None:
    page = visit("admin", f"/models/{names['equal 1']}/promote")
    main = page.locator("main")
    expect(main).to_contain_text(f"{names['equal 1']} answers in the place of {names['champion']}")
    expect(main).to_contain_text(f"Both answer the {len(golden)} golden listings")
    expect(main).to_contain_text("Nothing has been asked under this champion yet.")
    page.get_by_label(WHY).fill(f"why not {HOSTILE}")
    page.get_by_role("button", name="Promote").press("Enter")
    refused = page.get_by_role("alert")
    expect(refused).to_contain_text("The gate has refused it", timeout=60_000)
    assert served.registry.champion() == names["champion"]
    expect(page.locator(".checks li")).to_have_count(CHECKS)
    expect(page.locator(".checks li").first).to_contain_text("not passed Better")
    expect(page.get_by_label(WHY)).to_have_value(f"why not {HOSTILE}")
    expect(main).to_contain_text("One question has been asked under this champion already.")

    page.get_by_label("Overrule the gate").check()
    page.get_by_role("button", name="Promote").click()
    expect(page.get_by_role("status")).to_have_text(
        "The model is promoted; processes follow within seconds.", timeout=60_000
    )
    assert served.registry.champion() == names["equal 1"]
    assert verdicts(served) == [(names["equal 1"], 1, False, True), (names["equal 1"], 1, False, False)]
    assert HOSTILE in main.inner_text()
    expect(main).to_contain_text("overruled")


@pytest.mark.proof
def test_two_versions_are_compared_and_the_gate_is_asked_about_them(
    visit: Callable[..., Page], served: Services, golden: GoldenSet, names: dict[str, str]
) -> None:
    path = f"/models/compare?a={names['champion']}&b={names['better']}"
    page = visit("reviewer", path)
    row = page.get_by_role("row", name="Trusted listings")
    expect(row).to_contain_text("400")
    expect(row).to_contain_text("2,000")
    expect(row).to_contain_text("+1,600")
    expect(page.get_by_text("Only administrators ask it.")).to_be_visible()
    assert page.get_by_role("button", name="Ask the gate").count() == 0
    assert verdicts(served) == []

    page = visit("admin", path)
    page.get_by_role("button", name="Ask the gate").click()
    expect(page.get_by_text("The gate lets it through")).to_be_visible(timeout=60_000)
    assert "/models/verdicts/" in page.url
    expect(page.locator(".checks li")).to_have_count(CHECKS)
    assert verdicts(served) == [(names["better"], 1, True, False)]
    assert served.registry.champion() == names["champion"]
    page.get_by_role("link", name="Figures of both").click()
    expect(page.get_by_text("One question has been asked under this champion already.")).to_be_visible()
    expect(page.get_by_role("heading", name="What it said of these two")).to_be_visible()
    page.get_by_role("link", name="Models", exact=True).first.click()
    expect(page.get_by_role("cell", name="passed")).to_be_visible()


@pytest.mark.proof
def test_a_better_model_is_promoted_and_rolled_back(
    visit: Callable[..., Page],
    served: Services,
    golden: GoldenSet,
    names: dict[str, str],
    complaints: list[str],
) -> None:
    set_brake(served.database, served.registry, names["champion"], "review", "ann", "shoes are wrong")
    page = visit("admin", "/models")
    expect(page.get_by_text(f"A brake is on {names['champion']}.")).to_be_visible()
    page.get_by_role("row", name=names["better"]).get_by_role("link", name="Promote…").click()
    expect(page.locator("main")).to_contain_text(
        f"The brake stays with {names['champion']}; {names['better']} accepts as it promises."
    )
    page.get_by_label(WHY).fill("more listings")
    page.get_by_role("button", name="Promote").click()
    expect(page.get_by_label("How far the gate is")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text(
        "The model is promoted; processes follow within seconds.", timeout=60_000
    )
    expect(page.locator("main")).to_contain_text(
        f"The champion takes over within seconds; until then {names['champion']} answers."
    )

    page.get_by_role("link", name="Roll back…").click()
    main = page.locator("main")
    expect(main).to_contain_text(f"{names['champion']} answers in the place of {names['better']}")
    expect(main).to_contain_text(f"{names['champion']} was the champion from")
    expect(main).to_contain_text(f"A brake is on {names['champion']} itself, and will be in force:")
    page.get_by_label(WHY).fill(" ")
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("alert")).to_contain_text("The reason is missing.")
    page.get_by_label(WHY).fill("it was not")
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("status")).to_contain_text("The former champion is back")
    assert served.registry.champion() == names["champion"]

    page.goto(f"/models/{names['better']}")
    expect(page.get_by_role("row", name="more listings")).to_be_visible()
    complaints.clear()  # the browser noted that a reason was missing


@pytest.mark.proof
@pytest.mark.parametrize("served", ["hurried"], indirect=True)
def test_a_gate_that_comes_to_no_end_says_so(
    visit: Callable[..., Page], served: Services, golden: GoldenSet, names: dict[str, str]
) -> None:
    page = visit("admin", f"/models/compare?b={names['better']}", language="fr")
    page.get_by_role("button", name="Consulter la porte").click()
    expect(page.get_by_role("alert")).to_contain_text("La porte n'a pas terminé en 0 s.")
    page.get_by_role("link", name="Retour").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Comparer deux versions")
    assert verdicts(served) == []
    # Another process judged, and nothing has come of it.
    lost = "key=gone&champion=a&challenger=b&after=0&begun=0&promotes=true&reason=x"
    page.goto(f"/models/judging?{lost}")
    expect(page.get_by_role("alert")).to_contain_text("La porte n'a pas terminé.")


@pytest.mark.proof
def test_one_question_is_judged_at_a_time(
    visit: Callable[..., Page],
    served: Services,
    golden: GoldenSet,
    names: dict[str, str],
    complaints: list[str],
) -> None:
    page = visit("admin", f"/models/{names['better']}/promote")
    page.get_by_label(WHY).fill("better")
    with served.judging:
        page.get_by_role("button", name="Promote").click()
        expect(page.get_by_role("alert")).to_contain_text("Another model is being judged at the moment.")
    expect(page.get_by_label(WHY)).to_have_value("better")
    complaints.clear()  # the browser noted that it was refused


@pytest.mark.proof
def test_nothing_changes_but_what_was_shown(
    visit: Callable[..., Page],
    served: Services,
    names: dict[str, str],
    text_models: dict[str, Path],
    complaints: list[str],
) -> None:
    served.registry.promote(names["better"], "ann", "more listings")
    back, brake = visit("admin", "/models/rollback"), visit("admin", "/models/brake")
    served.registry.promote(names["equal 1"], "ann", "meanwhile")
    served.recorder.model = ProductClassifier.load(text_models["equal 1"])
    for page, name in ((back, "Roll back"), (brake, "Set the brake")):
        page.get_by_label(WHY).fill("it was not")
        page.get_by_role("button", name=name).click()
        expect(page.get_by_role("alert")).to_contain_text("Another model was promoted at the same moment.")
    assert served.registry.champion() == names["equal 1"]
    assert brake_of(served.database, names["equal 1"]) is None
    complaints.clear()  # the browser noted the refusals


@pytest.mark.proof
@pytest.mark.parametrize("served", ["nobody"], indirect=True)
def test_models_are_compared_before_there_is_a_champion(
    visit: Callable[..., Page], served: Services, names: dict[str, str]
) -> None:
    page = visit("admin", "/models/compare")
    expect(page.get_by_role("combobox")).to_have_count(2)
    shown = [page.get_by_role("combobox").nth(at).input_value() for at in (0, 1)]
    assert len({*shown} & {*names.values()}) == 2


@pytest.mark.proof
def test_a_brake_is_set_and_released(
    visit: Callable[..., Page], served: Services, names: dict[str, str], complaints: list[str]
) -> None:
    page = visit("admin", "/models")
    page.get_by_role("link", name="Set a brake…").click()
    page.get_by_label("Accept nothing").check()
    page.get_by_label(WHY).fill(" ")
    page.get_by_role("button", name="Set the brake").click()
    expect(page.get_by_role("alert")).to_contain_text("The reason is missing.")
    expect(page.get_by_label("Accept nothing")).to_be_checked()
    page.get_by_label(WHY).fill(f"shoes {HOSTILE}")
    page.get_by_role("button", name="Set the brake").click()
    expect(page.get_by_role("status")).to_have_text("The brake is set; processes follow within seconds.")
    expect(page.locator(".notice.bad")).to_contain_text(f"(admin): shoes {HOSTILE}")
    set_ = brake_of(served.database, names["champion"])
    assert set_ is not None
    assert (set_.kind, set_.actor) == ("review", "admin")

    page.get_by_role("link", name="Release the brake…").click()
    page.get_by_label(WHY).fill("mended")
    page.get_by_role("button", name="Release the brake").click()
    expect(page.get_by_role("status")).to_contain_text("The brake is released")
    assert brake_of(served.database, names["champion"]) is None
    complaints.clear()  # the browser noted that it was refused


@pytest.mark.proof
def test_recalibrating_is_refused_in_words_and_then_makes_a_champion(
    visit: Callable[..., Page],
    served: Services,
    names: dict[str, str],
    held_out: Path,
    complaints: list[str],
) -> None:
    page = visit("admin", "/models/recalibrate")
    page.get_by_label("Of the last 30 days").check()
    page.get_by_label(WHY).fill("after the new supplier")
    page.get_by_role("button", name="Recalibrate").click()
    refused = page.get_by_role("alert")
    expect(refused).to_contain_text("0 validated listings of the random audit since")
    expect(refused).to_contain_text("Validate those that wait (0), go further back")
    expect(page.get_by_label(WHY)).to_have_value("after the new supplier")
    expect(page.get_by_label("Of the last 30 days")).to_be_checked()
    assert served.registry.champion() == names["champion"]

    recorder = PredictionRecorder(served.model, served.database, served.images, audit_share=1)
    texts = [one for one in read_catalogue(held_out).listings if one.has_text][:400]
    made = recorder.record([recorder.prepare(listing) for listing in texts], [None] * len(texts))
    with served.database.write() as connection:
        for one in made:
            add_validation(connection, one.id, None, "right", one.code, "", datetime.now(UTC))
    page.get_by_role("button", name="Recalibrate").click()
    expect(page.get_by_role("status")).to_contain_text("The champion has new thresholds")
    expect(page.locator("main")).to_contain_text("Its threshold was set anew on")
    assert served.registry.champion() != names["champion"]
    complaints.clear()  # the browser noted that it was refused


@pytest.mark.proof
def test_a_model_leaves_and_comes_back_by_a_form(
    visit: Callable[..., Page],
    served: Services,
    names: dict[str, str],
    tmp_path: Path,
    complaints: list[str],
) -> None:
    page = visit("admin", f"/models/{names['better']}")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download").click()
    archive = tmp_path / '"><img src=x onerror=alert(1)>.zip'
    downloading.value.save_as(archive)
    page.goto("/models/import")
    wrong = tmp_path / "wrong.zip"
    wrong.write_bytes(b"no archive")
    page.get_by_label("ZIP of the model").set_input_files(wrong)
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("alert")).to_contain_text("The archive of the model cannot be unpacked")
    page.get_by_label("ZIP of the model").set_input_files(archive)
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("status")).to_contain_text("The model is registered.")
    expect(page.get_by_role("heading", level=1)).to_contain_text(names["better"])
    assert list(served.exports.iterdir()) == []
    complaints.clear()  # the browser noted that it was refused


@pytest.mark.proof
def test_who_may_not_import_a_model_sends_no_byte_of_it(served: Services, address: str) -> None:
    def announce(role: str, length: int) -> int:
        token = served.sessions.begin(served.accounts.find(role))
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
        try:
            connection.putrequest("POST", "/models/import")
            connection.putheader("Cookie", f"rayon_session={token}")
            connection.putheader("Content-Type", "multipart/form-data; boundary=x")
            connection.putheader("Content-Length", str(length))
            connection.endheaders()
            return connection.getresponse().status
        finally:
            connection.close()

    assert announce("reviewer", 4 * 1024**3) == 403
    assert announce("admin", 6 * 1024**3) == 413


@pytest.fixture
def recipe(served: Services) -> RetrainingRecipe:
    """What a first retraining was made by, which has ended."""
    made = RetrainingRecipe(("/shop",), precision=0.9)
    first = served.retrainings.request("ann", f"first {HOSTILE}", "hand", made)
    with served.database.write() as connection:
        end_retraining(connection, first.id, "promoted", datetime.now(UTC), served.registry.champion())
    return made


def verdict_of(passed: bool) -> dict[str, Any]:
    figures = {"gain": -0.01, "p_value": 0.7, "listings": 90, "differ": 12, "alpha": 0.0304}
    check = {"name": "better", "passed": passed, "reason": "in words", "figures": figures}
    return {"passed": passed, "checks": [check], "listings": 90, "seen": 0}


@pytest.mark.proof
def test_a_retraining_is_started_and_followed_to_its_end(
    visit: Callable[..., Page],
    served: Services,
    recipe: RetrainingRecipe,
    golden: GoldenSet,
    names: dict[str, str],
    text_models: dict[str, Path],
) -> None:
    page = visit("admin", "/models/retrainings")
    expect(page.get_by_text("/shop")).to_be_visible()
    expect(page.get_by_text("Nothing has been validated since")).to_be_visible()
    page.get_by_label(WHY).fill("new products")
    page.get_by_role("button", name="Start a retraining").click()
    expect(page.get_by_text("waits for a worker")).to_be_visible()
    made = served.retrainings.newest()[0]
    assert (made.actor, made.reason, made.recipe) == ("admin", "new products", recipe.to_dict())

    now = datetime.now(UTC)
    with served.database.write() as connection:
        assert start_retraining(connection, made.id, now, now.replace(year=now.year + 1))
        add_step(connection, made.id, now, "golden", {"added": 3, "known": 0, "listings": 93})
        aside = {"people disagree": 2}
        add_step(connection, made.id, now, "snapshot", {"listings": 40, "set_aside": aside})
    expect(page.get_by_text("It grew by 3 audited listings to 93.")).to_be_visible()
    expect(page.get_by_text("Set aside: people disagree (2).")).to_be_visible()
    expect(page.locator("li.now")).to_have_text("Training under way")

    challenger = ProductClassifier.load(text_models["better"])
    evaluated = evaluate_on(challenger, *golden.listings(), lambda stage, done, total: None)
    folder = served.retrainings.folder / made.id
    folder.mkdir(parents=True)
    (folder / REPORT_FILE).write_text(json.dumps(evaluated.to_dict()))
    with served.database.write() as connection:
        trained = {"model": names["better"], "codes": 27, "trusted": 400, "train_only": 40}
        add_step(connection, made.id, now, "training", trained)
        fused = evaluated.to_dict()["modalities"]["fused"]
        add_step(connection, made.id, now, "report", {"listings": 90, **fused})
        add_step(connection, made.id, now, "gate", {"promoted": False, **verdict_of(passed=False)})
        end_retraining(connection, made.id, "kept", now, names["better"])
    expect(page.get_by_role("heading", name="Classification report")).to_be_visible()
    expect(page.get_by_text("The champion is kept.")).to_be_visible()
    expect(page.locator(".checks li")).to_contain_text("Weighted F1 differs by −1.00 points on 90 listings")
    codes = {one["code"] for one in evaluated.to_dict()["per_code"] if one["support"]}
    assert page.get_by_role("table").locator("tbody tr").count() == len(codes)
    page.get_by_role("link", name="Retrainings", exact=True).click()
    assert f"first {HOSTILE}" in page.locator("main").inner_text()


@pytest.mark.proof
def test_the_first_retraining_is_explained_and_a_second_at_once_is_not_offered(
    visit: Callable[..., Page], served: Services
) -> None:
    page = visit("admin", "/models/retrainings")
    expect(page.get_by_text("rayon retrain CATALOGUE")).to_be_visible()
    assert page.get_by_role("button", name="Start a retraining").count() == 0
    recipe = RetrainingRecipe(("/shop",), text_encoder=("ngrams", "conv1d"))
    waiting = served.retrainings.request("ann", "first", "hand", recipe)
    page.reload()
    page.get_by_role("link", name="Follow it").click()
    assert page.url.endswith(f"/models/retrainings/{waiting.id}")
    expect(page.get_by_role("heading", name="Retraining")).to_be_visible()
    page.goto("/models/retrainings")
    expect(page.get_by_text("ngrams, conv1d, builtin")).to_be_visible()


@pytest.mark.proof
@pytest.mark.parametrize("served", ["pinned"], indirect=True)
def test_a_pinned_service_says_that_promotions_change_nothing_here(visit: Callable[..., Page]) -> None:
    for path in ("/models", "/models/brake"):
        page = visit("admin", path)
        expect(page.get_by_text("This service is pinned to one model")).to_be_visible()
        assert page.get_by_role("button", name="Set the brake").count() == 0
        assert page.get_by_role("link", name="Set a brake…").count() == 0


@pytest.mark.proof
def test_reviewers_see_all_of_it_and_change_nothing(
    visit: Callable[..., Page],
    served: Services,
    recipe: RetrainingRecipe,
    names: dict[str, str],
    complaints: list[str],
) -> None:
    page = visit("reviewer", "/models")
    assert HOSTILE in page.locator("main").inner_text()
    for name in ("Promote…", "Import…", "Set a brake…", "Recalibrate…", "Roll back…"):
        assert page.get_by_role("link", name=name).count() == 0
    page.goto("/models/retrainings")
    expect(page.get_by_text("/shop")).to_be_visible()
    assert page.get_by_role("button", name="Start a retraining").count() == 0
    page.goto(f"/models/{names['better']}")
    assert page.get_by_role("link", name="Download").count() == 0
    better = names["better"]
    for path in (f"{better}/promote", "rollback", "import", "brake", "recalibrate", "judging?key=x"):
        page.goto(f"/models/{path}")
        expect(page.get_by_role("heading", level=1)).to_have_text("Forbidden")
    complaints.clear()


@pytest.mark.proof
@pytest.mark.parametrize("path", ["/models", "/models/{better}", "/models/compare", "/models/retrainings"])
def test_clients_are_kept_out(
    visit: Callable[..., Page], names: dict[str, str], complaints: list[str], path: str
) -> None:
    page = visit("client", path.format(**names))
    expect(page.get_by_role("heading", level=1)).to_have_text("Forbidden")
    complaints.clear()


@pytest.mark.proof
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pages_are_for_everybody_and_fit_a_phone(
    visit: Callable[..., Page],
    served: Services,
    golden: GoldenSet,
    recipe: RetrainingRecipe,
    names: dict[str, str],
    axe: Callable[[Page], list[str]],
    dark: bool,
) -> None:
    served.registry.promote(names["equal 1"], "ann", "for a rollback")
    set_brake(served.database, served.registry, names["equal 1"], "review", "ann", "to be seen")
    first = served.retrainings.newest()[0].id
    page = visit("admin", "/models", language="fr", dark=dark)
    phone = visit("admin", "/models", size=PHONE, dark=dark)
    paths = ("compare", "import", "rollback", "brake", "recalibrate", "retrainings", names["better"])
    for path in ("", *paths, f"{names['better']}/promote", f"retrainings/{first}"):
        for one in (page, phone):
            one.goto(f"/models/{path}".rstrip("/"))
            one.wait_for_load_state("networkidle")
            assert axe(one) == [], path
            assert fits(one), path
    assert page.locator("html").get_attribute("lang") == "fr"
