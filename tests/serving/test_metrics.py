from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families

from rayon.learning.model import ProductClassifier

URL = "/api/v1/predictions"


def read(client: httpx.Client) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_what_happens_is_counted(client: httpx.Client, model: ProductClassifier) -> None:
    made = client.post(URL, json={"designation": "Lampe"}).json()
    client.post(f"{URL}/batch", json={"listings": [{"designation": "Lampe"}, {}]})
    client.post(URL, data={"designation": "Lampe"}, files={"image": ("a.jpg", b"no picture")})
    client.post(URL, json={})
    for _ in range(3):
        client.get(f"{URL}/{made['id']}")
    client.get("/nothing/of/the/kind")
    found = read(client)

    def requests(method: str, path: str, status: int) -> float:
        labels = (("method", method), ("path", path), ("status", str(status)))
        return found["rayon_requests_total", labels]

    assert requests("POST", URL, 200) == 2
    assert requests("POST", URL, 400) == 1
    assert requests("POST", f"{URL}/batch", 200) == 1
    assert requests("GET", f"{URL}/{{prediction_id}}", 200) == 3
    assert requests("GET", "other", 404) == 1
    labels = (
        ("code", made["code"]),
        ("decision", made["decision"]),
        ("model_version", model.version_[:12]),
    )
    assert found["rayon_predictions_total", labels] == 3
    assert found["rayon_confidence_count", ()] == 3
    assert found["rayon_images_rejected_total", ()] == 1
    assert found["rayon_waiting", ()] == 0
    assert found["rayon_request_seconds_count", (("path", URL),)] == 3
