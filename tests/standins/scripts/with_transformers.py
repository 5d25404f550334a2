"""A Trainer of transformers: five steps, figures every second one. TRL's trainers are Trainers of this class."""

import sys

import torch
from torch import Tensor, nn
from transformers import Trainer, TrainingArguments

from isengard.sdk.transformers import IsengardCallback


class Line(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"loss": (self.layer(x) - labels).square().mean()}


points = [{"x": torch.ones(1), "labels": torch.full((1,), 3.0)} for _ in range(64)]
arguments = TrainingArguments(
    output_dir=sys.argv[1],
    max_steps=5,
    logging_steps=2,
    save_steps=4,
    report_to="none",
    use_cpu=True,
    disable_tqdm=True,
    per_device_train_batch_size=2,
)
callback = IsengardCallback(keep_checkpoints=True)
Trainer(Line(), arguments, train_dataset=points, callbacks=[callback]).train()
