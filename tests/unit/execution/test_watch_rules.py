"""What the watch over a run says, and that it keeps silent on healthy ones."""

import random

import pytest

from isengard.events.models import GPUMetrics, TrainingStage
from isengard.execution.watch_rules import Concern, Limits, RunWatch


class Run:
    """A run on a clock of its own."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.now = 1000.0
        self.watch = RunWatch(limits or Limits(), self.now)
        self.concerns: list[Concern] = []
        self.watch.on_stage(TrainingStage.TRAINING, self.now)

    def steps(self, first: int, last: int, *, each_s: float = 1.0, total: int | None = None, loss: float = 0.1) -> None:
        for step in range(first, last + 1):
            self.now += each_s
            self.concerns += self.watch.on_step(step, total, loss, self.now)
            self.concerns += self.watch.on_tick(self.now)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.concerns += self.watch.on_tick(self.now)

    def rules(self) -> list[str]:
        return [concern.rule for concern in self.concerns]


def test_a_healthy_noisy_run_raises_no_concern() -> None:
    noise = random.Random(7)
    run = Run()
    for step in range(1, 3001):
        run.now += noise.uniform(0.5, 2.0) if step % 250 else 0.5
        if step % 250 == 0:
            run.watch.on_stage(TrainingStage.SAMPLING, run.now)
            run.wait(300)
        loss = 0.12 * noise.lognormvariate(0, 1.0)
        run.concerns += run.watch.on_step(step, 3000, loss, run.now)
        gpu = GPUMetrics(utilization_pct=noise.choice([0.0, 60.0, 97.0]), process_memory_mb=9000)
        run.concerns += run.watch.on_metrics([gpu], 50_000, run.now)
        run.wait(0)
    assert run.concerns == []


def test_a_stall_is_told_once_with_its_figures_and_again_after_the_next() -> None:
    run = Run()
    run.steps(1, 20)
    run.wait(59)
    assert run.rules() == []
    run.wait(10)
    run.wait(100)
    assert run.rules() == ["stall"]
    assert run.concerns[0].figures == {"silent_s": 69.0, "usual_step_s": 1.0}
    run.steps(21, 25)
    run.wait(500)
    assert run.rules() == ["stall", "stall"]


def test_a_slow_trainer_gets_the_time_its_steps_need() -> None:
    run = Run()
    run.steps(1, 10, each_s=30)
    run.wait(290)
    assert run.rules() == []
    run.wait(20)
    assert run.rules() == ["stall"]


def test_time_spent_sampling_or_asleep_is_no_stall() -> None:
    run = Run()
    run.steps(1, 20)
    run.watch.on_stage(TrainingStage.SAMPLING, run.now)
    run.wait(10_000)
    run.watch.on_stage(TrainingStage.TRAINING, run.now)
    run.steps(21, 30)
    run.now += 40_000
    run.watch.on_resume_of_machine(run.now)
    run.wait(0)
    assert run.rules() == []


def test_an_exploding_loss_is_told() -> None:
    run = Run()
    run.steps(1, 300, loss=0.1)
    run.steps(301, 360, loss=2.0)
    assert run.rules() == ["loss-explodes"]
    assert run.concerns[0].figures["lowest_mean"] == pytest.approx(0.1)


def test_a_loss_that_is_not_a_number_is_told_once_until_it_recovers() -> None:
    run = Run()
    run.concerns += run.watch.on_bad_loss(5)
    run.concerns += run.watch.on_bad_loss(6)
    run.steps(7, 7)
    run.concerns += run.watch.on_bad_loss(8)
    assert run.rules() == ["nan", "nan"]


def test_a_full_disk_is_told_before_it_is_full() -> None:
    run = Run()
    run.concerns += run.watch.on_metrics([], 1500, run.now)
    run.concerns += run.watch.on_metrics([], 1400, run.now)
    assert run.rules() == ["disk"]


def test_an_idle_gpu_is_told_only_when_the_training_holds_memory_on_it() -> None:
    run = Run()
    for _ in range(5):
        run.now += 60
        run.concerns += run.watch.on_metrics([GPUMetrics(utilization_pct=0)], 1e6, run.now)
    assert run.rules() == []
    for _ in range(5):
        run.now += 60
        run.concerns += run.watch.on_metrics([GPUMetrics(utilization_pct=1, process_memory_mb=800)], 1e6, run.now)
    assert run.rules() == ["gpu-idle"]


def test_an_end_that_moves_far_away_is_told() -> None:
    run = Run()
    run.steps(1, 120, total=1000)
    run.steps(121, 400, each_s=6, total=1000)
    assert run.rules() == ["eta"]
