"""The state of a training on disk, so that one that was killed goes on to the same result.

A checkpoint is one safetensors file, which appears as a whole or not at all; what is no tensor is JSON in its
header. Nothing is pickled.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from rayon.errors import OutputError, TrainingError
from rayon.learning.finetuning.trained_files import BEST_FILE, CHECKPOINT_FILE

_PREFIXES = ("network.", "head.")


def save_checkpoint(
    folder: Path,
    state: Mapping[str, Any],
    network: nn.Module,
    head: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Write weights, the optimizer's averages, the random generators and ``state``, which is JSON-ready."""
    tensors = {**_weights(network, head), **dict(_averages(optimizer)), "random": torch.get_rng_state()}
    if torch.cuda.is_available():
        tensors["random_cuda"] = torch.cuda.get_rng_state()
    _write(folder / CHECKPOINT_FILE, tensors, state)


def load_checkpoint(
    folder: Path, network: nn.Module, head: nn.Module, optimizer: torch.optim.Optimizer
) -> dict[str, Any] | None:
    """Take up what `save_checkpoint` wrote; ``None`` where there is nothing, or nothing that fits."""
    found = _read(folder / CHECKPOINT_FILE)
    if found is None:
        return None
    tensors, state = found
    parameters = _parameters(optimizer)
    averages = [_part(tensors, f"optimizer.{index}.") for index in range(len(parameters))]
    # All of it is looked at first: what is half loaded is neither the old training nor a new one.
    fits = "random" in tensors and all(
        tensor.shape in (parameter.shape, ())
        for parameter, found in zip(parameters, averages, strict=True)
        for tensor in found.values()
    )
    if not fits or not _fit(tensors, network, head):
        return None
    _load_weights(tensors, network, head)
    for parameter, average in zip(parameters, averages, strict=True):
        optimizer.state[parameter] = {name: t.to(parameter.device) for name, t in average.items()}
    torch.set_rng_state(tensors["random"])
    if "random_cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random_cuda"])
    return state


def save_best(folder: Path, network: nn.Module, head: nn.Module) -> None:
    """Keep the weights that did best so far."""
    _write(folder / BEST_FILE, _weights(network, head), {})


def load_best(folder: Path, network: nn.Module, head: nn.Module) -> None:
    """Put the weights that did best back into the network.

    Raises
    ------
    TrainingError
        When they are not there any more: another process has trained in the same folder.
    """
    found = _read(folder / BEST_FILE)
    if found is None or not _fit(found[0], network, head):
        (folder / CHECKPOINT_FILE).unlink(missing_ok=True)  # which would only lead here again
        raise TrainingError(
            f"The best weights are gone from {folder}",
            "Has another training of the same been going on? Train again",
        )
    _load_weights(found[0], network, head)


def _weights(network: nn.Module, head: nn.Module) -> dict[str, Tensor]:
    return {
        f"{prefix}{name}": tensor.detach().cpu().clone().contiguous()
        for prefix, module in zip(_PREFIXES, (network, head), strict=True)
        for name, tensor in module.state_dict().items()
    }


def _fit(tensors: Mapping[str, Tensor], network: nn.Module, head: nn.Module) -> bool:
    """Whether these are weights of such a network."""
    shapes = {name: tensor.shape for name, tensor in _weights(network, head).items()}
    stored = {name: t.shape for name, t in tensors.items() if name.startswith(_PREFIXES)}
    return shapes == stored


def _load_weights(tensors: Mapping[str, Tensor], network: nn.Module, head: nn.Module) -> None:
    for prefix, module in zip(_PREFIXES, (network, head), strict=True):
        module.load_state_dict(_part(tensors, prefix))


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _averages(optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    for index, parameter in enumerate(_parameters(optimizer)):
        for name, value in optimizer.state.get(parameter, {}).items():
            yield f"optimizer.{index}.{name}", torch.as_tensor(value).detach().cpu().contiguous()


def _parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _write(path: Path, tensors: dict[str, Tensor], state: Mapping[str, Any]) -> None:
    draft = path.with_name(f".{path.name}.tmp")
    try:
        save_file(tensors, str(draft), {"state": json.dumps(dict(state))})
    except SafetensorError as error:  # also where the disk is full
        raise OutputError(f"{path} cannot be written ({error})", "Is the disk full?") from None
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(path)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    if not path.is_file():
        return None
    try:
        with safe_open(str(path), framework="pt") as file:
            state = json.loads((file.metadata() or {})["state"])
            return {name: file.get_tensor(name) for name in file.keys()}, state  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, KeyError):
        return None
