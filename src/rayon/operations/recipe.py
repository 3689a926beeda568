"""How to train again: what a retraining remembers of the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from rayon.data.taxonomy import Taxonomy
from rayon.learning.finetuning.settings import NetworkTraining
from rayon.learning.model import ProductClassifier


@dataclass(frozen=True, slots=True)
class RetrainingRecipe:
    """Training data and options, as `rayon train` has them.

    Parameters
    ----------
    catalogues, train_only
        Absolute paths of trusted catalogues, and of those that teach the heads alone.
    taxonomy
        Absolute path of a file of codes; ``None`` takes the codes of the catalogues.
    text_encoder, image_encoder
        One name, or several.
    folds, precision, seed, finetune
        See `rayon.learning.model.ProductClassifier`.
    network
        What was chosen of `NetworkTraining`; the rest is as usual.
    columns, images, encoding
        How to read the catalogues, see `rayon.data.loading.read_catalogue`.
    """

    catalogues: tuple[str, ...]
    train_only: tuple[str, ...] = ()
    taxonomy: str | None = None
    text_encoder: str | tuple[str, ...] = "ngrams"
    image_encoder: str | tuple[str, ...] = "builtin"
    folds: int = 5
    precision: float = 0.98
    seed: int = 0
    columns: Mapping[str, str] | None = None
    images: str | None = None
    encoding: str | None = None
    finetune: bool = False
    network: Mapping[str, Any] | None = None

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Make what `to_dict` gave into a recipe again."""
        lists = {name: tuple(value) for name, value in document.items() if isinstance(value, list)}
        return cls(**{**document, **lists})

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        found = asdict(self).items()
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found}

    @property
    def encoders(self) -> list[str]:
        """The text encoders, then the image encoders."""
        both = (self.text_encoder, self.image_encoder)
        return [one for some in both for one in ((some,) if isinstance(some, str) else some)]

    @property
    def trusted_paths(self) -> list[Path]:
        """The trusted catalogues."""
        return [Path(path) for path in self.catalogues]

    @property
    def train_only_paths(self) -> list[Path]:
        """The catalogues that teach the heads alone."""
        return [Path(path) for path in self.train_only]

    @property
    def reading(self) -> dict[str, Any]:
        """The keywords of `read_catalogue`."""
        images = Path(self.images) if self.images else None
        return {"columns": self.columns, "images": images, "encoding": self.encoding}

    def model(self, cache: Path | None, threads: int | None, workspace: Path | None) -> ProductClassifier:
        """An unfitted classifier."""
        return ProductClassifier(
            text=self.text_encoder,
            image=self.image_encoder,
            precision=self.precision,
            folds=self.folds,
            taxonomy=Taxonomy.load(self.taxonomy) if self.taxonomy else None,
            cache=cache,
            threads=threads,
            random_state=self.seed,
            finetune=self.finetune,
            network=NetworkTraining.from_dict(self.network or {}),
            workspace=workspace,
        )
