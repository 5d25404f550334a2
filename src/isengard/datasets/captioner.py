"""Captions images with a model of the transformers library, in a process of its own: ``python -m`` FOLDER < names.

Reads a path a line from standard input and answers each with a JSON line ``{"file", "caption"}`` on standard output, so
that whoever started it can follow it and end it. The model is read from a folder; nothing is ever downloaded.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from isengard.core.errors import InvalidInput

_MOST_TOKENS = 60


def check_folder(folder: Path) -> None:
    """Raise `InvalidInput` unless `folder` looks like a model with its weights."""
    if not (folder / "config.json").is_file():
        raise InvalidInput(f"caption_model: {folder} holds no model (config.json)", field="config.caption_model")
    if not any(folder.glob("*.safetensors")) and not any(folder.glob("*.bin")):
        raise InvalidInput(f"caption_model: {folder} holds no weights", field="config.caption_model")


class Captioner:
    """An image-to-text model that needs no question, such as BLIP or GIT.

    Args:
        folder: Model, image processor and tokenizer as `save_pretrained` leaves them.
    """

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModelForImageTextToText, AutoProcessor

        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._processor: Any = AutoProcessor.from_pretrained(folder, local_files_only=True)
        model: Any = AutoModelForImageTextToText.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        self._model = model.to(self._device).eval()

    def caption(self, path: Path) -> str:
        """What the model says of the image, on one line."""
        import torch

        with Image.open(path) as image, torch.inference_mode():
            inputs = self._processor(images=image.convert("RGB"), return_tensors="pt").to(self._device)
            tokens = self._model.generate(**inputs, max_new_tokens=_MOST_TOKENS)
        return " ".join(self._processor.batch_decode(tokens, skip_special_tokens=True)[0].split())


def main(arguments: list[str]) -> int:
    """Caption what standard input names."""
    captioner = Captioner(Path(arguments[0]))
    for line in sys.stdin:
        path = Path(line.rstrip("\n"))
        print(json.dumps({"file": path.name, "caption": captioner.caption(path)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
