"""The gate over HTTP, and models that come and go as archives."""

from __future__ import annotations

import http.client
import io
import shutil
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from rayon.data.loading import read_catalogue
from rayon.errors import ConflictError, OverloadedError
from rayon.operations.golden_set import GoldenSet
from rayon.serving.judging import judging
from rayon.serving.services import Services

MODELS = "/api/v1/models"
CHECKS = ["better", "codes", "promise", "confidence", "latency", "size", "smoke"]


@pytest.fixture
def names(served: Services, text_models: dict[str, Path]) -> dict[str, str]:
    """A champion, and two that want to be it."""
    folders = {"champion": "champion", "equal": "equal 1", "better": "better"}
    found = {who: served.registry.register(text_models[name], "ann").name for who, name in folders.items()}
    served.registry.promote(found["champion"], "ann", "the first")
    return found


@pytest.fixture
def golden(served: Services, held_out: Path) -> GoldenSet:
    loaded = read_catalogue(held_out, codes="required")
    listings, codes = loaded.listings[:250], (loaded.codes or [])[:250]
    golden = GoldenSet(served.database, served.images)
    golden.fix(listings, codes, "ann", share=0.9)
    return golden


def test_the_gate_is_asked(
    admin: httpx.Client, reviewer: httpx.Client, golden: GoldenSet, names: dict[str, str]
) -> None:
    url = f"{MODELS}/{names['equal']}/promote"
    assert admin.post(url, json={"force": True}).status_code == 422
    assert admin.post(url, json={"force": True, "reason": "  "}).status_code == 400
    assert reviewer.post(url, json={"force": True, "reason": "x"}).status_code == 403
    refused = admin.post(url, json={"reason": "why not"})
    assert (refused.status_code, refused.headers["content-type"]) == (409, "application/problem+json")
    problem = refused.json()
    assert problem["detail"].startswith(
        f"{names['equal']} is not promoted. The challenger is not shown to be"
    )
    assert problem["hint"] == "Train a better one, or promote it by force, with a reason"
    checks = problem["verdict"]["checks"]
    assert [check["name"] for check in checks] == CHECKS
    assert [check["name"] for check in checks if not check["passed"]] == ["better"]

    forced = admin.post(url, json={"reason": "it has to be", "force": True})
    assert forced.status_code == 200, forced.text
    assert (forced.json()["verdict"]["forced"], forced.json()["reason"]) == (True, "it has to be")
    assert admin.post(f"{MODELS}/rollback", json={"reason": "worse"}).json()["model"] == names["champion"]
    better = admin.post(f"{MODELS}/{names['better']}/promote", json={"reason": "more listings"})
    assert better.status_code == 200, better.text
    assert better.json()["verdict"]["passed"] is True

    told = reviewer.get(f"{MODELS}/verdicts").json()
    assert [(one["challenger"], one["turn"], one["passed"], one["forced"]) for one in told] == [
        (names["better"], 2, True, False),
        (names["equal"], 1, False, True),
        (names["equal"], 1, False, False),
    ]
    assert told[0]["golden_listings"] == len(golden)


def test_comparing_without_promoting(
    admin: httpx.Client, reviewer: httpx.Client, golden: GoldenSet, names: dict[str, str]
) -> None:
    url = f"{MODELS}/compare"
    assert reviewer.post(url, json={"challenger": names["better"]}).status_code == 403
    found = admin.post(url, json={"challenger": names["better"]})
    assert found.status_code == 200, found.text
    answer = found.json()
    assert (answer["champion"], answer["passed"], answer["turn"]) == (names["champion"], True, 1)
    assert [check["name"] for check in answer["checks"]] == CHECKS
    assert answer["listings"] + answer["seen"] == answer["golden_listings"] == len(golden)
    back = admin.post(url, json={"challenger": names["champion"], "champion": names["better"]}).json()
    assert (back["passed"], back["turn"]) == (False, 2)
    assert admin.post(url, json={"challenger": "none"}).status_code == 404
    unfit = admin.post(url, json={"challenger": names["better"], "change": {"10": ["a", "b"], "20": ""}})
    assert unfit.status_code == 422
    assert reviewer.get(f"{MODELS}/{names['champion']}").json()["champion"] is True


def test_a_change_of_the_taxonomy_comes_with_the_question(
    admin: httpx.Client, golden: GoldenSet, served: Services, names: dict[str, str]
) -> None:
    code = next(iter(golden.counts()))
    asked = {"challenger": names["better"], "change": {code: []}}
    answer = admin.post(f"{MODELS}/compare", json=asked)
    assert answer.status_code == 400  # the challenger answers it still
    assert f"The change takes the code '{code}' away" in answer.json()["detail"]


def test_nothing_to_compare_with(admin: httpx.Client, served: Services, text_models: dict[str, Path]) -> None:
    first, challenger = (
        served.registry.register(text_models[name], "ann").name for name in ("champion", "equal 1")
    )
    answer = admin.post(f"{MODELS}/compare", json={"challenger": challenger})
    assert (answer.status_code, answer.json()["detail"]) == (409, "There is no champion to compare with.")
    served.registry.promote(first, "ann", "the first")
    answer = admin.post(f"{MODELS}/compare", json={"challenger": challenger})
    assert (answer.status_code, answer.json()["detail"]) == (400, "There is no golden set to compare on.")
    # Without a golden set nobody is judged.
    moved = admin.post(f"{MODELS}/{challenger}/promote", json={"reason": "x"}).json()
    assert (moved["model"], moved["verdict"]) == (challenger, None)


def test_predictions_are_answered_meanwhile_and_a_second_question_is_not(
    admin: httpx.Client,
    client: httpx.Client,
    served: Services,
    golden: GoldenSet,
    names: dict[str, str],
    until: Callable[..., None],
) -> None:
    url = f"{MODELS}/{names['better']}/promote"
    answered = 0
    with ThreadPoolExecutor(1) as pool:
        promoting = pool.submit(admin.post, url, json={"reason": "better"}, timeout=300)
        until(served.judging.locked)
        with httpx.Client(base_url=admin.base_url, headers=admin.headers, timeout=30) as another:
            second = another.post(url, json={"reason": "better"})
        assert second.status_code == 409
        assert second.json()["detail"] == "Another model is being judged at the moment."
        while not promoting.done():
            answer = client.post("/api/v1/predictions", json={"designation": "Piscine ronde 3 m"})
            assert answer.status_code == 200
            answered += 1
    assert promoting.result().status_code == 200
    assert answered > 3
    assert not served.judging.locked()


def test_the_gate_is_broken_off(served: Services, golden: GoldenSet, names: dict[str, str]) -> None:
    hurried = replace(served, gate_seconds=0.0)
    with judging(hurried) as (gate, watch), pytest.raises(OverloadedError) as error:
        gate.promote(names["better"], "ann", "better", watch)
    assert error.value.message == "The gate has not come to an end within 0 s"
    assert error.value.hint == (
        "Ask it on the command line, where it may take its time: rayon models promote"
    )
    with judging(served) as (gate, watch):
        served.stopping.set()
        with pytest.raises(OverloadedError, match="The server is stopping"):
            gate.judge(names["better"], "ann", watch)
        with pytest.raises(ConflictError, match="Another model is being judged"), judging(served):
            pass
    served.stopping.clear()
    assert gate.verdicts() == []
    assert served.registry.champion() == names["champion"]


def test_a_model_leaves_and_comes_back(
    admin: httpx.Client, reviewer: httpx.Client, served: Services, names: dict[str, str]
) -> None:
    url = f"{MODELS}/{names['equal'][:6]}/export"
    assert reviewer.get(url).status_code == 403
    assert admin.get(f"{MODELS}/none/export").status_code == 404
    archive = admin.get(url)
    assert (archive.status_code, archive.headers["content-type"]) == (200, "application/zip")
    assert f'filename="{names["equal"]}.zip"' in archive.headers["content-disposition"]
    folder = served.registry.folder_of(names["equal"])
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    shutil.rmtree(folder)

    back = admin.post(f"{MODELS}/import", content=archive.content)
    assert back.status_code == 201, back.text
    assert (back.json()["name"], back.json()["champion"]) == (names["equal"], False)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert list(served.exports.iterdir()) == []


def test_an_archive_that_is_no_model_leaves_nothing(
    admin: httpx.Client, served: Services, trained: Path, tmp_path: Path
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../evil.json", "{}")
    for body, detail in (
        (buffer.getvalue(), "The archive holds '../../evil.json', which no model has."),
        (b"", "The archive of the model cannot be unpacked (File is not a zip file)."),
    ):
        answer = admin.post(f"{MODELS}/import", content=body)
        assert (answer.status_code, answer.json()["detail"]) == (400, detail)
    assert list(served.exports.iterdir()) == []
    assert served.registry.versions() == []
    assert not list(tmp_path.rglob("evil.json"))


@pytest.fixture
def announce(address: str) -> Callable[[httpx.Client, int], int]:
    """Announce so many bytes of a model, send none of them, and give the status of the answer."""

    def ask(client: httpx.Client, length: int) -> int:
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
        try:
            connection.putrequest("POST", f"{MODELS}/import")
            connection.putheader("Authorization", client.headers["Authorization"])
            connection.putheader("Content-Length", str(length))
            connection.endheaders()
            return connection.getresponse().status
        finally:
            connection.close()

    return ask


def test_who_may_not_send_a_model_sends_no_byte_of_it(
    admin: httpx.Client, reviewer: httpx.Client, announce: Callable[[httpx.Client, int], int]
) -> None:
    assert announce(reviewer, 4 * 1024**3) == 403
    assert announce(admin, 6 * 1024**3) == 413
