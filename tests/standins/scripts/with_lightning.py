"""A Trainer of PyTorch Lightning: five steps, logged each."""

import sys
import warnings

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

warnings.filterwarnings("ignore")
import pytorch_lightning  # noqa: E402 - it warns of what its own dependencies do

from isengard.sdk.lightning import IsengardLogger  # noqa: E402 - after Lightning, by whichever of its names


class Line(pytorch_lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.save_hyperparameters({"rate": 0.1})
        self.layer = nn.Linear(1, 1)

    def training_step(self, batch: Tensor, _number: int) -> Tensor:
        loss = (self.layer(batch) - 3).square().mean()
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


trainer = pytorch_lightning.Trainer(
    max_steps=5,
    logger=IsengardLogger("line", keep_checkpoints=True),
    log_every_n_steps=1,
    accelerator="cpu",
    default_root_dir=sys.argv[1],
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(Line(), DataLoader(torch.ones(10, 1), batch_size=2))
