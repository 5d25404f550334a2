"""Isengard launches LoRA image-model trainings, records what happens in them, and explains what went wrong.

import isengard
run = isengard.init(steps=1000)
run.log(step=1, loss=0.5, lr=1e-4)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isengard.sdk.run import Requests, Run
    from isengard.sdk.start import init

__version__ = "0.1.0"
__all__ = ["Requests", "Run", "__version__", "init"]

_HOME = {"Requests": "run", "Run": "run", "init": "start"}


def __getattr__(name: str) -> Any:
    """Load the SDK when a script asks for it: everything else imports this package too."""
    from importlib import import_module  # noqa: PLC0415 - used only here

    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.sdk.{_HOME[name]}"), name)
