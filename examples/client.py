"""Ask a running Rayon service for a code, and tell it whether the answer was right.

    python examples/client.py http://127.0.0.1:8000 "Piscine ronde 3 m avec pompe" [PICTURE]

It needs httpx (`pip install httpx`). The API key comes from the variable RAYON_KEY; make one with
`rayon keys create NAME`. To validate answers, its user has to be a reviewer.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import httpx


def main(address: str, title: str, picture: str | None = None) -> int:
    """Predict, show the answer, and validate it as right."""
    headers = {"Authorization": f"Bearer {os.environ['RAYON_KEY']}"}
    # Overloaded or stopping services answer 503 at once, with the seconds to wait in Retry-After.
    with httpx.Client(base_url=f"{address}/api/v1", headers=headers, timeout=30) as client:
        if picture:
            files = {"image": Path(picture).read_bytes()}
            answer = client.post("/predictions", data={"designation": title}, files=files)
        else:
            answer = client.post("/predictions", json={"designation": title})
        if answer.is_error:
            problem = answer.json()
            print(f"{problem['title']}: {problem['detail']} {problem['hint']}", file=sys.stderr)
            return 1
        prediction = answer.json()
        print(f"{prediction['code']} {prediction['label']}: {prediction['confidence']:.0%} sure")
        print("filed" if prediction["decision"] == "accept" else "a person should look")
        word = client.post(f"/predictions/{prediction['id']}/validations", json={"verdict": "right"})
        print("validated" if word.is_success else word.json()["detail"])
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
