"""An Accelerate loop: five steps of a line fitted to points."""

import torch
from accelerate import Accelerator

from isengard.sdk.accelerate import IsengardTracker

accelerator = Accelerator(cpu=True, log_with=IsengardTracker())
accelerator.init_trackers("line", config={"max_train_steps": 5, "rate": 0.1})
model = torch.nn.Linear(1, 1)
model, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
for step in range(1, 6):
    loss = (model(torch.ones(4, 1)) - 3).square().mean()
    accelerator.backward(loss)
    optimizer.step()
    optimizer.zero_grad()
    accelerator.log({"train_loss": loss, "lr": 0.1, "note": "a text", "grad_norm": 1}, step=step)
accelerator.get_tracker("isengard").log_images({"a line": [torch.rand(3, 8, 8)]}, step=5)
accelerator.end_training()
