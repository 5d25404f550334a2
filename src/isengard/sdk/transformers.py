"""A callback for the Trainer of Hugging Face transformers, and for those of TRL, which are Trainers too.

    trainer = Trainer(model, args, train_dataset=data, callbacks=[IsengardCallback()])

A stop that is asked for on the page ends the training after the step; *save now* saves a checkpoint.
Imports transformers, which whoever imports this has loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from isengard.sdk.run import Run
from isengard.sdk.start import init
from isengard.sdk.values import Values


class IsengardCallback(TrainerCallback):  # type: ignore[misc]  # transformers is not type-checked here
    """Reports every step of a Trainer once, with its figures where it logs them.

    Args:
        keep_checkpoints: Whether checkpoints are copied into the job; they hold the optimizer's state too.
        options: As for `isengard.init`.
    """

    def __init__(self, *, keep_checkpoints: bool = False, **options: Any) -> None:
        self._keeps = keep_checkpoints
        self._options = options
        self._run: Run | None = None
        self._pending: int | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> None:
        """Begin the run."""
        if not state.is_world_process_zero:
            return
        options = {"config": _plain(args.to_dict()), **self._options}
        self._run = init(**options)
        self._run.expect(max(0, state.max_steps))
        self._run.stage("training")

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> TrainerControl:
        """A step is done; its figures come with `on_log`, if they do."""
        self._tell()
        self._pending = state.global_step
        return self._obey(control)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **rest: Any,
    ) -> None:
        """Figures of the present step."""
        if self._run is None or not logs:
            return
        if "train_runtime" in logs:  # the summary of the whole training, whose loss is a mean
            self._tell()
            self._run.note("the training's summary", summary=dict(logs))
            return
        self._pending = state.global_step
        self._tell(logs)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any) -> None:
        """A checkpoint is there."""
        if self._run is None or args.output_dir is None:
            return
        folder = f"{args.output_dir}/checkpoint-{state.global_step}"
        if self._keeps:
            self._run.checkpoint(folder, step=state.global_step)
        else:
            self._run.note(f"saved {folder}", step=state.global_step)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any) -> None:
        """The training has ended in order."""
        self._tell()
        if self._run is not None:
            self._run.finish("cancelled" if self._run.should_stop else "completed")

    def _obey(self, control: TrainerControl) -> TrainerControl:
        if self._run is not None:
            wanted = self._run.requests()
            control.should_training_stop = control.should_training_stop or wanted.stop
            control.should_save = control.should_save or wanted.save
        return control

    def _tell(self, logs: Mapping[str, Any] | None = None) -> None:
        """Report the step that waits, with `logs`."""
        if self._run is None or self._pending is None:
            return
        said = Values.of(logs or {})
        self._run.log(step=self._pending, loss=said.loss, lr=said.lr, **said.metrics)
        self._pending = None


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if isinstance(value, str | int | float | bool)}
