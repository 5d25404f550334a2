"""The mock trainer: a training without a GPU that looks, reports and fails like a real one."""

from isengard.trainers.mock.trainer import MockParameters, MockTrainer

__all__ = ["MockParameters", "MockTrainer"]
