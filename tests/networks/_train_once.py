"""Train a small network, telling each epoch on standard output; `test_training` kills it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from rayon.data.listings import Listing
from rayon.encoders.weights import WeightStore
from rayon.learning.finetuning.modality import Lesson, TextNetwork
from rayon.learning.finetuning.settings import NetworkTraining


def tell(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main(weights: str, workspace: Path, data: Path) -> None:
    rows = json.loads(data.read_text())
    lesson = Lesson(
        [Listing(title) for title in rows["titles"]],
        np.array(rows["y"]),
        3,
        np.arange(len(rows["y"])),
        0,
        1,
        lambda done, total: tell({"done": done, "total": total}),
        tell,
    )
    found = WeightStore(workspace / "none").find(weights) if weights else None
    training = NetworkTraining(epochs=4, batch_size=8, checkpoint_seconds=0, max_length=16, patience=9)
    learned = TextNetwork("text-network", found, training, workspace).train(lesson)
    arrays = learned.head.to_arrays()
    tell({"sha256": learned.modality.spec()["sha256"], "bias": arrays["bias"].tolist()})


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
