"""Progress bars as tqdm paints them: counts, bytes, rates, bars that know no end."""

import pytest

from isengard.trainers import bar
from isengard.trainers.stages import Phase, StageTracker, bar_phase


@pytest.mark.parametrize(
    ("text", "n", "total", "pct", "rate"),
    [
        ("x:  25%|██▌   | 3/12 [00:01<00:03,  9.10it/s, lr: 1e-4 loss: 1.2e+00]", 3, 12, 25.0, 9.1),
        (" 50%|█████     | 1/2 [00:03<00:03,  4.00s/it]", 1, 2, 50.0, 0.25),
        ("Loading weights: 0it [00:00, ?it/s]", 0, None, None, None),
        ("Fetching 15 files: 100%|██████████| 15/15 [00:00<00:00, 1.5kit/s]", 15, 15, 100.0, 1500.0),
    ],
)
def test_counts_and_rates(text: str, n: int, total: int | None, pct: float | None, rate: float | None) -> None:
    frame = bar.parse(text)
    assert frame is not None
    assert (frame.n, frame.total, frame.pct, frame.rate, frame.bytes_done) == (n, total, pct, rate, None)


def test_a_download_tells_its_bytes() -> None:
    frame = bar.parse("model-00001.safetensors:  40%|████      | 1.20G/3.00G [00:10<00:20, 110MB/s]")
    assert frame is not None
    assert (frame.bytes_done, frame.bytes_total, frame.rate, frame.n) == (1_200_000_000, 3_000_000_000, 110e6, None)
    assert bar_phase(frame.desc, counts_bytes=True) == (Phase.DOWNLOADING, "model-00001.safetensors")
    [report] = StageTracker().progress(Phase.DOWNLOADING, frame.desc, frame)
    assert report.fields["bytes"] == 1_200_000_000
    assert report.fields["phase"] == "downloading model-00001.safetensors"


def test_every_bar_has_one_of_the_phases() -> None:
    named = {
        "Loading pipeline components...": (Phase.LOADING, "pipeline components"),
        "Caching latents to disk": (Phase.CACHING, "latents to disk"),
        "Attaching quantization": (Phase.QUANTISING, ""),
        "Fetching 15 files": (Phase.DOWNLOADING, "15 files"),
        "": (Phase.LOADING, ""),
    }
    assert {words: bar_phase(words, counts_bytes=False) for words in named} == named


def test_a_bar_is_told_as_often_as_a_person_can_follow_and_its_end_always() -> None:
    now = [0.0]
    tracker = StageTracker(lambda: now[0])
    told = []
    for step in range(101):
        now[0] += 0.01
        frame = bar.parse(f"Caching latents: {step:3d}%|█| {step}/100 [00:00<00:01, 99it/s]")
        assert frame is not None
        told += [report.fields["phase_pct"] for report in tracker.progress(Phase.CACHING, "latents", frame)]
    assert told[0] == 0
    assert told[-1] == 100
    assert len(told) <= 5


@pytest.mark.parametrize("text", ["", "100%", "step 3/12 loss 0.1", "a: 5it", "12%|  | x/y [00:00<00:00, 1it/s]"])
def test_what_is_no_bar_is_none(text: str) -> None:
    assert bar.parse(text) is None


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("x:  25%|#| 3/12 [00:01<00:03,  9.1it/s, loss=1.2.3, lr=1e-4]", {"lr": "1e-4"}),
        (
            "x:  25%|#| 3/12 [00:01<00:03,  9.1it/s, loss=., lr=0.00000000000000000001234]",
            {"lr": "0.00000000000000000001234"},
        ),
        ("x:  25%|#| 3/12 [00:01<00:03,  9.1it/s, loss=1.5, epoch=2.]", {"loss": "1.5", "epoch": "2."}),
        ("x:  25%|#| 3/12 [00:01<00:03,  9.1it/s, mem=3.2GB, loss=nan]", {"loss": "nan"}),
    ],
)
def test_only_what_is_a_number_is_a_figure(text: str, figures: dict[str, str]) -> None:
    frame = bar.parse(text)
    assert frame is not None
    assert frame.figures == figures


@pytest.mark.parametrize("count", ["9" * 5000, "²", "1.2.3", "."])
@pytest.mark.parametrize("shape", ["x:  25%|#| {}/12 [00:01<00:03,  9.1it/s]", "x: {}it [00:01,  9.1it/s]"])
def test_a_count_that_no_counter_holds_makes_no_frame(count: str, shape: str) -> None:
    assert bar.parse(shape.format(count)) is None


def test_a_download_of_more_bytes_than_there_are_makes_no_frame() -> None:
    assert bar.parse(f"x:  40%|####      | 1.20G/{'9' * 400}G [00:10<00:20, 110MB/s]") is None
