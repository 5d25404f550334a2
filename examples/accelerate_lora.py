"""A training script of one's own: a LoRA of a Stable Diffusion model with Accelerate, diffusers and PEFT.

    isengard run -- python examples/accelerate_lora.py --output_dir out/        # read from what it prints and leaves
    python examples/accelerate_lora.py --output_dir out/ --report_to isengard   # reports by itself, by the SDK
    isengard run -- accelerate launch examples/accelerate_lora.py --output_dir out/ --report_to isengard

Without other arguments it learns the demo character on Isengard's tiny base model, on a CPU. Only the two places marked
SDK know of Isengard.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from diffusers import DDPMScheduler, StableDiffusionPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from PIL import Image
from torch.nn import functional
from tqdm.auto import tqdm

DEMO = Path(str(files("isengard"))) / "demo"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a LoRA with Accelerate.")
    parser.add_argument("--pretrained_model", type=Path, default=DEMO / "tiny_model")
    parser.add_argument("--train_data_dir", type=Path, default=DEMO / "character", help="pictures, captions in .txt")
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--max_train_steps", type=int, default=60)
    parser.add_argument("--learning_rate", type=float, default=3e-3)
    parser.add_argument("--train_batch_size", type=int, default=4)
    parser.add_argument("--resolution", type=int, default=32)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--validation_prompt", default="mizu, a blue creature")
    parser.add_argument("--validation_steps", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report_to", choices=["isengard"], help="report by the SDK")
    return parser.parse_args()


def tracker(name: str | None) -> list[object]:
    if name is None:
        return []
    from isengard.sdk.accelerate import IsengardTracker  # SDK, the first place

    return [IsengardTracker("accelerate-lora")]


def dataset(folder: Path, side: int) -> Iterator[tuple[torch.Tensor, str]]:
    for path in sorted(folder.glob("*.png")):
        picture = Image.open(path).convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
        pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(side, side, 3)
        caption = path.with_suffix(".txt")
        yield pixels.permute(2, 0, 1) / 127.5 - 1, caption.read_text().strip() if caption.exists() else ""


def main() -> None:
    options = arguments()
    set_seed(options.seed)
    accelerator = Accelerator(log_with=tracker(options.report_to))
    settings = {name: value if isinstance(value, int | float) else str(value) for name, value in vars(options).items()}
    accelerator.init_trackers("accelerate-lora", config=settings)

    pipeline = StableDiffusionPipeline.from_pretrained(
        options.pretrained_model, dtype=torch.float32, safety_checker=None
    ).to(accelerator.device)
    pipeline.set_progress_bar_config(disable=True)
    unet, noise = pipeline.unet, DDPMScheduler.from_config(pipeline.scheduler.config)
    unet.requires_grad_(False)
    unet.add_adapter(
        LoraConfig(r=options.rank, lora_alpha=options.rank, target_modules=["to_q", "to_k", "to_v", "to_out.0"])
    )
    learnt = [weight for weight in unet.parameters() if weight.requires_grad]
    pictures, captions = zip(*dataset(options.train_data_dir, options.resolution), strict=True)
    with torch.no_grad():
        latents = pipeline.vae.encode(torch.stack(pictures).to(accelerator.device)).latent_dist.sample()
        latents = latents * pipeline.vae.config.scaling_factor
        texts, _ = pipeline.encode_prompt(list(captions), accelerator.device, 1, False)
    optimizer = torch.optim.AdamW(learnt, lr=options.learning_rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, options.max_train_steps)
    unet, optimizer, schedule = accelerator.prepare(unet, optimizer, schedule)

    def draw(step: int) -> None:
        """Draw a sample: a file for whoever looks into the folder, and reported where there is a tracker."""
        generator = torch.Generator().manual_seed(options.seed)
        with torch.no_grad():
            image = pipeline(
                options.validation_prompt,
                num_inference_steps=6,
                height=options.resolution,
                width=options.resolution,
                generator=generator,
            ).images[0]
        folder = options.output_dir / "samples"
        folder.mkdir(parents=True, exist_ok=True)
        image.save(folder / f"step_{step:06d}_00.png")
        for each in accelerator.trackers:
            each.log_images({options.validation_prompt: [image]}, step=step)  # SDK, the second place

    def save(folder: Path) -> None:
        """Write the LoRA as diffusers' own scripts do."""
        layers = get_peft_model_state_dict(accelerator.unwrap_model(unet))
        StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=layers)

    bar = tqdm(range(1, options.max_train_steps + 1), desc="Steps", disable=not accelerator.is_local_main_process)
    for step in bar:
        chosen = torch.randint(0, len(latents), (options.train_batch_size,))
        with accelerator.accumulate(unet):
            target = torch.randn_like(latents[chosen])
            times = torch.randint(0, noise.config.num_train_timesteps, (options.train_batch_size,))
            noisy = noise.add_noise(latents[chosen], target, times)
            if noise.config.prediction_type == "v_prediction":
                target = noise.get_velocity(latents[chosen], target, times)
            guess = unet(noisy, times, texts[chosen], return_dict=False)[0]
            loss = functional.mse_loss(guess, target)
            accelerator.backward(loss)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        figures = {"loss": loss.item(), "lr": schedule.get_last_lr()[0]}
        bar.set_postfix(**figures)
        accelerator.log(figures, step=step)
        if accelerator.is_main_process and step % options.validation_steps == 0:
            draw(step)
            save(options.output_dir / f"checkpoint-{step}")
    if accelerator.is_main_process:
        save(options.output_dir)
    accelerator.end_training()


if __name__ == "__main__":
    main()
