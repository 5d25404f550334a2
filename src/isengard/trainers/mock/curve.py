"""The mock's figures: a loss that decays with noise and spikes, a warm-up and cosine learning rate.

Every value is a function of seed and step alone, so a resumed run goes on exactly where the first one would have been.
"""

from __future__ import annotations

import math
import random


def loss(seed: int, step: int, steps: int) -> float:
    """The loss of `step` (from 1) of `steps`: about 0.25 falling to 0.06, with noise and one spike in fifty."""
    dice = random.Random(f"{seed}:{step}")  # noqa: S311 - figures for a chart, not for a lock
    progress = step / max(steps, 1)
    trend = 0.06 + 0.19 * math.exp(-4 * progress)
    spike = dice.uniform(1.5, 2.6) if dice.random() < 0.02 else 1.0
    return round(trend * dice.lognormvariate(0, 0.12) * spike, 6)


def learning_rate(peak: float, step: int, steps: int) -> float:
    """Linear warm-up over the first twentieth, then a cosine down to a tenth of `peak`."""
    warmup = max(1, steps // 20)
    if step <= warmup:
        return peak * step / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return peak * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * progress)))


def gradient_norm(seed: int, step: int) -> float:
    """A plausible gradient norm."""
    return round(random.Random(f"g{seed}:{step}").lognormvariate(-0.7, 0.25), 5)  # noqa: S311 - as above
