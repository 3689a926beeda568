"""AdamW with a learning rate for each layer."""

from __future__ import annotations

import re

import torch
from torch import nn

from rayon.learning.finetuning.settings import NetworkTraining

_LOWEST = re.compile(r"embed|patch|stem", re.IGNORECASE)
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")
_TOP = (10**6,)


def layer_depths(network: nn.Module) -> dict[str, int]:
    """How many layers lie above each parameter: 0 for the last layer, most for the embeddings.

    Layers are told by the numbers in the names of the parameters, which every network of transformers has:
    ``encoder.layer.3.attention…`` or ``stages.2.layers.5…``.
    """
    places = {name: _place(name) for name, _ in network.named_parameters()}
    order = sorted(set(places.values()), reverse=True)
    return {name: order.index(place) for name, place in places.items()}


def make_optimizer(
    network: nn.Module, head: nn.Module, settings: NetworkTraining, rate: float, *, pretrained: bool
) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter, 2019); each group's full learning rate is in its ``full``.

    Layers of pretrained networks learn the slower the lower they are (Howard and Ruder, 2018), and the
    classification layer, which starts from nothing, the fastest. Biases and norms do not decay.
    """
    depths = layer_depths(network) if pretrained else {}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    named = [(name, p, rate * settings.layer_decay ** depths.get(name, 0)) for name, p in _learned(network)]
    factor = settings.head_factor if pretrained else 1.0
    named += [(name, p, rate * factor) for name, p in _learned(head)]
    for _, parameter, full in named:
        decay = settings.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((full, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": full, "full": full, "weight_decay": decay}
            for (full, decay), parameters in groups.items()
        ],
        fused=True,
    )


def _learned(module: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, p) for name, p in module.named_parameters() if p.requires_grad]


def _place(name: str) -> tuple[int, ...]:
    numbers = tuple(int(number) for number in _NUMBER.findall(f".{name}"))
    if numbers:
        return numbers
    return (-1,) if _LOWEST.search(name) else _TOP
