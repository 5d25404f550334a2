"""Puts a LoRA on the networks that learn and reads it back out. Knows PEFT's names, not those of any file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from diffusers.training_utils import cast_training_params
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor, nn

from isengard.trainers.diffusers.engine.family import Family

Weights = dict[str, dict[str, Tensor]]
"""The LoRA's weights: by the network's name in the pipeline, then by PEFT's name of the tensor."""

_ADAPTER = "default"


class Adapter:
    """The LoRA of one training.

    Args:
        seed: Of its first weights.
    """

    def __init__(self, family: Family, seed: int) -> None:
        parameters = family.parameters
        self._parts: dict[str, Any] = dict(family.adapted())
        self.rank, self.alpha = parameters.lora_rank, parameters.alpha
        torch.manual_seed(seed)
        for name, part in self._parts.items():
            config = LoraConfig(
                r=self.rank,
                lora_alpha=self.alpha,
                lora_dropout=parameters.lora_dropout,
                target_modules=_layers(part, family.target_modules(name)),
            )
            part.add_adapter(config, _ADAPTER)
        cast_training_params(list(self._parts.values()), dtype=torch.float32)

    def parameters(self) -> list[nn.Parameter]:
        """What the optimizer moves."""
        return [weight for part in self._parts.values() for weight in part.parameters() if weight.requires_grad]

    def learning(self, yes: bool) -> None:
        """Switch dropout and gradient checkpointing on for training or off for sampling."""
        for part in self._parts.values():
            part.train(yes)

    def weights(self) -> Weights:
        """A copy of all weights, 32 bit, in main memory."""
        return {
            name: {key: value.detach().float().cpu().clone() for key, value in _state(part).items()}
            for name, part in self._parts.items()
        }

    def load(self, weights: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Take weights that `weights` gave.

        Raises:
            ValueError: They are of another LoRA: other networks, layers or rank.
        """
        for name, part in self._parts.items():
            state = dict(weights.get(name, {}))
            ours = _state(part)
            if {key: value.shape for key, value in state.items()} != {key: value.shape for key, value in ours.items()}:
                raise ValueError(f"the checkpoint's LoRA for {name} has other layers or another rank")
            set_peft_model_state_dict(part, state, adapter_name=_ADAPTER)


def _layers(part: nn.Module, endings: tuple[str, ...]) -> list[str]:
    """The layers inside blocks with these names; FLUX's very last layer is called as one of them and is not meant."""
    return [name for name, _ in part.named_modules() if name.endswith(tuple(f".{ending}" for ending in endings))]


def _state(part: nn.Module) -> dict[str, Tensor]:
    state: dict[str, Tensor] = get_peft_model_state_dict(part, adapter_name=_ADAPTER)
    return state
