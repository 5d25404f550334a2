"""The training loop on models of the real classes with random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from isengard.core.errors import InvalidInput
from isengard.trainers.run import TrainingRun, TrainingStopped
from standins import tiny_pipelines
from standins.lora_job import Bench


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny_pipelines.stable_diffusion(folder / "sd")
    tiny_pipelines.stable_diffusion(folder / "sd-v", "v_prediction")
    tiny_pipelines.stable_diffusion_xl(folder / "sdxl")
    tiny_pipelines.flux(folder / "flux")
    return folder


@pytest.fixture
def make(models: Path, tmp_path: Path) -> Callable[..., Bench]:
    def build(model: str = "sd", name: str = "job", **config: Any) -> Bench:
        return Bench(tmp_path / name, models / model, **config).draw_dataset()

    return build


def test_stages_and_phases_come_in_the_order_of_a_training(make: Callable[..., Bench]) -> None:
    bench = make(sample_every_n_steps=2, checkpoint_every_n_steps=2).train()

    stages = [report["fields"]["stage"] for report in bench.reports("job.stage")]
    assert list(dict.fromkeys(stages)) == ["initializing", "preparing_dataset", "sampling", "training", "exporting"]
    phases = [report["fields"].get("phase") for report in bench.reports("job.stage")]
    assert list(dict.fromkeys(phase for phase in phases if phase)) == [
        "loading model",
        "encoding captions",
        "caching latents",
        "saving checkpoint",
    ]
    cached = [
        r["fields"]["phase_pct"] for r in bench.reports("job.stage") if r["fields"].get("phase") == "caching latents"
    ]
    assert cached[-1] == 100
    assert cached == sorted(cached)


def test_every_step_is_reported_with_loss_rate_and_gradient_norm(make: Callable[..., Bench]) -> None:
    bench = make(lr_scheduler="linear", lr_warmup_steps=2).train()

    steps = [report["fields"] for report in bench.reports("training.step")]
    assert [step["step"] for step in steps] == [1, 2, 3, 4]
    assert all(step["loss"] > 0 and step["metrics"]["grad_norm"] > 0 for step in steps)
    # Linear warm-up over two steps, then linearly down to zero at the fourth.
    assert [step.get("lr", 0.0) for step in steps] == pytest.approx([0.0, 0.005, 0.01, 0.005])


def test_samples_are_drawn_before_the_first_step_at_intervals_and_at_the_end(make: Callable[..., Bench]) -> None:
    bench = make(steps=5, sample_every_n_steps=2, sample_prompts=["pip", "a b"], sample_seed=9).train()

    samples = [report["fields"] for report in bench.reports("training.sample")]
    assert [(s["step"], s["sample_index"], s["sample_prompt"], s["sample_seed"]) for s in samples] == [
        (step, index, prompt, 9 + index) for step in (0, 2, 4, 5) for index, prompt in enumerate(["pip", "a b"])
    ]
    with Image.open(bench.job.samples / samples[0]["sample_path"]) as image:
        assert image.size == (32, 32)


def test_a_resumed_training_ends_with_the_weights_of_an_uninterrupted_one(make: Callable[..., Bench]) -> None:
    choices = {"steps": 6, "lora_dropout": 0.2, "caption_dropout": 0.3, "flip": True, "gradient_accumulation": 2}
    whole = make(name="whole", **choices).train()
    halves = make(name="halves", checkpoint_every_n_steps=3, **choices)
    _stop_after(halves, 3)
    halves.resumed().train()

    first, second = load_file(whole.job.output), load_file(halves.job.output)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    losses = [_losses(bench) for bench in (whole, halves)]
    assert losses[0] == losses[1]


def test_samples_do_not_change_what_is_learnt(make: Callable[..., Bench]) -> None:
    silent = make(name="silent").train()
    watched = make(name="watched", sample_every_n_steps=1).train()

    assert _losses(silent) == _losses(watched)


def test_the_loss_of_a_fixed_model_does_not_depend_on_the_run(make: Callable[..., Bench]) -> None:
    assert _losses(make(name="one").train()) == _losses(make(name="two").train())
    assert _losses(make(name="one")) != _losses(make(name="three", seed=1).train())


def test_a_stop_saves_a_checkpoint_and_ends_within_the_step(make: Callable[..., Bench]) -> None:
    bench = make(steps=50)
    _stop_after(bench, 2)

    assert [report["fields"]["step"] for report in bench.reports("training.step")] == [1, 2]
    assert [report["fields"]["step"] for report in bench.reports("training.checkpoint")] == [2]
    assert not bench.job.output.exists()


def test_a_stop_while_sampling_ends_between_denoising_steps(make: Callable[..., Bench]) -> None:
    bench = make(sample_every_n_steps=1, sample_steps=1000)
    (bench.root / "requests" / "stop").touch()

    with pytest.raises(TrainingStopped):
        bench.train()
    assert bench.reports("training.sample") == []


def test_a_sample_and_a_checkpoint_are_made_when_asked_for(make: Callable[..., Bench]) -> None:
    bench = make()
    for request in ("sample", "save"):
        (bench.root / "requests" / request).touch()
    bench.train()

    assert [report["fields"]["step"] for report in bench.reports("training.sample")] == [1]
    assert [report["fields"]["step"] for report in bench.reports("training.checkpoint")] == [1]
    assert list((bench.root / "requests").iterdir()) == []


def test_a_checkpoint_is_a_lora_of_its_own(make: Callable[..., Bench]) -> None:
    bench = make(steps=4, checkpoint_every_n_steps=2).train()

    checkpoint = load_file(bench.job.checkpoints / "step_000002.safetensors")
    assert checkpoint.keys() == load_file(bench.job.output).keys()
    assert sorted(path.name for path in bench.job.checkpoints.iterdir()) == [".state", "step_000002.safetensors"]


def test_only_the_newest_states_are_kept(make: Callable[..., Bench]) -> None:
    bench = make(steps=5, checkpoint_every_n_steps=1).train()

    assert len(list(bench.job.checkpoints.glob("*.safetensors"))) == 4
    assert sorted(path.name for path in (bench.job.checkpoints / ".state").iterdir()) == [
        "step_000003.pt",
        "step_000004.pt",
    ]


def test_a_damaged_checkpoint_is_passed_over_for_an_older_whole_one(make: Callable[..., Bench]) -> None:
    bench = make(steps=4, checkpoint_every_n_steps=1).train()
    state = bench.job.checkpoints / ".state" / "step_000003.pt"
    state.write_bytes(state.read_bytes()[:1000])
    bench.resumed().train()

    messages = [report["msg"] for report in bench.reports("log")]
    assert "the checkpoint step_000003.safetensors cannot be resumed from; looking for an older one" in messages
    assert "resuming at step 2" in messages


def test_a_resume_without_any_whole_checkpoint_says_so(make: Callable[..., Bench]) -> None:
    bench = make(checkpoint_every_n_steps=2).train()
    (bench.job.checkpoints / ".state" / "step_000002.pt").unlink()

    with pytest.raises(InvalidInput, match=r"neither step_000002\.safetensors nor an older checkpoint is whole"):
        bench.resumed().train()


def test_a_checkpoint_of_another_rank_is_refused(make: Callable[..., Bench]) -> None:
    bench = make(checkpoint_every_n_steps=2).train()

    with pytest.raises(ValueError, match="another rank"):
        bench.resumed(lora_rank=4).train()


def test_a_loss_that_stays_nan_is_reported_and_ends_the_training(make: Callable[..., Bench]) -> None:
    broken = make(name="broken", steps=50)
    _poison(broken)

    with pytest.raises(Exception, match="not a number for 5 steps in a row") as caught:
        broken.train()
    assert type(caught.value).__name__ == "LossNotFinite"
    steps = broken.reports("training.step")
    assert [step["level"] for step in steps] == ["WARN"] * 5
    assert steps[0]["msg"] == "the loss of step 1 is nan"
    assert all("loss" not in step["fields"] for step in steps)


@pytest.mark.parametrize("model", ["sd", "sd-v", "sdxl", "flux"])
def test_every_kind_of_model_learns_its_pictures(make: Callable[..., Bench], model: str) -> None:
    bench = make(model, steps=40, learning_rate=3e-2, target_modules="wide", batch_size=3, caption_dropout=0.0)
    bench.train()

    losses = _losses(bench)
    assert sum(losses[-10:]) < 0.97 * sum(losses[:10])


@pytest.mark.parametrize("parameter", ["train_text_encoder", "snr_gamma", "noise_offset"])
def test_what_flux_cannot_do_is_refused_by_name(make: Callable[..., Bench], parameter: str) -> None:
    bench = make("flux", **{parameter: True if parameter == "train_text_encoder" else 0.5})

    with pytest.raises(InvalidInput, match=parameter) as caught:
        bench.train()
    assert caught.value.field == f"config.{parameter}"


@pytest.mark.parametrize("model", ["sd-v", "sdxl"])
def test_the_further_choices_train_as_well(make: Callable[..., Bench], model: str) -> None:
    bench = make(
        model,
        train_text_encoder=True,
        snr_gamma=5.0,
        noise_offset=0.1,
        gradient_checkpointing=True,
        cache_latents=False,
        flip=True,
        sample_every_n_steps=4,
        negative_prompt="a",
    ).train()

    assert len(_losses(bench)) == 4
    parts = {name.split("_")[1] for name in load_file(bench.job.output)}
    assert parts == ({"unet", "te"} if model == "sd-v" else {"unet", "te1", "te2"})


def test_the_eight_bit_optimizer_names_what_it_needs(make: Callable[..., Bench]) -> None:
    with pytest.raises(InvalidInput, match="bitsandbytes"):
        make(optimizer="adamw8bit").train()


def _losses(bench: Bench) -> list[float]:
    return [report["fields"]["loss"] for report in bench.reports("training.step")]


def _stop_after(bench: Bench, steps: int) -> None:
    """Train until the runner asks for a stop, which it does while step number `steps` is reported."""
    report = TrainingRun.step

    def step(run: TrainingRun, number: int, **figures: Any) -> None:
        report(run, number, **figures)
        if number == steps:
            (bench.root / "requests" / "stop").touch()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingRun, "step", step)
        with pytest.raises(TrainingStopped):
            bench.train()
    (bench.root / "requests" / "stop").unlink()


def _poison(bench: Bench) -> None:
    """Give the job a base model whose output is not a number, as fp16 overflow does."""
    from safetensors.torch import save_file

    folder = bench.root / "poisoned"
    weights = tiny_pipelines.stable_diffusion(folder) / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    tensors["conv_out.bias"] = torch.full_like(tensors["conv_out.bias"], float("nan"))
    save_file(tensors, weights, metadata={"format": "pt"})
    bench.configured(base_model=str(folder))
