"""Tables as a person sees them in 80 columns without colour."""

from __future__ import annotations

import io

import numpy as np
from rich.console import Console

from rayon.data.listings import Listing
from rayon.learning.evaluation import evaluate
from rayon.learning.explain import Explanation, WordWeight
from rayon.learning.neighbours import Neighbour
from rayon.learning.prediction import Prediction
from rayon.reports.console import (
    confidence_bar,
    evaluation_table,
    explanation_view,
    figures_table,
    predictions_table,
)


def shown(renderable) -> str:
    buffer = io.StringIO()
    Console(file=buffer, width=80, color_system=None).print(renderable)
    text = buffer.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    return text


ACCEPTED = Prediction("10", "Books", 0.97, "accept", "confident", 0.9, ("text",))
REVIEWED = Prediction("2583", "Pools [bold]", 0.4, "review", "below_threshold", 0.9, ("text",))
FAILED = Prediction("", "", 0.0, "review", "", None, (), error="nothing to classify")


def test_each_listing_has_one_row_that_says_what_becomes_of_it():
    listings = [
        Listing("Roman <b>policier</b>", image=b"x"),
        Listing("[red]Piscine" + " très" * 40),
        Listing(),
    ]

    text = shown(predictions_table(listings, [ACCEPTED, REVIEWED, FAILED]))

    rows = text.splitlines()[-4:]
    assert "Roman policier" in rows[0]
    assert "yes" in rows[0]
    assert "10 Books" in rows[0]
    assert "████████  97%" in rows[0]
    assert rows[0].rstrip().endswith("accept")
    assert "[red]Piscine" in rows[1]
    assert "Pools [bold]" in rows[1]
    assert "███░░░░░  40%" in rows[1]
    assert "review: below" in rows[1]
    assert "(no text)" in rows[2]
    assert "nothing" in rows[2]


def test_the_evaluation_is_summed_up():
    y = np.arange(12) % 3
    proba = np.eye(3)[np.where(np.arange(12) == 0, 1, y)] * 0.8 + 0.2 / 3

    evaluation = evaluate({"text": proba}, proba, y, y > 0, ["10", "20", "30"], labels={"10": "Books"})

    text = shown(evaluation_table(evaluation))
    assert "12 listings, 3 codes" in text
    assert "weighted F1" in text
    assert "10 Books" in text
    assert "Most frequent confusions" in text
    assert "25 %" in text


def test_figures_of_a_card_without_intervals_are_shown_too():
    row = {"n": 0, "weighted_f1": None, "macro_f1": None, "accuracy": None, "log_loss": None, "ece": None,
           "coverage": None, "accepted_precision": None}  # fmt: skip

    assert "listings" in shown(figures_table({"fused": row}, "Cross-fitted"))


def test_an_explanation_names_words_regions_and_neighbours():
    words = (WordWeight("designation", 0, 5, "roman", 1.5), WordWeight("designation", 6, 9, "jeu", -0.5))
    regions = ((0.0, 2.0), (-1.0, 1.0))
    neighbours = (Neighbour("10", "Autre [roman]", "", 0.81),)

    text = shown(
        explanation_view(
            ACCEPTED, Explanation("10", "Books", 0.97, words, regions, neighbours, {"text": 0.9})
        )
    )

    assert text.startswith("Books (10)  97.0 % sure, accept")
    assert "text alone 90.0 %" in text
    assert "+1.50" in text
    assert "-0.50" in text
    assert "    ██\n" in text
    assert "Autre [roman]" in text


def test_bars_are_never_longer_than_their_place():
    assert confidence_bar(0) == "░" * 8
    assert confidence_bar(1) == confidence_bar(1.2) == "█" * 8
    assert confidence_bar(0.5, 4) == "██░░"
