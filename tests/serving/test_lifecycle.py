"""Monitoring and retraining over HTTP: what is there to see, and what can be asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import httpx

from rayon.operations.recipe import RetrainingRecipe
from rayon.operations.retrainings import REPORT_FILE
from rayon.serving.services import Services
from rayon.store.monitoring import add_run
from rayon.store.retrainings import add_step, end_retraining

SignIn = Callable[[str], httpx.Client]
LOOK = {
    "attention": [{"kind": "drift", "message": "2 signals have drifted"}],
    "missing": ["labels"],
    "format": 1,
}


def test_looks_are_listed_newest_first_and_shown_whole(served: Services, signed_in: SignIn) -> None:
    client = signed_in("reviewer")
    nobody = client.get("/api/v1/monitoring/latest")
    assert (nobody.status_code, nobody.json()["detail"]) == (404, "Nobody has looked yet.")
    with served.database.write() as connection:
        ids = [
            add_run(connection, datetime.now(UTC), "ann", "3f2a", 1, {**LOOK, "number": number})
            for number in range(3)
        ]
    page = client.get("/api/v1/monitoring", params={"limit": 2}).json()
    assert [one["id"] for one in page["items"]] == ids[:0:-1]
    assert page["items"][0]["attention"] == LOOK["attention"]
    assert "report" not in page["items"][0]
    rest = client.get("/api/v1/monitoring", params={"cursor": page["next"]}).json()
    assert ([one["id"] for one in rest["items"]], rest["next"]) == (ids[:1], None)
    assert client.get("/api/v1/monitoring/latest").json()["report"]["number"] == 2
    assert client.get(f"/api/v1/monitoring/{ids[0]}").json()["report"] == {**LOOK, "number": 0}
    missing = client.get("/api/v1/monitoring/999")
    assert (missing.status_code, missing.json()["detail"]) == (404, "There is no look 999.")


def test_one_look_at_a_time(served: Services, signed_in: SignIn) -> None:
    with served.looking:
        answer = signed_in("reviewer").post("/api/v1/monitoring", json={})
    assert (answer.status_code, answer.json()["detail"]) == (
        409,
        "Somebody has the live service looked at already.",
    )


def test_a_retraining_is_asked_for_once_and_followed(served: Services, signed_in: SignIn) -> None:
    client = signed_in("admin")
    never = client.post("/api/v1/retrainings", json={"reason": "new products"})
    assert never.status_code == 400
    assert never.json()["detail"] == ("There was no retraining before, whose training data could be taken.")
    recipe = RetrainingRecipe(("/shop",))
    first = served.retrainings.request("ann", "first", "hand", recipe)
    with served.database.write() as connection:
        end_retraining(connection, first.id, "promoted", datetime.now(UTC), "3f2a")
        add_step(connection, first.id, datetime.now(UTC), "golden", {"fixed": 12})

    asked = client.post("/api/v1/retrainings", json={"reason": "new products"})
    assert asked.status_code == 202
    assert {name: asked.json()[name] for name in ("state", "trigger", "actor", "reason", "model")} == {
        "state": "requested",
        "trigger": "api",
        "actor": "admin",
        "reason": "new products",
        "model": None,
    }
    assert served.retrainings.find(asked.json()["id"]).recipe == recipe.to_dict()
    again = client.post("/api/v1/retrainings", json={"reason": "once more"})
    assert again.status_code == 409
    assert again.json()["detail"].startswith("A retraining waits to be started, since ")

    page = client.get("/api/v1/retrainings", params={"limit": 1}).json()
    assert [one["id"] for one in page["items"]] == [asked.json()["id"]]
    (last,) = client.get("/api/v1/retrainings", params={"cursor": page["next"]}).json()["items"]
    assert (last["id"], last["state"], last["model"]) == (first.id, "promoted", "3f2a")
    steps = client.get(f"/api/v1/retrainings/{first.id}").json()["steps"]
    assert [(step["step"], step["detail"]) for step in steps] == [("golden", {"fixed": 12})]
    assert client.get("/api/v1/retrainings/nothing").status_code == 404

    report = f"/api/v1/retrainings/{first.id}/report"
    assert client.get(report).json()["detail"] == "There is no report of this retraining."
    folder = served.retrainings.folder / first.id
    folder.mkdir(parents=True)
    (folder / REPORT_FILE).write_text(json.dumps({"n": 12}))
    assert client.get(report).json() == {"n": 12}
