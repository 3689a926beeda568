"""``rayon explain``: why a listing gets its code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rayon.cli.console import out, print_json, say
from rayon.cli.options import Json, ModelDir
from rayon.data.listings import Listing
from rayon.errors import ListingError
from rayon.learning.model import ProductClassifier
from rayon.reports.console import explanation_view


def explain(
    model_dir: ModelDir,
    designation: Annotated[str, typer.Option("--designation", metavar="TEXT", help="The title.")] = "",
    description: Annotated[str, typer.Option("--description", metavar="TEXT", help="The longer text.")] = "",
    image: Annotated[Path | None, typer.Option("--image", metavar="FILE", help="The picture.")] = None,
    code: Annotated[
        str | None, typer.Option("--code", metavar="CODE", help="Explain this code instead of the answer.")
    ] = None,
    json: Json = False,
) -> None:
    """Show what spoke for and against a code: words, region of the picture, nearest known listings.

    Example: rayon explain model --designation "Piscine ronde 3 m avec pompe"
    """
    listing = Listing(designation, description, image)
    if listing.is_empty:
        raise ListingError("There is no listing to explain", "Give --designation, --description or --image")
    model = ProductClassifier.load(model_dir)
    prediction = model.decide([listing])[0]
    explanation = model.explain(listing, code)
    if json:
        print_json({"prediction": prediction.to_dict(), "explanation": explanation.to_dict()})
    else:
        if prediction.error:
            say(f"A part could not be used: {prediction.error}")
        out.print(explanation_view(prediction, explanation))
