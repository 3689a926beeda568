"""How the learning rate changes over the steps."""

from __future__ import annotations

import math


def rate_share(step: int, steps: int, warmup: float) -> float:
    """Share of the full learning rate at a step: a linear warm-up, then a cosine to zero.

    Parameters
    ----------
    step
        From 0 on.
    steps
        How many there are.
    warmup
        Share of them during which the rate rises.
    """
    rising = warmup * steps
    if step < rising:
        return (step + 1) / (rising + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1.0, steps - rising)))
