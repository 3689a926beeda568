from __future__ import annotations

import csv

import httpx
import pytest

from rayon.learning.model import ProductClassifier
from rayon.operations.jobs import Worker
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.serving.services import Services

URL = "/api/v1/jobs"
TABLE = "designation,productid\nLampe rouge,1\n,2\n"


@pytest.fixture
def worker(served: Services, model: ProductClassifier) -> Worker:
    return Worker(
        PredictionRecorder(model, served.database, served.images), served.database, served.jobs.folder
    )


def test_from_a_file_to_its_results(client: httpx.Client, reviewer: httpx.Client, worker: Worker) -> None:
    sent = client.post(URL, files={"file": ("shop.csv", TABLE)})
    assert sent.status_code == 202
    job = sent.json()
    assert (job["state"], job["file"]) == ("waiting", "shop.csv")
    early = client.get(f"{URL}/{job['id']}/results")
    assert (early.status_code, early.json()["detail"]) == (409, f"The job '{job['id']}' has not ended.")
    assert worker.work()
    ended = client.get(f"{URL}/{job['id']}").json()
    assert (ended["state"], ended["rows_done"], ended["rows_failed"]) == ("done", 2, 1)
    (failure,) = client.get(f"{URL}/{job['id']}/failures").json()
    assert failure["row"] == 2
    results = client.get(f"{URL}/{job['id']}/results")
    assert "shop-codes.csv" in results.headers["content-disposition"]
    (result,) = csv.DictReader(results.text.splitlines())
    assert (result["job_row"], result["productid"], result["job_id"]) == ("1", "1", job["id"])
    assert client.delete(f"{URL}/{job['id']}").status_code == 409
    assert [one["id"] for one in client.get(URL).json()["items"]] == [job["id"]]
    assert reviewer.get(URL).json() == client.get(URL).json()
    own = client.get("/api/v1/predictions", params={"job_id": job["id"]}).json()["items"]
    assert [one["productid"] for one in own] == ["1"]


def test_jobs_of_others_are_not_there(client: httpx.Client, admin: httpx.Client) -> None:
    job = admin.post(URL, files={"file": ("shop.csv", TABLE)}).json()
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/results"), ("GET", "/failures")):
        answer = client.request(method, f"{URL}/{job['id']}{path}")
        assert (answer.status_code, answer.json()["detail"]) == (404, f"There is no job '{job['id']}'.")
    assert client.get(URL).json()["items"] == []
    assert admin.delete(f"{URL}/{job['id']}").status_code == 204
    assert admin.get(f"{URL}/{job['id']}").json()["state"] == "cancelled"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"files": {"file": ("shop.xls", TABLE)}}, 400),
        ({"files": {"other": ("shop.csv", TABLE)}}, 422),
        ({"data": {"file": "text"}}, 422),
        ({"json": {}}, 422),
    ],
)
def test_what_is_no_job(client: httpx.Client, sent: dict[str, object], status: int) -> None:
    assert client.post(URL, **sent).status_code == status  # type: ignore[arg-type]
    assert client.get(URL).json()["items"] == []
