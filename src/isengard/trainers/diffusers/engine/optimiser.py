"""The optimizer and its learning-rate schedule."""

from __future__ import annotations

import importlib.util
from typing import Any

import torch
from diffusers.optimization import get_scheduler
from torch import nn

from isengard.core.errors import InvalidInput
from isengard.trainers.diffusers.engine.hardware import Hardware
from isengard.trainers.diffusers.parameters import DiffusersParameters, OptimizerName, Schedule


def make_optimizer(weights: list[nn.Parameter], parameters: DiffusersParameters, hardware: Hardware) -> Any:
    """An AdamW over `weights`.

    Raises:
        InvalidInput: ``adamw8bit`` without bitsandbytes or without CUDA.
    """
    arguments: dict[str, Any] = {"lr": parameters.learning_rate, "weight_decay": parameters.weight_decay}
    if parameters.optimizer is OptimizerName.ADAMW:
        return torch.optim.AdamW(weights, **arguments)
    if hardware.device.type != "cuda" or importlib.util.find_spec("bitsandbytes") is None:
        raise InvalidInput(
            "the optimizer adamw8bit needs a CUDA GPU and the package bitsandbytes (pip install bitsandbytes); "
            "adamw works everywhere",
            field="config.optimizer",
        )
    import bitsandbytes  # noqa: PLC0415 - an optional package that looks for CUDA when it is imported

    return bitsandbytes.optim.AdamW8bit(weights, **arguments)


def make_schedule(optimizer: Any, parameters: DiffusersParameters) -> Any:
    """The course of the learning rate: linear warm-up, then as asked for, over all steps."""
    name: str = parameters.lr_scheduler.value
    if parameters.lr_scheduler is Schedule.CONSTANT and parameters.lr_warmup_steps:
        name = "constant_with_warmup"
    return get_scheduler(
        name, optimizer, num_warmup_steps=parameters.lr_warmup_steps, num_training_steps=parameters.steps
    )
