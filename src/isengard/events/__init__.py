"""Events: their vocabulary, how trainers report them, and the bus that carries them between hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isengard.events.models import EventName, GPUMetrics, Level, TrainingProgressEvent, TrainingStage

if TYPE_CHECKING:
    from isengard.events.bus import EventBus, Gap, JournalLine
    from isengard.events.memory import InMemoryEventBus
    from isengard.events.redis import RedisEventBus

__all__ = [
    "EventBus",
    "EventName",
    "GPUMetrics",
    "Gap",
    "InMemoryEventBus",
    "JournalLine",
    "Level",
    "RedisEventBus",
    "TrainingProgressEvent",
    "TrainingStage",
]

# Trainer processes import this package for the models alone; the buses are loaded when they are asked for.
_HOME = {
    "EventBus": "bus",
    "Gap": "bus",
    "InMemoryEventBus": "memory",
    "JournalLine": "bus",
    "RedisEventBus": "redis",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module  # noqa: PLC0415 - used only here

    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
