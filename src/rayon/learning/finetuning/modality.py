"""Parts of a listing whose network is trained: first a task, and then a modality like any other.

What is trained is exported to ONNX at once, and everything that is scored from then on, the held-out listings
included, is scored by the file that will serve.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rayon.data.image import PREPROCESSING, read_image
from rayon.data.listings import ImageSource, Listing
from rayon.data.splits import grouped_holdout
from rayon.encoders.cache import content_key
from rayon.encoders.onnx import OnnxImageEncoder
from rayon.encoders.onnx_text import PREPROCESSING as PLAIN_TEXT
from rayon.encoders.onnx_text import OnnxTextEncoder, plain_text
from rayon.encoders.tokens import encode_tokens, mask_id, open_tokenizer, padding_id
from rayon.encoders.weights import Weights
from rayon.errors import ImageError, TrainingError
from rayon.learning.finetuning.head import LinearHead
from rayon.learning.finetuning.settings import NetworkTraining
from rayon.learning.finetuning.trained_files import exported, finish, read_finished, train_once
from rayon.learning.finetuning.workspace import NAME_DIGITS, TrainingFolder
from rayon.learning.modalities import ImageModality, Modality, TextModality

if TYPE_CHECKING:
    from rayon.learning.finetuning.examples import Examples

_VERSION = 1
"""Raised by one whenever the same training would give another network."""

_TEXT_EPOCHS, _CONV1D_EPOCHS, _IMAGE_EPOCHS, _CNN_EPOCHS = 4, 5, 8, 30
_SCRATCH_RATE = 2e-3
_RATES = ((512, 1.5e-4), (1024, 5e-5), (10**9, 2e-5))
"""Size of the vectors below which a pretrained network gets a learning rate: smaller ones bear more."""


@dataclass(frozen=True)
class Lesson:
    """What a network learns from.

    Parameters
    ----------
    listings, y, n_classes
        N listings, `int64[N]` class indices, and K.
    groups
        `int64[N]`, the same for near-duplicates.
    seed, threads
        What decides whatever is drawn at random, and worker threads.
    progress
        Told how many batches are through, and how many there will be.
    on_epoch
        Told the figures of each epoch.
    """

    listings: Sequence[Listing]
    y: NDArray[np.int64]
    n_classes: int
    groups: NDArray[np.int64]
    seed: int
    threads: int
    progress: Callable[[int, int], None]
    on_epoch: Callable[[dict[str, float]], None]

    def of(self, rows: NDArray[np.int64]) -> Lesson:
        """The same of some listings alone."""
        listings = [self.listings[row] for row in rows]
        return replace(self, listings=listings, y=self.y[rows], groups=self.groups[rows])


class Learned(NamedTuple):
    """A trained network as a modality, with its head, the figures of each epoch, and where it is kept."""

    modality: Modality
    head: LinearHead
    curve: list[dict[str, float]]
    folder: TrainingFolder


class TrainableModality(Protocol):
    """A part of a listing whose network is yet to be trained."""

    @property
    def name(self) -> str:
        """Name of the modality that it becomes."""
        ...

    @property
    def training(self) -> NetworkTraining:
        """How it is trained."""
        ...

    def usable(self, listings: Sequence[Listing]) -> NDArray[np.int64]:
        """Rows of the listings that have this part."""
        ...

    def train(self, lesson: Lesson) -> Learned:
        """Train the network; one that was trained or begun on the very same is taken up again.

        Raises
        ------
        TrainingError
            When there is too little to learn from, the training goes astray, or another process is at it.
        ModelError
            When weights cannot be loaded or the network cannot be exported.
        """
        ...


@dataclass(frozen=True)
class TextNetwork:
    """A text network that is trained.

    Parameters
    ----------
    name
        Of the modality.
    weights
        Where a pretrained network begins; ``None`` for ``conv1d``, from scratch.
    training
        How it is trained.
    workspace
        Folder of checkpoints and exported networks.
    """

    name: str
    weights: Weights | None
    training: NetworkTraining
    workspace: Path

    def usable(self, listings: Sequence[Listing]) -> NDArray[np.int64]:
        """Rows of the listings with text that a network can read."""
        return np.array([i for i, listing in enumerate(listings) if plain_text(listing)], np.int64)

    def train(self, lesson: Lesson) -> Learned:
        """Train on the text of listings."""
        texts = [plain_text(listing) for listing in lesson.listings]
        folder = _folder(self, lesson, [text.encode() for text in texts])
        train_once(folder, self.training.precision, lambda place: self._train(lesson, texts, place))
        encoder = OnnxTextEncoder(exported(folder, self.training.precision), threads=lesson.threads)
        return Learned(TextModality(encoder, name=self.name), *read_finished(folder.path), folder)

    def _train(self, lesson: Lesson, texts: Sequence[str], folder: Path) -> None:
        from rayon.encoders.deep.onnx_export import export_text
        from rayon.encoders.deep.text_networks import (
            Conv1dText,
            PretrainedText,
            pretrained_tokenizer,
            train_tokenizer,
            vocabulary_size,
        )
        from rayon.learning.finetuning.examples import TextExamples

        weights = self.weights
        if weights:
            network = _seeded(lambda: PretrainedText(weights.folder), lesson.seed)
            json_tokenizer = pretrained_tokenizer(weights.folder, network)
        else:
            json_tokenizer = train_tokenizer(texts)
            network = _seeded(lambda: Conv1dText(vocabulary_size(json_tokenizer)), lesson.seed)
        length = min(self.training.max_length, int(network.longest))
        tokenizer = open_tokenizer(json_tokenizer.encode(), length, folder / "tokenizer.json")
        examples = TextExamples(
            encode_tokens(tokenizer, texts),
            padding_id(tokenizer),
            mask_id(tokenizer),
            encode_tokens(tokenizer, [""])[0],
            self.training.token_dropout,
        )
        trained = _fit(self, network, examples, lesson, folder)
        export_text(
            trained.network,
            json_tokenizer,
            folder,
            max_length=length,
            source=_source(self),
        )
        finish(folder, trained)


@dataclass(frozen=True)
class ImageNetwork:
    """An image network that is trained; see `TextNetwork`. Without weights it is ``cnn``."""

    name: str
    weights: Weights | None
    training: NetworkTraining
    workspace: Path
    threads: int | None = None

    def usable(self, listings: Sequence[Listing]) -> NDArray[np.int64]:
        """Rows of the listings that name a picture."""
        return np.array([i for i, listing in enumerate(listings) if listing.has_image], np.int64)

    def train(self, lesson: Lesson) -> Learned:
        """Train on the pictures of listings."""
        sources = [listing.image for listing in lesson.listings]
        folder = _folder(self, lesson, [_picture_identity(source) for source in sources])
        train_once(folder, self.training.precision, lambda place: self._train(lesson, sources, place))
        encoder = OnnxImageEncoder(exported(folder, self.training.precision))
        return Learned(
            ImageModality(encoder, threads=self.threads, name=self.name), *read_finished(folder.path), folder
        )

    def _train(self, lesson: Lesson, sources: Sequence[ImageSource | None], folder: Path) -> None:
        from rayon.encoders.deep.image_networks import CnnImage, PretrainedImage
        from rayon.encoders.deep.onnx_export import export_image
        from rayon.learning.finetuning.examples import ImageExamples

        weights = self.weights
        network: Any = _seeded(
            lambda: PretrainedImage(weights.folder) if weights else CnnImage(), lesson.seed
        )
        with ThreadPoolExecutor(lesson.threads, thread_name_prefix="rayon-images") as pool:
            examples = ImageExamples(
                sources, network.size, network.mean, network.std, pool, augmented=self.training.augment
            )
            trained = _fit(self, network, examples, lesson, folder)
        export_image(trained.network, folder, source=_source(self))
        finish(folder, trained)


def _fit(
    part: TextNetwork | ImageNetwork,
    network: Any,
    examples: Examples,
    lesson: Lesson,
    folder: Path,
) -> Any:
    from rayon.learning.finetuning.trainer import NetworkTask, computing_threads, train_network

    teach, validate = _split(lesson, part.training.validation)
    rate = part.training.learning_rate or (
        next(rate for size, rate in _RATES if network.dimension < size) if part.weights else _SCRATCH_RATE
    )
    task = NetworkTask(
        network,
        examples,
        lesson.y,
        lesson.n_classes,
        teach,
        validate,
        part.training,
        lesson.seed,
        _epochs(part),
        rate,
        part.weights is not None,
        folder,
        lesson.progress,
        lesson.on_epoch,
    )
    with computing_threads(lesson.threads):
        return train_network(task)


def _split(lesson: Lesson, share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to learn from, and rows that say when to stop; near-duplicates on the same side."""
    if len(np.unique(lesson.y)) < 2:
        raise TrainingError(
            "There are too few listings to train a network", "Add some, or use an encoder that is not trained"
        )
    held = grouped_holdout(lesson.y, lesson.groups, share, random_state=lesson.seed)
    if len(np.unique(lesson.y[~held])) < 2:
        held[:] = False  # too few to say when to stop
    return np.flatnonzero(~held), np.flatnonzero(held)


def _epochs(part: TextNetwork | ImageNetwork) -> int:
    scratch, pretrained = (
        (_CNN_EPOCHS, _IMAGE_EPOCHS) if isinstance(part, ImageNetwork) else (_CONV1D_EPOCHS, _TEXT_EPOCHS)
    )
    return part.training.epochs or (pretrained if part.weights else scratch)


def _seeded(make: Callable[[], Any], seed: int) -> Any:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def _source(part: TextNetwork | ImageNetwork) -> dict[str, Any]:
    if part.weights is None:
        return {"name": "cnn" if isinstance(part, ImageNetwork) else "conv1d"}
    return {**part.weights.source(), "finetuned": True}


def _folder(part: TextNetwork | ImageNetwork, lesson: Lesson, contents: Sequence[bytes]) -> TrainingFolder:
    """Where this very training is kept: the same data and options give the same folder."""
    options = part.training.to_dict()
    for name in ("device", "checkpoint_seconds", "held_out", "refit", "precision"):
        del options[name]
    # What is not chosen follows from these, which another version may have otherwise.
    options |= {
        "epochs": _epochs(part),
        "learning_rate": part.training.learning_rate or [_RATES, _SCRATCH_RATE],
    }
    identity = [
        _VERSION,
        options,
        _source(part),
        lesson.seed,
        lesson.n_classes,
        [PLAIN_TEXT, PREPROCESSING],
        [version(name) for name in ("torch", "transformers", "tokenizers")],
    ]
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode())
    digest.update(lesson.y.tobytes() + lesson.groups.tobytes())
    for content in contents:
        digest.update(len(content).to_bytes(8, "little") + content)
    return TrainingFolder(part.workspace / "training" / f"{part.name}-{digest.hexdigest()[:NAME_DIGITS]}")


def _picture_identity(source: ImageSource | None) -> bytes:
    """What tells one picture from another: its bytes, as copies of a catalogue are the same catalogue."""
    if source is None:
        return b""
    try:
        return content_key(read_image(source))
    except ImageError as error:
        return str(error).encode("utf-8", "replace")
