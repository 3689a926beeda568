"""How a network is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self, get_args

from rayon.encoders.onnx_settings import Precision
from rayon.errors import TrainingError

Balance = Literal["none", "loss", "sampling"]
MixedPrecision = Literal["auto", "off", "on"]
Device = Literal["auto", "cpu", "cuda"]
HeldOut = Literal["auto", "split", "folds"]

SMALL = 5_000
"""With fewer trusted listings a single split leaves too little to calibrate on, and folds are used."""


@dataclass(frozen=True, slots=True)
class NetworkTraining:
    """How networks are trained. What is ``None`` depends on the network.

    Parameters
    ----------
    epochs
        Passes over the data; training ends earlier when validation no longer improves.
    batch_size
        Listings whose gradients are averaged in one pass through the network.
    accumulate
        Passes a step of the optimiser; the step sees ``batch_size * accumulate`` listings.
    learning_rate
        Of the last layer of a pretrained network, or of all of a network from scratch.
    layer_decay
        Factor on the learning rate from each layer to the one below; 1 for the same everywhere.
    head_factor
        Factor on the learning rate of the classification layer, which starts from nothing.
    weight_decay
        Of AdamW; biases and norms have none.
    warmup
        Share of the steps during which the learning rate rises; then it falls as a cosine.
    label_smoothing
        Share of a label that is spread over all codes.
    balance
        ``"loss"`` weighs listings by the square root of how rare their code is, ``"sampling"`` draws them so.
    mixed_precision
        ``"on"`` computes in bfloat16 (float16 on a GPU that lacks it), ``"auto"`` where that is quick.
    patience
        Epochs without improvement after which training ends.
    validation
        Share of the listings, near-duplicates together, that only says when to stop.
    held_out
        Where the probabilities for fusion, calibration and promise come from: ``"split"`` trains one network
        and holds a tenth of the listings out of it, ``"folds"`` cross-fits as for other heads, at the price
        of a training a fold and one more; ``"auto"`` is ``"folds"`` below 5,000 trusted listings.
    refit
        Whether, with ``held_out="split"``, the network that serves is trained once more, on everything. It
        then answers a little better than the figures say, at the price of a second training.
    max_length
        Tokens of a listing that are read.
    augment
        Whether pictures are cropped, mirrored and lit at random while learning.
    token_dropout
        Share of the tokens of a text that are hidden at random while learning.
    precision
        Of the network that serves: ``"int8"`` is smaller and faster. What is held out is scored by this one.
    device
        ``"auto"`` takes a GPU where there is one.
    checkpoint_seconds
        Between two checkpoints, from which a training that was killed goes on.
    """

    epochs: int | None = None
    batch_size: int = 32
    accumulate: int = 1
    learning_rate: float | None = None
    layer_decay: float = 0.9
    head_factor: float = 10.0
    weight_decay: float = 0.01
    warmup: float = 0.06
    label_smoothing: float = 0.05
    balance: Balance = "none"
    mixed_precision: MixedPrecision = "auto"
    patience: int = 3
    validation: float = 0.05
    held_out: HeldOut = "auto"
    refit: bool = False
    max_length: int = 128
    augment: bool = True
    token_dropout: float = 0.0
    precision: Precision = "fp32"
    device: Device = "auto"
    checkpoint_seconds: float = 120.0

    def __post_init__(self) -> None:
        for name, (least, most) in _BOUNDS.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise TrainingError(
                    f"The training option {name} is {value}", f"Give a value from {least} to {most}"
                )
        for name, kind in _CHOICES.items():
            if getattr(self, name) not in get_args(kind):
                raise TrainingError(
                    f"The training option {name} is {getattr(self, name)!r}",
                    f"It is one of: {', '.join(get_args(kind))}",
                )

    @classmethod
    def from_words(cls, words: Mapping[str, str]) -> Self:
        """Options from text, as the command line has them.

        Raises
        ------
        TrainingError
            When there is no such option, or its value is not what it takes.
        """
        kinds = {item.name: str(item.type) for item in fields(cls)}
        return cls.from_dict({name: _value(name, word, kinds.get(name, "")) for name, word in words.items()})

    @classmethod
    def from_dict(cls, options: Mapping[str, Any]) -> Self:
        """Options by name; what is left out is as usual.

        Raises
        ------
        TrainingError
            When there is no such option, or its value is out of bounds.
        """
        known = [item.name for item in fields(cls)]
        unknown = next((name for name in options if name not in known), None)
        if unknown is not None:
            raise TrainingError(f"There is no training option {unknown!r}", f"Known are {', '.join(known)}")
        return cls(**options)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return asdict(self)


def _value(name: str, word: str, kind: str) -> Any:
    try:
        if kind.startswith("int"):
            return int(word)
        if kind.startswith("float"):
            return float(word)
    except ValueError:
        raise TrainingError(f"The training option {name} is {word!r}, not a number") from None
    if kind == "bool":
        if word not in ("true", "false"):
            raise TrainingError(f"The training option {name} is {word!r}", "Write true or false")
        return word == "true"
    return word


_BOUNDS: dict[str, tuple[float, float]] = {
    "epochs": (1, 1000),
    "batch_size": (1, 4096),
    "accumulate": (1, 1024),
    "learning_rate": (1e-8, 1.0),
    "layer_decay": (0.1, 1.0),
    "head_factor": (0.1, 1000.0),
    "weight_decay": (0.0, 1.0),
    "warmup": (0.0, 0.9),
    "label_smoothing": (0.0, 0.9),
    "patience": (1, 1000),
    "validation": (0.01, 0.5),
    "max_length": (4, 8192),
    "token_dropout": (0.0, 0.9),
    "checkpoint_seconds": (0.0, 86400.0),
}
_CHOICES = {
    "balance": Balance,
    "mixed_precision": MixedPrecision,
    "held_out": HeldOut,
    "precision": Precision,
    "device": Device,
}
