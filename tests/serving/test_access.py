"""The table of who may do what, row by row, and the one shape of every error."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from rayon.serving.app import create_app
from rayon.serving.services import Services

NOBODY, CLIENT, REVIEWER, ADMIN = "nobody", "client", "reviewer", "admin"
RANK = (NOBODY, CLIENT, REVIEWER, ADMIN)

TABLE = {
    ("GET", "/health/live"): NOBODY,
    ("GET", "/health/ready"): NOBODY,
    ("GET", "/metrics"): CLIENT,
    ("POST", "/api/v1/predictions"): CLIENT,
    ("POST", "/api/v1/predictions/batch"): CLIENT,
    ("GET", "/api/v1/predictions"): CLIENT,
    ("GET", "/api/v1/predictions/export"): CLIENT,
    ("GET", "/api/v1/predictions/{prediction_id}"): CLIENT,
    ("POST", "/api/v1/predictions/{prediction_id}/explanation"): CLIENT,
    ("GET", "/api/v1/predictions/{prediction_id}/image"): CLIENT,
    ("POST", "/api/v1/predictions/{prediction_id}/validations"): REVIEWER,
    ("GET", "/api/v1/predictions/{prediction_id}/validations"): CLIENT,
    ("GET", "/api/v1/review/next"): REVIEWER,
    ("POST", "/api/v1/review/leases"): REVIEWER,
    ("POST", "/api/v1/review/leases/renew"): REVIEWER,
    ("POST", "/api/v1/review/leases/release"): REVIEWER,
    ("POST", "/api/v1/review/similar"): REVIEWER,
    ("GET", "/api/v1/review/progress"): REVIEWER,
    ("POST", "/api/v1/review/validations"): REVIEWER,
    ("POST", "/api/v1/jobs"): CLIENT,
    ("GET", "/api/v1/jobs"): CLIENT,
    ("GET", "/api/v1/jobs/{job_id}"): CLIENT,
    ("DELETE", "/api/v1/jobs/{job_id}"): CLIENT,
    ("GET", "/api/v1/jobs/{job_id}/failures"): CLIENT,
    ("GET", "/api/v1/jobs/{job_id}/results"): CLIENT,
    ("GET", "/api/v1/users/me"): CLIENT,
    ("PUT", "/api/v1/users/me/password"): CLIENT,
    ("GET", "/api/v1/users"): ADMIN,
    ("POST", "/api/v1/users"): ADMIN,
    ("GET", "/api/v1/users/{name}"): ADMIN,
    ("PATCH", "/api/v1/users/{name}"): ADMIN,
    ("DELETE", "/api/v1/users/{name}"): ADMIN,
    ("GET", "/api/v1/keys"): CLIENT,
    ("POST", "/api/v1/keys"): CLIENT,
    ("DELETE", "/api/v1/keys/{key_id}"): CLIENT,
    ("GET", "/api/v1/audit"): ADMIN,
    ("GET", "/api/v1/taxonomy"): CLIENT,
    ("GET", "/api/v1/model"): CLIENT,
    ("GET", "/api/v1/brake"): REVIEWER,
    ("PUT", "/api/v1/brake"): ADMIN,
    ("DELETE", "/api/v1/brake"): ADMIN,
    ("POST", "/api/v1/models/recalibrate"): ADMIN,
    ("GET", "/api/v1/monitoring"): REVIEWER,
    ("POST", "/api/v1/monitoring"): REVIEWER,
    ("GET", "/api/v1/monitoring/latest"): REVIEWER,
    ("GET", "/api/v1/monitoring/{run_id}"): REVIEWER,
    ("POST", "/api/v1/retrainings"): ADMIN,
    ("GET", "/api/v1/retrainings"): REVIEWER,
    ("GET", "/api/v1/retrainings/{retraining_id}"): REVIEWER,
    ("GET", "/api/v1/retrainings/{retraining_id}/report"): REVIEWER,
    ("GET", "/api/v1/models"): REVIEWER,
    ("GET", "/api/v1/models/promotions"): REVIEWER,
    ("GET", "/api/v1/models/verdicts"): REVIEWER,
    ("POST", "/api/v1/models/compare"): ADMIN,
    ("POST", "/api/v1/models/import"): ADMIN,
    ("GET", "/api/v1/models/{name}"): REVIEWER,
    ("GET", "/api/v1/models/{name}/export"): ADMIN,
    ("POST", "/api/v1/models/{name}/promote"): ADMIN,
    ("POST", "/api/v1/models/rollback"): ADMIN,
}


def operations(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}


def test_every_endpoint_is_in_the_table(served: Services) -> None:
    assert operations(create_app(served).openapi()) == set(TABLE)


def test_every_row_of_the_table(anyone: httpx.Client, signed_in: Callable[[str], httpx.Client]) -> None:
    clients = {role: signed_in(role) for role in RANK[1:]} | {NOBODY: anyone}
    for (method, path), needed in TABLE.items():
        # Nothing is found and no body is right, so that whoever is let in changes nothing.
        filled = re.sub(r"{\w+}", "none", path)
        for role in RANK:
            answer = clients[role].request(method, filled)
            allowed = RANK.index(role) >= RANK.index(needed)
            expected = 401 if role == NOBODY else 403
            assert (answer.status_code in (401, 403)) != allowed, (method, path, role, answer.status_code)
            if not allowed:
                assert answer.status_code == expected
            if answer.status_code >= 400:
                _check_problem(answer)


def test_every_error_has_its_place_in_the_document(served: Services) -> None:
    document = create_app(served).openapi()
    assert "Problem" in document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            errors = {status for status in operation["responses"] if status >= "400"}
            if path.startswith("/api"):
                assert {"401", "403", "422", "429", "503"} <= errors, (method, path)
            for status in errors:
                assert list(operation["responses"][status]["content"]) == ["application/problem+json"]


def _check_problem(answer: httpx.Response) -> None:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "hint", "request_id"}
    assert problem["status"] == answer.status_code
    assert problem["detail"].endswith(".")
    assert problem["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("PUT", "/health/live", 405)]
)
def test_addresses_that_do_not_exist(anyone: httpx.Client, method: str, path: str, status: int) -> None:
    answer = anyone.request(method, path)
    assert answer.status_code == status
    _check_problem(answer)
