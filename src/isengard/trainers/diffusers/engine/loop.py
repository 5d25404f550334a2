"""The training loop: steps, and between them samples, checkpoints and whatever the runner wishes.

All randomness of a step follows from the job's seed and the number of the step, so that a resumed training takes the
same steps as one that was never interrupted.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from isengard.core.errors import IsengardError
from isengard.events.models import Level, TrainingStage
from isengard.trainers.diffusers.engine.checkpoint import Checkpoints, State
from isengard.trainers.diffusers.engine.export import lora_file, write_whole
from isengard.trainers.diffusers.engine.family import Conditioning
from isengard.trainers.diffusers.engine.memory import SAMPLING, STEPS
from isengard.trainers.diffusers.engine.optimiser import make_optimizer, make_schedule
from isengard.trainers.diffusers.engine.sampler import Sampler
from isengard.trainers.diffusers.engine.session import Session
from isengard.trainers.diffusers.metadata import describe
from isengard.trainers.run import TrainingRun

MAX_BROKEN_STEPS = 5
_GOLDEN = 0x9E3779B97F4A7C15  # spreads neighbouring step numbers over all 63 bits


class LossNotFinite(IsengardError):
    """The loss was NaN or infinite several steps in a row; going on would only burn time."""


class Loop:
    """One run through the steps.

    Args:
        session: What was set up; its LoRA is trained in place.
    """

    def __init__(self, run: TrainingRun, session: Session) -> None:
        self._run = run
        self._session = session
        self._family = session.family
        self._parameters = session.family.parameters
        self._weights = session.adapter.parameters()
        self._optimizer = make_optimizer(self._weights, self._parameters, session.family.hardware)
        self._schedule = make_schedule(self._optimizer, self._parameters)
        self._scaler = torch.amp.GradScaler(enabled=session.family.hardware.scales_gradients)
        self._generator = torch.Generator(session.family.hardware.device)
        self._sampler = Sampler(run, session.family, session.adapter, session.text, self._stop_if_asked)
        self._checkpoints = Checkpoints(run)
        self._step = 0
        self._saved = -1
        self._broken = 0

    def run(self) -> None:
        """Go from where the job stands to its last step, then write the LoRA."""
        self._restore()
        self._session.adapter.learning(True)
        self._session.memory.enter(STEPS)
        if self._parameters.sample_every_n_steps and not self._step:
            self._sample()
        self._run.stage(TrainingStage.TRAINING, "training")
        while self._step < self._parameters.steps:
            self._step += 1
            self._train()
            self._between_steps()
        self._export()

    def _restore(self) -> None:
        state = self._checkpoints.newest()
        if state is None:
            return
        self._session.adapter.load(state["weights"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self._scaler.load_state_dict(state["scaler"])
        self._step = self._saved = int(state["step"])
        self._run.log(f"resuming at step {self._step}")

    # One step.

    def _train(self) -> None:
        lr = float(self._schedule.get_last_lr()[0])
        loss, norm = self._gradients()
        if math.isfinite(loss) and (math.isfinite(norm) or self._scaler.is_enabled()):
            self._broken = 0
            self._scaler.step(self._optimizer)  # leaves the weights alone if a scaled gradient overflowed
            self._scaler.update()
        else:
            self._refuse(loss, norm)
        self._optimizer.zero_grad(set_to_none=True)
        self._schedule.step()
        self._run.step(self._step, loss=loss, lr=lr, grad_norm=norm)

    def _gradients(self) -> tuple[float, float]:
        """Leave the clipped gradients of this step in the weights; returns the loss and the norm before clipping."""
        count = self._parameters.gradient_accumulation
        total = torch.zeros((), device=self._family.hardware.device)
        for part in range(count):
            loss = self._loss((self._step - 1) * count + part) / count
            self._scaler.scale(loss).backward()
            total += loss.detach()
        self._scaler.unscale_(self._optimizer)
        norm = nn.utils.clip_grad_norm_(self._weights, self._parameters.max_grad_norm)
        figures = torch.stack([total, norm.to(total.device)]).tolist()  # the step's only wait for the device
        return figures[0], figures[1]

    def _loss(self, number: int) -> Tensor:
        """The loss of batch `number`; seeds everything that is random in it."""
        seed = (self._parameters.seed * _GOLDEN + number + 1) * _GOLDEN % 2**63
        torch.manual_seed(seed)
        self._generator.manual_seed(seed)
        chosen = self._session.plan.batch(number)
        flips = torch.rand(2, len(chosen))
        mirrored = [self._parameters.flip and share < 0.5 for share in flips[0].tolist()]
        dropped = [share < self._parameters.caption_dropout for share in flips[1].tolist()]
        latents = self._session.latents(chosen, mirrored)
        return self._family.loss(latents, self._conditioning(chosen, dropped), self._generator)

    def _conditioning(self, chosen: list[int], dropped: list[bool]) -> Conditioning:
        pictures = [self._session.pictures[index] for index in chosen]
        captions = ["" if drop else picture.caption for picture, drop in zip(pictures, dropped, strict=True)]
        device = self._family.hardware.device
        sizes = self._family.describe_images(
            torch.tensor([picture.original for picture in pictures], device=device),
            torch.tensor([picture.corner for picture in pictures], device=device),
            torch.tensor([picture.shown for picture in pictures], device=device),
        )
        return {**self._session.text(captions), **sizes}

    def _refuse(self, loss: float, norm: float) -> None:
        """A step without a usable gradient changes nothing; too many of them in a row end the training."""
        self._broken += 1
        self._optimizer.zero_grad(set_to_none=True)
        self._optimizer.step()  # moves no weight without a gradient; the schedule wants to see it called
        self._run.log(f"step {self._step} is left out: loss {loss}, gradient norm {norm}", Level.WARN)
        if self._broken >= MAX_BROKEN_STEPS:
            self._run.step(self._step, loss=loss, grad_norm=norm)
            raise LossNotFinite(
                f"the loss was not a number for {self._broken} steps in a row (last at step {self._step}): "
                "lower learning_rate, or set precision to fp32 or bf16",
                field="config.learning_rate",
            )

    # Between steps.

    def _between_steps(self) -> None:
        last = self._step == self._parameters.steps
        if (_due(self._step, self._parameters.checkpoint_every_n_steps) and not last) or self._run.save_requested():
            self._save()
        every = self._parameters.sample_every_n_steps
        if _due(self._step, every) or (last and every) or self._run.sample_requested():
            self._sample()
            if not last:
                self._run.stage(TrainingStage.TRAINING, "training")
        self._stop_if_asked()

    def _stop_if_asked(self) -> None:
        if not self._run.stop_requested:
            return
        if self._step > self._saved >= 0 or (self._saved < 0 and self._step > 0):
            self._save()
        self._run.stop()

    def _sample(self) -> None:
        self._session.memory.enter(SAMPLING)
        self._sampler.draw(self._step)
        self._session.memory.enter(STEPS)

    def _save(self) -> None:
        self._run.phase("saving checkpoint")
        self._checkpoints.save(self._step, self._file(), self._state())
        self._saved = self._step

    def _state(self) -> State:
        return {
            "weights": self._session.adapter.weights(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def _file(self) -> bytes:
        metadata = describe(self._run.job, self._parameters, self._session.facts, self._step)
        return lora_file(self._family, self._session.adapter.weights(), metadata)

    def _export(self) -> None:
        self._run.stage(TrainingStage.EXPORTING, "writing the LoRA")
        content = self._file()
        write_whole(self._run.job.output, lambda file: file.write(content))
        self._tell_memory()

    def _tell_memory(self) -> None:
        peaks = self._session.memory.peaks()
        if not peaks:
            return
        listed = ", ".join(f"{part} {peak:.0f}" for part, peak in peaks.items())
        fields: dict[str, Any] = {f"{part}_peak_memory_mb": peak for part, peak in peaks.items()}
        most = max(peaks.values())
        self._run.log(f"peak memory on the device: {most:.0f} MiB ({listed})", peak_memory_mb=most, **fields)


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0
