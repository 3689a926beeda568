"""The model card: what a person should know before trusting a model version."""

from __future__ import annotations

from typing import Any

from rayon.learning.modalities import by_part


def model_card(model: dict[str, Any]) -> str:
    """Markdown of one model version, from its ``model.json``; every figure in it is cross-fitted."""
    promise, data, figures = model["promise"], model["data"], model["figures"]
    again = "recalibration" in promise
    lines = [
        "# Model card",
        "",
        f"Made {model['created']} by Rayon {model['rayon']}, format {model['format']}, "
        f"seed {model['random_state']}.",
        "",
        "## What it does",
        "",
        f"It gives a listing one of {len(model['codes'])} product type codes from its "
        f"{' and '.join(by_part(model['encoders']))}, with a calibrated confidence, and decides whether the "
        "answer can be filed or a person should look. Any part of a listing may be missing, not all of them.",
        "",
        "It looks at them by way of:",
        "",
        *(f"- {name}: {_encoder(spec)}" for name, spec in model["encoders"].items()),
        "",
        "## What it learned from",
        "",
        f"- {data['trusted']:,} trusted listings: they teach, calibrate"
        f"{'' if again else ', set the threshold'} and give the figures below",
        *_kept_from_networks(model),
        f"- {data['train_only']:,} train-only listings: they teach the heads and nothing else",
        f"- data fingerprint `{data['fingerprint'] or 'not recorded'}`",
        "",
        "## How good it is",
        "",
        "Figures on the trusted listings, each answered by heads, a fusion and a policy that never saw it.",
        "Brackets hold 95 % bootstrap intervals.",
        "",
        "| modality | listings | weighted F1 | macro F1 | accuracy | calibration error |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [_figure_row(name, row) for name, row in figures["modalities"].items()]
    lines += ["", "## What it promises", "", *_promise(promise, figures["modalities"]["fused"])]
    lines += [
        "",
        "## Where it should not be trusted",
        "",
        f"- The promise {'holds' if again else 'and the confidence hold'} for listings distributed like the "
        f"{'audited' if again else 'trusted'} ones. Another mix of codes, sellers, languages or pictures "
        f"breaks {'it' if again else 'them'}; watch live quality on a random sample.",
        f"- Codes with fewer than {promise['min_code_listings']} {'trusted' if again else 'calibration'} "
        "listings always go to review"
        + (
            f": {', '.join(promise['review_codes'])}."
            if promise["review_codes"]
            else "; here there are none."
        ),
        "- The folder holds the titles and product ids of the training listings, to show the nearest ones.",
        "",
    ]
    return "\n".join(lines)


def _encoder(spec: dict[str, Any]) -> str:
    """What an encoder is, in a few words."""
    if "parts" in spec:
        return ", ".join(_encoder(part["encoder"]) for part in spec["parts"])
    source = spec.get("settings", {}).get("source")
    if not source:
        return str(spec["name"])
    words = [source["name"]]
    if revision := source.get("revision"):
        words.append(f"revision {revision[:12]}")
    if digest := source.get("sha256"):
        words.append(f"SHA-256 {digest[:12]}")
    if source.get("finetuned"):
        words.append("fine-tuned")
    return ", ".join(words)


def _kept_from_networks(model: dict[str, Any]) -> list[str]:
    scored = model["figures"]["modalities"]["fused"]["n"]
    if "curves" not in model or scored == model["data"]["trusted"]:
        return []
    return [
        f"- {scored:,} of these could be scored by a model that never saw them: calibration, threshold "
        "and figures rest on them alone"
    ]


def _figure_row(name: str, row: dict[str, Any]) -> str:
    intervals = row.get("intervals") or {}

    def cell(key: str) -> str:
        value = row[key]
        if value is None:
            return "–"
        interval = intervals.get(key)
        return f"{value:.3f}" + (f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else "")

    cells = [cell(key) for key in ("weighted_f1", "macro_f1", "accuracy", "ece")]
    return f"| {name} | {row['n']:,} | " + " | ".join(cells) + " |"


def _promise(promise: dict[str, Any], fused: dict[str, Any]) -> list[str]:
    if promise["threshold"] is None:
        return [promise["message"] or "Nothing is accepted: the data cannot support a promise."]
    return [
        f"The accepted listings as a whole are at least {promise['precision']:.1%} right, with "
        f"{promise['confidence']:.0%} confidence over the draw of the calibration data. Listings with a "
        f"score of {promise['threshold']:.4f} or more are accepted; the score is half of one plus the "
        "lead of the likeliest code over the second.",
        "",
        *_reach(promise, fused),
    ]


def _reach(promise: dict[str, Any], fused: dict[str, Any]) -> list[str]:
    if again := promise.get("recalibration"):
        return [
            f"The threshold was set again {again['at']}, on {again['listings']:,} listings that the random "
            f"audit drew and people validated; all else is the model `{again['parent'][:12]}`, whose "
            f"threshold was {_score(again['threshold_before'])}. Of those listings {promise['coverage']:.1%} "
            f"reach the new one, and {promise['accepted_precision']:.2%} of these were right. Of the trusted "
            f"listings, which it does not rest on, {fused['coverage']:.1%} do.",
        ]
    return [
        f"On all of them {promise['coverage']:.1%} reach it. Cross-fitted, with a threshold from four "
        f"fifths of the listings at a time, {fused['coverage']:.1%} were accepted"
        + (
            f" and {fused['accepted_precision']:.2%} of those were right."
            if fused["accepted_precision"]
            else "."
        ),
    ]


def _score(threshold: float | None) -> str:
    return "none" if threshold is None else f"{threshold:.4f}"
