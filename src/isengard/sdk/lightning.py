"""A logger for PyTorch Lightning, by either of its names (``lightning`` or ``pytorch_lightning``).

    trainer = Trainer(logger=IsengardLogger())

Steps carry Lightning's own numbers, which begin at 0. The run ends with the script, which may fit, validate and test in
turn, or by ``logger.experiment.finish()``. A stop that is asked for on the page is the script's to look at:
``logger.experiment.should_stop``. Imports Lightning, which whoever imports this has loaded.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from isengard.sdk.run import Run
from isengard.sdk.start import init
from isengard.sdk.values import Values

if TYPE_CHECKING or "lightning" in sys.modules:
    from lightning.pytorch.loggers.logger import Logger
else:
    from pytorch_lightning.loggers.logger import Logger


class IsengardLogger(Logger):  # type: ignore[misc]  # Lightning is not type-checked here
    """Reports what a LightningModule logs.

    Args:
        name: As for `isengard.init`, and so on.
        keep_checkpoints: Whether the best and last checkpoints are copied into the job.
    """

    def __init__(self, name: str | None = None, *, keep_checkpoints: bool = False, **options: Any) -> None:
        super().__init__()
        self._given_name = name
        self._keeps = keep_checkpoints
        self._options = options
        self._run: Run | None = None
        self._step = 0
        self._kept: set[str] = set()

    @property
    def experiment(self) -> Run:
        """The run."""
        if self._run is None:
            self._run = init(self._given_name, **self._options)
        return self._run

    @property
    def name(self) -> str:
        """What the run is filed under."""
        return self._given_name or "isengard"

    @property
    def version(self) -> str:
        """The job's id."""
        return self.experiment.id

    def log_hyperparams(self, params: Mapping[str, Any] | Namespace, *rest: Any, **ignored: Any) -> None:
        """Keep the configuration."""
        values = vars(params) if isinstance(params, Namespace) else dict(params)
        self.experiment.note(
            "the script's configuration", settings={name: _plain(each) for name, each in values.items()}
        )

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Report a step; ``epoch`` goes along as one of its figures."""
        self._step = self._step if step is None else int(step)
        said = Values.of(metrics)
        self.experiment.log(step=self._step, loss=said.loss, lr=said.lr, **said.metrics)

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Keep the checkpoints that were saved, once each."""
        paths = {
            str(path) for path in (checkpoint_callback.last_model_path, checkpoint_callback.best_model_path) if path
        }
        for path in sorted(paths - self._kept if self._keeps else ()):
            self._kept.add(path)
            self.experiment.checkpoint(path, step=self._step)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else str(value)
