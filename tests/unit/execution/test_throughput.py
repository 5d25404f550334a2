"""How fast a run goes and when it is over."""

from isengard.execution.throughput import Schedule, Throughput


class Run:
    """A run of half-second steps on a clock of its own; samples take 10 s, saves 2 s."""

    def __init__(self, total: int, schedule: Schedule) -> None:
        self.now = 0.0
        self.total = total
        self.schedule = schedule
        self.throughput = Throughput(lambda: self.now, schedule)

    def go(self, until: int, start: int = 1) -> None:
        for step in range(start, until + 1):
            self.now += 0.5
            self.throughput.step(step)
            if self.schedule.sample_every and step % self.schedule.sample_every == 0:
                self.throughput.samples()
                self.now += 10
            if self.schedule.save_every and step % self.schedule.save_every == 0:
                self.throughput.saved()
                self.now += 2

    def left(self) -> float:
        return self.throughput.eta_s(self.total) or 0.0


def test_the_time_left_is_that_of_the_steps() -> None:
    run = Run(100, Schedule())
    run.go(1)
    assert run.throughput.eta_s(100) is None
    assert run.throughput.it_per_s is None
    run.go(20, start=2)
    assert run.left() == 40.0
    assert run.throughput.it_per_s == 2.0


def test_samples_to_come_count_and_those_that_were_do_not_slow_the_steps() -> None:
    run = Run(100, Schedule(sample_every=20))
    run.go(39)
    assert run.left() == 61 * 0.5 + 10 * 4  # at 40, 60, 80 and at the end


def test_saves_to_come_count_the_final_one_included() -> None:
    run = Run(100, Schedule(save_every=30))
    run.go(45)
    assert run.left() == 55 * 0.5 + 2 * 3  # at 60, 90 and the LoRA itself


def test_the_samples_of_the_untrained_model_say_what_later_ones_will_cost() -> None:
    run = Run(100, Schedule(sample_every=50))
    run.throughput.samples()
    run.now += 9.5
    run.go(2)
    assert run.left() == 98 * 0.5 + 10 * 2


def test_the_last_samples_are_still_ahead_after_the_last_step() -> None:
    run = Run(40, Schedule(sample_every=20))
    run.go(39)
    run.now += 0.5
    run.throughput.step(40)
    assert run.left() == 10.0


def test_a_resumed_run_begins_anew() -> None:
    run = Run(100, Schedule())
    run.go(20)
    run.throughput.step(3)
    assert run.throughput.it_per_s is None
    assert run.throughput.eta_s(100) is None
