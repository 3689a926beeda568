"""The training loop: a network and a classification layer on top of it, learned together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from torch import Tensor, nn

from rayon.errors import TrainingError
from rayon.learning.finetuning.batches import draw_weights, epoch_batches, rarity
from rayon.learning.finetuning.checkpoint import load_best, load_checkpoint, save_best, save_checkpoint
from rayon.learning.finetuning.examples import Examples
from rayon.learning.finetuning.optimizer import make_optimizer
from rayon.learning.finetuning.schedule import rate_share
from rayon.learning.finetuning.settings import NetworkTraining

_LARGEST_GRADIENT = 1.0
_SCORED_AT_ONCE = 4


@dataclass(frozen=True)
class NetworkTask:
    """What is to be trained, and on what.

    Parameters
    ----------
    network
        Takes the inputs of a batch, gives vectors `[n, dimension]`.
    examples, y, n_classes
        The listings, `int64[n]` class indices, and K.
    teach, validate
        Rows that are learned from, and rows that say when to stop.
    settings, seed
        How, and what decides whatever is drawn at random.
    epochs, rate
        Passes over the data at the most, and the full learning rate.
    pretrained
        Whether the network's weights come from elsewhere.
    folder
        Where checkpoints are kept.
    progress
        Told how many batches are through, and how many there will be.
    on_epoch
        Told the figures of each epoch.
    """

    network: nn.Module
    examples: Examples
    y: NDArray[np.int64]
    n_classes: int
    teach: NDArray[np.int64]
    validate: NDArray[np.int64]
    settings: NetworkTraining
    seed: int
    epochs: int
    rate: float
    pretrained: bool
    folder: Path
    progress: Callable[[int, int], None]
    on_epoch: Callable[[dict[str, float]], None]


@dataclass(frozen=True)
class TrainedNetwork:
    """A network with the weights that did best on validation.

    Parameters
    ----------
    network
        On the CPU, not training any more.
    weights, bias
        `float32[d, K]` and `float32[K]` of the classification layer.
    curve
        Figures of each epoch.
    """

    network: nn.Module
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    curve: list[dict[str, float]]


@dataclass
class _State:
    """Where a training is; JSON-ready by `vars`."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    best: float = -1.0
    worse: int = 0
    loss: float = 0.0
    seen: int = 0
    scaler: dict[str, Any] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)


def train_network(task: NetworkTask) -> TrainedNetwork:
    """Train until the last epoch, or until validation no longer improves.

    Raises
    ------
    TrainingError
        When the loss is no number any more.
    """
    task.folder.mkdir(parents=True, exist_ok=True)
    device = choose_device(task.settings)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(task.seed)
        return _Run(task, device).run()


@contextmanager
def computing_threads(threads: int) -> Iterator[None]:
    """Have torch compute with so many threads, and then with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_device(settings: NetworkTraining) -> torch.device:
    """The GPU where there is one and it may be used.

    Raises
    ------
    TrainingError
        When a GPU is asked for and there is none.
    """
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("There is no GPU that torch can use", "Train with device=cpu or device=auto")
    return torch.device("cuda" if settings.device != "cpu" and torch.cuda.is_available() else "cpu")


class _Run:
    def __init__(self, task: NetworkTask, device: torch.device) -> None:
        self.task = task
        self.device = device
        self.network = task.network.to(device)
        self.head = nn.Linear(task.network.dimension, task.n_classes).to(device)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.optimizer = make_optimizer(
            self.network, self.head, task.settings, task.rate, pretrained=task.pretrained
        )
        self.half = _half_precision(task.settings, device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.half is torch.float16)
        self.y = torch.from_numpy(task.y)
        y_taught = task.y[task.teach]
        self.draw = draw_weights(task.settings.balance, y_taught, task.n_classes)
        self.weight = torch.ones(len(task.y))
        if task.settings.balance == "loss":
            self.weight[task.teach] = torch.from_numpy(rarity(y_taught, task.n_classes)).float()
        size = task.settings.batch_size
        self.batches_an_epoch = -(-len(task.teach) // size)
        self.steps = task.epochs * -(-self.batches_an_epoch // task.settings.accumulate)
        self.state = _State()

    def run(self) -> TrainedNetwork:
        state = load_checkpoint(self.task.folder, self.network, self.head, self.optimizer)
        if state is not None:
            self.state = _State(**state)
            if self.state.scaler:
                self.scaler.load_state_dict(self.state.scaler)
            for figures in self.state.curve:
                self.task.on_epoch(figures)
        saved = time.monotonic()
        while self.state.epoch < self.task.epochs and self.state.worse < self.task.settings.patience:
            for _ in self._epoch():
                if time.monotonic() - saved >= self.task.settings.checkpoint_seconds:
                    self._save()
                    saved = time.monotonic()
            self._end_epoch()
            self._save()
        total = self.task.epochs * self.batches_an_epoch
        if self.state.epoch < self.task.epochs:  # it ended early
            self.task.progress(total, total)
        load_best(self.task.folder, self.network, self.head)
        network = self.network.float().cpu().train(False)
        weights = self.head.weight.detach().float().cpu().numpy().T.copy()
        return TrainedNetwork(
            network, weights, self.head.bias.detach().float().cpu().numpy(), self.state.curve
        )

    def _save(self) -> None:
        self.state.scaler = self.scaler.state_dict()  # empty where nothing is scaled
        save_checkpoint(self.task.folder, vars(self.state), self.network, self.head, self.optimizer)

    def _epoch(self) -> Iterator[None]:
        """Learn from what is left of an epoch; pauses after each step, where a checkpoint may be taken."""
        task, state = self.task, self.state
        batches = epoch_batches(
            task.examples.lengths[task.teach],
            task.settings.batch_size,
            seed=task.seed,
            epoch=state.epoch,
            weights=self.draw,
        )
        self.network.train()
        self.head.train()
        accumulate = task.settings.accumulate
        for number in range(state.batch, len(batches)):
            last = number == len(batches) - 1
            waiting = number % accumulate + 1
            self._learn(task.teach[batches[number]], min(accumulate, len(batches) - number + waiting - 1))
            state.batch = number + 1
            task.progress(
                state.epoch * self.batches_an_epoch + state.batch, task.epochs * self.batches_an_epoch
            )
            if last or waiting == accumulate:
                self._step()
                yield

    def _learn(self, rows: NDArray[np.int64], parts: int) -> None:
        batch = self.task.examples.batch(rows, (self.task.seed, self.state.epoch))
        if not len(batch.rows):
            return
        y = self.y[batch.rows].to(self.device)
        weight = self.weight[batch.rows].to(self.device)
        with self._computing():
            logits = self._logits(batch.inputs)
        loss = nn.functional.cross_entropy(
            logits.float(), y, label_smoothing=self.task.settings.label_smoothing, reduction="none"
        )
        loss = (loss * weight).mean()
        value = float(loss.detach())
        if not np.isfinite(value):
            raise TrainingError(
                "The training went astray: its loss is no number any more",
                "Give a smaller learning_rate, or mixed_precision=off",
            )
        self.scaler.scale(loss / parts).backward()
        self.state.loss += value * len(y)
        self.state.seen += len(y)

    def _step(self) -> None:
        share = rate_share(self.state.step, self.steps, self.task.settings.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = group["full"] * share
        self.scaler.unscale_(self.optimizer)
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, _LARGEST_GRADIENT)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self.state.step += 1

    def _end_epoch(self) -> None:
        task, state = self.task, self.state
        validated = self._validate()
        figures = {
            "epoch": state.epoch + 1,
            "loss": round(state.loss / max(1, state.seen), 5),
            **validated,
            "learning_rate": task.rate * rate_share(state.step - 1, self.steps, task.settings.warmup),
        }
        state.curve.append(figures)
        f1 = validated.get("validation_f1")
        better = f1 is None or f1 > state.best  # without validation the last weights are as good as any
        state.worse = 0 if better else state.worse + 1
        if better:
            state.best = state.best if f1 is None else f1
            save_best(task.folder, self.network, self.head)
        state.epoch, state.batch, state.loss, state.seen = state.epoch + 1, 0, 0.0, 0
        task.on_epoch(figures)

    def _validate(self) -> dict[str, float]:
        """Mean loss and weighted F1 on the validation rows; nothing where none of them can be read."""
        self.network.train(False)
        self.head.train(False)
        rows = self.task.validate[np.argsort(self.task.examples.lengths[self.task.validate], kind="stable")]
        size = self.task.settings.batch_size * _SCORED_AT_ONCE
        scores: list[Tensor] = []
        truth: list[NDArray[np.int64]] = []
        with torch.inference_mode(), self._computing():
            for start in range(0, len(rows), size):
                batch = self.task.examples.batch(rows[start : start + size], None)
                if len(batch.rows):
                    scores.append(self._logits(batch.inputs).float().cpu())
                    truth.append(self.task.y[batch.rows])
        if not scores:
            return {}
        logits, y = torch.cat(scores), np.concatenate(truth)
        loss = float(nn.functional.cross_entropy(logits, torch.from_numpy(y)))
        found = logits.argmax(dim=1).numpy()
        f1 = float(f1_score(y, found, average="weighted", zero_division=0))
        return {"validation_loss": round(loss, 5), "validation_f1": round(f1, 5)}

    def _logits(self, inputs: dict[str, Tensor]) -> Tensor:
        placed = {name: tensor.to(self.device, non_blocking=True) for name, tensor in inputs.items()}
        found: Tensor = self.head(self.network(**placed))
        return found

    @contextmanager
    def _computing(self) -> Iterator[None]:
        half = self.half
        with nullcontext() if half is None else torch.autocast(self.device.type, dtype=half):
            yield


def _half_precision(settings: NetworkTraining, device: torch.device) -> torch.dtype | None:
    """The type that products are computed in; ``None`` for float32."""
    if settings.mixed_precision == "off":
        return None
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    known: dict[str, Any] = torch.cpu.get_capabilities()
    quick = known.get("avx512_bf16") or known.get("amx_bf16")
    return torch.bfloat16 if quick or settings.mixed_precision == "on" else None
