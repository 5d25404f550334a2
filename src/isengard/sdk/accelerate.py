"""A tracker for Hugging Face Accelerate, and so for every training script that logs through it.

    accelerator = Accelerator(log_with=IsengardTracker())
    accelerator.init_trackers("my-run", config={"lr": 1e-4})
    accelerator.log({"loss": loss, "lr": lr}, step=global_step)

Imports accelerate, which whoever imports this has loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from accelerate.tracking import GeneralTracker

from isengard.sdk.numbers import figure
from isengard.sdk.run import Run
from isengard.sdk.start import init
from isengard.sdk.values import Values


class IsengardTracker(GeneralTracker):  # type: ignore[misc]  # accelerate ships no types
    """Reports what `Accelerator.log` is given. Runs on the main process only, as Accelerate sees to.

    Args:
        name: As for `isengard.init`, and so on.
    """

    name = "isengard"
    requires_logging_directory = False
    main_process_only = True

    def __init__(self, name: str | None = None, **options: Any) -> None:
        super().__init__()
        self._name = name
        self._options = options
        self._run: Run | None = None
        self._step = 0

    @property
    def tracker(self) -> Run:
        """The run, for `sample` and what else Accelerate has no words for."""
        if self._run is None:
            self._run = init(self._name, **self._options)
        return self._run

    def start(self) -> None:
        """Begin the run."""
        _ = self.tracker

    def store_init_configuration(self, values: Mapping[str, Any]) -> None:
        """Keep the script's configuration; the steps it names are how many there will be."""
        for name in ("max_train_steps", "max_steps", "num_training_steps"):
            if isinstance(values.get(name), int) and values[name] > 0:
                self.tracker.expect(values[name])
                break
        self.tracker.note("the script's configuration", settings=dict(values))

    def log(self, values: Mapping[str, Any], step: int | None = None, **ignored: Any) -> None:
        """Report a step; one without a number follows the one before."""
        self._step = self._step + 1 if step is None else int(step)
        said = Values.of(values)
        self.tracker.log(step=self._step, loss=said.loss, lr=said.lr, **said.metrics)
        if said.rest:
            self.tracker.note(f"at step {self._step}", **{name: str(value)[:2000] for name, value in said.rest.items()})

    def log_images(self, values: Mapping[str, Iterable[Any]], step: int | None = None, **ignored: Any) -> None:
        """Keep samples: lists of pictures by name, which is taken for their prompt."""
        number = self._step if step is None else int(figure("step", step))
        index = 0
        for prompt, images in values.items():
            for image in images:
                self.tracker.sample(image, step=number, prompt=str(prompt), index=index)
                index += 1

    def finish(self) -> None:
        """The training has ended in order."""
        if self._run is not None:
            self._run.finish("cancelled" if self._run.should_stop else "completed")
