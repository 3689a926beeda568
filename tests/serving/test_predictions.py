from __future__ import annotations

import base64
import io
from collections.abc import Callable

import httpx
import polars as pl
import pytest
from PIL import Image

from rayon.learning.model import ProductClassifier
from rayon.serving.services import Services

URL = "/api/v1/predictions"
POOL = {"designation": "Piscine ronde 3 m avec pompe", "productid": "p1"}


def test_text_from_json_is_answered_and_stored(client: httpx.Client, model: ProductClassifier) -> None:
    answer = client.post(URL, json=POOL)
    assert answer.status_code == 200
    body = answer.json()
    (expected,) = model.decide([POOL])
    assert (body["code"], body["confidence"], body["decision"]) == (
        expected.code,
        expected.confidence,
        expected.decision,
    )
    assert body["modalities"] == ["text"]
    assert body["model_version"] == model.version_
    assert body["degraded"] is False
    assert body.pop("milliseconds") > 0
    assert client.get(f"{URL}/{body['id']}").json() == body


def test_a_form_with_a_picture(client: httpx.Client, picture: bytes) -> None:
    answer = client.post(URL, data={"designation": "Lampe"}, files={"image": ("a.jpg", picture)})
    assert answer.status_code == 200
    body = answer.json()
    assert body["modalities"] == ["text", "image"]
    kept = client.get("/api/v1" + body["image"])
    assert kept.headers["content-type"] == "image/jpeg"
    assert b"where I live" in picture
    assert b"where I live" not in kept.content
    with Image.open(io.BytesIO(kept.content)) as image:
        assert image.size == (1000, 563)


@pytest.mark.parametrize("form", [True, False])
def test_a_picture_alone(client: httpx.Client, picture: bytes, form: bool) -> None:
    sent = (
        {"files": {"image": ("../../x.svg", picture)}}
        if form
        else {"json": {"image": base64.b64encode(picture).decode()}}
    )
    body = client.post(URL, **sent).json()
    assert body["modalities"] == ["image"]
    assert body["image"]


def test_a_bad_picture_beside_a_title_degrades_the_answer(client: httpx.Client) -> None:
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
    body = client.post(URL, data=POOL, files={"image": ("a.jpg", svg)}).json()
    assert body["degraded"] is True
    assert "is not a JPEG, PNG or WebP" in body["error"]
    assert body["image"] is None
    assert client.get(f"{URL}/{body['id']}/image").status_code == 404


def test_a_bad_picture_alone_is_refused_and_not_stored(client: httpx.Client) -> None:
    answer = client.post(URL, files={"image": ("a.jpg", b"GIF89a, or so it says")})
    assert answer.status_code == 400
    assert "is not a JPEG, PNG or WebP" in answer.json()["detail"]
    assert client.get(URL).json()["items"] == []


@pytest.mark.parametrize(
    ("sent", "status", "detail"),
    [
        ({"json": {}}, 400, "nothing to classify"),
        ({"json": {"designation": " "}}, 400, "nothing to classify"),
        ({"json": {"titre": "Lampe"}}, 422, "body.titre: Extra inputs are not permitted."),
        ({"json": {"designation": 5}}, 422, "body.designation: Input should be a valid string."),
        ({"json": {"designation": "x" * 100_001}}, 422, "String should have at most 100000 characters"),
        ({"json": {"image": "%%%"}}, 422, "body.image: Value error, this is not Base64."),
        ({"json": [POOL]}, 422, "body: Input should be an object."),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 422, "Invalid JSON"),
        ({"content": b"\xff", "headers": {"Content-Type": "application/json"}}, 422, "Invalid JSON"),
        ({"content": b"x"}, 415, "A body of the type '' cannot be read"),
        ({"content": b"x", "headers": {"Content-Type": "text/csv"}}, 415, "'text/csv' cannot be read"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "boundary"),
        ({"data": {"titre": "x"}, "files": {"image": b"x"}}, 422, "body.titre"),
        ({"files": {"designation": b"x"}}, 400, "Only the field 'image' of the form may be a file"),
        ({"files": [("image", b"x"), ("image", b"y")]}, 400, "Too many files"),
    ],
)
def test_bad_requests_name_what_is_wrong(
    client: httpx.Client, sent: dict[str, object], status: int, detail: str
) -> None:
    answer = client.post(URL, **sent)  # type: ignore[arg-type]
    assert (answer.status_code, detail in answer.json()["detail"]) == (status, True), answer.text
    assert client.get(URL).json()["items"] == []


def test_all_codes_on_demand(client: httpx.Client, model: ProductClassifier) -> None:
    body = client.post(URL, params={"full": True}, json=POOL).json()
    everything = [body["code"], *[one["code"] for one in body["alternatives"]]]
    assert sorted(everything) == sorted(model.taxonomy_.codes)
    assert sum(one["confidence"] for one in body["alternatives"]) + body["confidence"] == pytest.approx(
        1, abs=1e-4
    )


def test_a_batch_answers_in_order_and_names_what_failed(client: httpx.Client) -> None:
    listings = [POOL, {}, {"designation": "Roman policier"}]
    body = client.post(f"{URL}/batch", json={"listings": listings}).json()
    assert [one["designation"] for one in body["predictions"]] == [POOL["designation"], "Roman policier"]
    assert [one["position"] for one in body["failures"]] == [1]
    assert "nothing to classify" in body["failures"][0]["error"]
    assert len(client.get(URL).json()["items"]) == 2


@pytest.mark.parametrize("n", [0, 1001])
def test_a_batch_has_bounds(client: httpx.Client, n: int) -> None:
    assert client.post(f"{URL}/batch", json={"listings": [POOL] * n}).status_code == 422


def test_a_full_batch_is_answered(client: httpx.Client) -> None:
    body = client.post(f"{URL}/batch", json={"listings": [POOL] * 1000}).json()
    assert len({one["id"] for one in body["predictions"]}) == 1000


def test_pages_go_on_where_the_last_one_ended(client: httpx.Client) -> None:
    client.post(f"{URL}/batch", json={"listings": [{"designation": f"Lampe {i}"} for i in range(5)]})
    seen, cursor = [], None
    for _ in range(3):
        page = client.get(URL, params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen += [one["id"] for one in page["items"]]
        cursor = page["next"]
    assert cursor is None
    assert len(set(seen)) == 5
    assert seen == sorted(seen, reverse=True)


def test_filters(client: httpx.Client) -> None:
    client.post(URL, json=POOL)
    assert len(client.get(URL, params={"productid": "p1", "min_confidence": 0}).json()["items"]) == 1
    assert client.get(URL, params={"productid": "p2"}).json()["items"] == []
    assert client.get(URL, params={"since": "2999-01-01T00:00:00Z"}).json()["items"] == []
    assert len(client.get(URL, params={"search": "PISC"}).json()["items"]) == 1
    assert client.get(URL, params={"search": "pisc lampe"}).json()["items"] == []
    assert client.get(URL, params={"search": "x" * 201}).status_code == 422
    assert client.get(URL, params={"true_code": "10"}).json()["items"] == []
    assert client.get(URL, params={"since": "yesterday"}).status_code == 422
    assert client.get(URL, params={"min_confidence": 2}).status_code == 422


def test_exports_hold_what_the_filters_let_through(client: httpx.Client, reviewer: httpx.Client) -> None:
    listings = [{"designation": 'Lampe "rouge"\n=1+1', "productid": f"p{i % 2}"} for i in range(1003)]
    for start in (0, 1000):
        client.post(f"{URL}/batch", json={"listings": listings[start : start + 1000]})
    reviewer.post(URL, json=POOL)
    tables = {}
    for form, read in (("csv", pl.read_csv), ("parquet", pl.read_parquet), ("jsonl", pl.read_ndjson)):
        answer = client.get(f"{URL}/export", params={"format": form, "productid": "p1"})
        assert answer.status_code == 200
        assert f'filename="predictions.{form}"' in answer.headers["content-disposition"]
        tables[form] = read(io.BytesIO(answer.content))
        assert len(tables[form]) == 501
        assert set(tables[form]["designation"]) == {'Lampe "rouge"\n=1+1'}
    assert (
        tables["csv"]["id"].to_list() == tables["parquet"]["id"].to_list() == tables["jsonl"]["id"].to_list()
    )
    assert tables["parquet"].columns == tables["csv"].columns
    everything = reviewer.get(f"{URL}/export", params={"format": "jsonl"}).text.splitlines()
    assert len(everything) == 1004
    searched = reviewer.get(f"{URL}/export", params={"format": "jsonl", "search": "pisc"})
    assert len(searched.text.splitlines()) == 1
    nothing = client.get(f"{URL}/export", params={"format": "parquet", "code": "none"})
    assert pl.read_parquet(io.BytesIO(nothing.content)).is_empty()
    assert client.get(f"{URL}/export", params={"format": "xls"}).status_code == 422


def test_an_explanation_on_demand(client: httpx.Client, reviewer: httpx.Client, picture: bytes) -> None:
    made = client.post(URL, data=POOL, files={"image": picture}).json()
    path = f"{URL}/{made['id']}/explanation"
    own = client.post(path).json()
    assert own["code"] == made["code"]
    assert "Piscine" in [one["word"] for one in own["words"]]
    assert len(own["regions"]) == 7
    assert own["neighbours"] == []
    full = reviewer.post(path).json()
    assert full["words"] == own["words"]
    assert len(full["neighbours"]) == 5
    other = client.post(path, params={"code": "10"}).json()
    assert other["code"] == "10"
    assert client.post(path, params={"code": "nope"}).status_code == 400


def test_clients_see_their_own_predictions_and_reviewers_all(
    client: httpx.Client, reviewer: httpx.Client, admin: httpx.Client, picture: bytes
) -> None:
    own = client.post(URL, files={"image": picture}).json()["id"]
    other = admin.post(URL, json=POOL).json()["id"]
    assert [one["id"] for one in client.get(URL).json()["items"]] == [own]
    assert [one["id"] for one in reviewer.get(URL).json()["items"]] == [other, own]
    for path in (other, f"{other}/image", f"{other}/validations"):
        answer = client.get(f"{URL}/{path}")
        assert answer.status_code == 404
        assert answer.json()["detail"] == f"There is no prediction '{other}'."
    assert reviewer.get(f"{URL}/{own}/image").status_code == 200


def test_a_body_is_cut_off_at_the_limit_while_it_streams(client: httpx.Client) -> None:
    sent = 0

    def endless() -> object:
        nonlocal sent
        while sent < 10**10:
            sent += 65_536
            yield b"x" * 65_536

    for headers in (
        {"Content-Type": "application/json"},
        {"Content-Type": "multipart/form-data; boundary=b"},
    ):
        answer = client.post(URL, content=endless(), headers=headers)  # type: ignore[arg-type]
        assert answer.status_code in (400, 413)
    answer = client.post(URL, content=b"x" * 3_000_001, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["hint"] == "Send fewer listings or smaller pictures"


def test_requests_have_ids(anyone: httpx.Client) -> None:
    given = anyone.get("/health/live", headers={"X-Request-ID": "abc-1"})
    assert given.headers["x-request-id"] == "abc-1"
    made = anyone.get("/nothing", headers={"X-Request-ID": "bad id!"})
    assert made.json()["request_id"] == made.headers["x-request-id"] != "bad id!"


def test_health_model_and_taxonomy(
    anyone: httpx.Client, client: httpx.Client, model: ProductClassifier, served: Services
) -> None:
    assert anyone.get("/health/live").json() == {"status": "ok"}
    assert anyone.get("/health/ready").json() == {"status": "ok"}
    assert client.get("/api/v1/model").json()["version"] == model.version_
    codes = [one["code"] for one in client.get("/api/v1/taxonomy").json()]
    assert codes == model.taxonomy_.codes
    served.predictions.close()
    assert anyone.get("/health/ready").status_code == 503
    assert anyone.get("/health/live").status_code == 200
    refused = client.post(URL, json=POOL)
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"


def test_two_ways_to_sign_in(anyone: httpx.Client, signed_in: Callable[[str], httpx.Client]) -> None:
    me = "/api/v1/users/me"
    assert anyone.get(me, auth=("client", "correct horse battery")).json()["name"] == "client"
    assert signed_in("reviewer").get(me).json()["role"] == "reviewer"
    for header in ("", "Basic", "Basic !", "Basic eA==", "Bearer", "Bearer rk_x", "Digest x", "Basic /w=="):
        answer = anyone.get(me, headers={"Authorization": header})
        assert answer.status_code == 401, header
        assert answer.headers["www-authenticate"].startswith("Basic")
