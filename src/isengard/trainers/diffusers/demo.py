"""The configuration with which the demo character is learnt on two CPU cores in about a minute and a half."""

from __future__ import annotations

from typing import Any

CONFIG: dict[str, Any] = {
    "base_model": "demo",
    "steps": 300,
    "learning_rate": 4e-3,
    "batch_size": 8,
    "resolution": 64,
    "lora_rank": 16,
    "target_modules": "wide",
    "sample_every_n_steps": 50,
    "checkpoint_every_n_steps": 100,
    "sample_prompts": ["mizu on a pink background", "mizu waving on a yellow background"],
    "seed": 42,
}
"""Pink is in none of the character's pictures: what the base model knows and what the LoRA learnt come together."""
