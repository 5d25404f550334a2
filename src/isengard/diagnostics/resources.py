"""Whether a training will find what it needs: GPU memory, disk, its base model. Looks, and never reserves anything."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isengard.core.settings import Settings
from isengard.datasets.checks import Finding, Severity
from isengard.diagnostics import hub_access
from isengard.diagnostics.hub_access import Access
from isengard.trainers import vram
from isengard.trainers.model_facts import facts_of

_MB = 1_000_000
_PICTURE_BYTES = 2_000_000
_SPARE_MB = 500

_ACCESS: dict[Access, tuple[Severity, str]] = {
    Access.GATED: (
        Severity.ERROR,
        "{model} is gated: accept its terms on its page, and give the job the secret HF_TOKEN of that account",
    ),
    Access.REFUSED: (Severity.ERROR, "the hub refused the token for {model}: it is mistyped, revoked or expired"),
    Access.MISSING: (
        Severity.ERROR,
        "the hub knows no model {model}; check the spelling, or give the secret HF_TOKEN if it is private",
    ),
    Access.UNREACHABLE: (Severity.WARNING, "the hub could not be asked for {model}; it must be in the local cache"),
}


def base_model(config: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[Finding]:
    """Whether the base model can be had: a place on this disk is looked for, the hub is asked for one of its models."""
    model = config.get("base_model")
    if not isinstance(model, str) or not model:
        return
    if model.startswith(("/", "./", "../", "~")) and not Path(model).expanduser().exists():
        yield Finding(
            Severity.ERROR, "base_model_missing", f"there is no base model at {model}", field="config.base_model"
        )
    if not hub_access.is_hub_model(model):
        return
    address = hub_access.endpoint(environment)
    if address is None:
        return
    found = hub_access.look(model, address, environment.get(hub_access.TOKEN))
    if found in _ACCESS:
        severity, words = _ACCESS[found]
        yield Finding(severity, f"base_model_{found}", words.format(model=model), field="config.base_model")


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """What a training will need of a GPU's memory, beside what there is.

    Attributes:
        capacity: Bytes of this machine's largest GPU; None without one.
        settings: The fewest changes with which it would fit: none if it fits; None if none is known or there is no GPU.
    """

    needed: vram.Estimate
    capacity: float | None
    settings: dict[str, Any] | None

    @property
    def fits(self) -> bool | None:
        """None where there is nothing to compare with."""
        return None if self.capacity is None else self.settings == {}


def memory_need(config: Mapping[str, Any], capacities_mb: list[float]) -> MemoryNeed | None:
    """How much GPU memory it will need and whether this machine's largest GPU has it; None when nobody knows.

    Args:
        capacities_mb: Memory of each GPU, MiB; empty for a machine without.
    """
    needed = vram.estimate(config)
    if needed is None or config.get("device") == "cpu":
        return None
    if not capacities_mb:
        return MemoryNeed(needed, None, None)
    capacity = max(capacities_mb) * 1024 * 1024
    return MemoryNeed(needed, capacity, vram.fitting(config, capacity))


def gpu_memory(need: MemoryNeed) -> Finding:
    """The same in words: a warning where it seems too large, never a refusal."""
    words = f"it will need {need.needed.in_words()}"
    if need.capacity is None:
        return Finding(Severity.INFO, "gpu_memory", f"{words}; there is no GPU here to compare")
    words += f"; the largest GPU has {need.capacity / 1e9:.1f}"
    if need.settings is None:
        return Finding(
            Severity.WARNING, "gpu_memory", f"{words}, and no setting makes it fit", field="config.base_model"
        )
    if not need.settings:
        return Finding(Severity.INFO, "gpu_memory", words)
    tries = ", ".join(f"{name} {str(value).lower()}" for name, value in need.settings.items())
    first = next(iter(need.settings))
    return Finding(Severity.WARNING, "gpu_memory", f"{words}; it would fit with {tries}", field=f"config.{first}")


def disk(settings: Settings, config: Mapping[str, Any], dataset_bytes: int) -> Iterator[Finding]:
    """Whether the data folder's disk has room for dataset, samples and checkpoints."""
    free = shutil.disk_usage(settings.data_dir).free / _MB
    needed = disk_needed_mb(config, dataset_bytes)
    words = f"it will write about {needed:.0f} MB, and {free:.0f} MB are free on the data folder's disk"
    if free < needed + _SPARE_MB:
        yield Finding(Severity.ERROR, "disk_space", words)
    elif free - needed < settings.watch_disk_free_mb:
        yield Finding(Severity.WARNING, "disk_space", words)


def disk_needed_mb(config: Mapping[str, Any], dataset_bytes: int) -> float:
    """MB that the training will write: the dataset's copy, samples, checkpoints and the LoRA."""
    steps = int(config.get("steps") or 0)
    saves = _times(steps, config.get("checkpoint_every_n_steps"))
    samples = _times(steps, config.get("sample_every_n_steps")) * max(1, len(config.get("sample_prompts") or []))
    return (3 * dataset_bytes + samples * _PICTURE_BYTES + (saves + 1) * _lora_bytes(config)) / _MB


def _times(steps: int, every: Any) -> int:
    return steps // int(every) if every else 0


def _lora_bytes(config: Mapping[str, Any]) -> int:
    model = config.get("base_model")
    facts = facts_of(model, config.get("arch")) if isinstance(model, str) else None
    return 2 * int(config.get("lora_rank") or 16) * facts.lora_per_rank if facts else 0
