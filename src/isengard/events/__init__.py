"""Events: their vocabulary, how trainers report them, and the bus that carries them between hosts."""

from isengard.events.models import EventName, GPUMetrics, Level, TrainingProgressEvent, TrainingStage

__all__ = ["EventName", "GPUMetrics", "Level", "TrainingProgressEvent", "TrainingStage"]
