"""The ways in which the mock can be told to go wrong, as real trainings do. None is reached by accident."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NoReturn

from isengard.trainers.mock.fail_mode import FailMode
from isengard.trainers.run import TrainingRun


def _foreign(module: str, name: str) -> type[RuntimeError]:
    """An exception class that looks like another library's, which the base install does not have."""
    return type(name, (RuntimeError,), {"__module__": module})


_OutOfMemoryError = _foreign("torch", "OutOfMemoryError")
_GatedRepoError = _foreign("huggingface_hub.errors", "GatedRepoError")
_EntryNotFoundError = _foreign("huggingface_hub.errors", "EntryNotFoundError")

_OOM_TEXT = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.64 GiB of which 1.31 GiB is "
    "free. Including non-PyTorch memory, this process has 22.32 GiB memory in use. Of the allocated memory 20.91 GiB "
    "is allocated by PyTorch, and 1.02 GiB is reserved by PyTorch but unallocated. If reserved but unallocated memory "
    "is large try setting PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid fragmentation."
)
_GATED_TEXT = (
    "401 Client Error.\n\nCannot access gated repo for url "
    "https://huggingface.co/black-forest-labs/FLUX.1-dev/resolve/main/model_index.json.\nAccess to model "
    "black-forest-labs/FLUX.1-dev is restricted. You must have access to it and be authenticated to access it. "
    "Please log in."
)
_MISSING_TEXT = (
    "404 Client Error.\n\nEntry Not Found for url: "
    "https://huggingface.co/runwayml/stable-diffusion-v1-5/resolve/main/unet/diffusion_pytorch_model.safetensors."
)


def fail(mode: FailMode, run: TrainingRun, step: int, exit_code: int) -> None:
    """Do what `mode` says at `step`; returns only for those modes after which the training goes on."""
    if mode is FailMode.EXIT_CODE:
        print("fatal: giving up", file=sys.stderr, flush=True)
        os._exit(exit_code)
    action = _ACTIONS.get(mode)
    if action is not None:
        action(run, step)


def _exception(run: TrainingRun, step: int) -> NoReturn:
    _forward({"latents": run.job.config["resolution"] // 8}, step)
    raise AssertionError("unreachable")


def _forward(batch: dict[str, int], step: int) -> NoReturn:
    raise RuntimeError(
        f"The size of tensor a ({batch['latents']}) must match the size of tensor b (77) at non-singleton dimension 3 "
        f"(step {step})"
    )


def _oom(run: TrainingRun, step: int) -> NoReturn:
    def attention() -> NoReturn:
        raise _OutOfMemoryError(_OOM_TEXT)

    del run, step
    attention()


def _nan(run: TrainingRun, step: int) -> NoReturn:
    run.step(step, loss=float("nan"), lr=run.job.config["learning_rate"])
    raise FloatingPointError(f"the loss became NaN at step {step}; a lower learning rate usually helps")


def _hang(run: TrainingRun, step: int) -> NoReturn:
    run.log(f"waiting for the data loader at step {step}")
    while True:
        time.sleep(3600)


def _stubborn(run: TrainingRun, step: int) -> NoReturn:
    """Neither the request to stop nor SIGTERM reaches it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _hang(run, step)


def _segfault(run: TrainingRun, step: int) -> None:
    del run, step
    os.kill(os.getpid(), signal.SIGSEGV)  # faulthandler prints the stack, as for a crash in a CUDA kernel's binding


def _kill(run: TrainingRun, step: int) -> None:
    del run, step
    os.kill(os.getpid(), signal.SIGKILL)


_ORPHAN = """
import os, sys, time
if os.fork(): os._exit(0)
os.setsid()
if (pid := os.fork()):
    os.write(1, str(pid).encode())
    os._exit(0)
os.closerange(1, 3)
time.sleep(3600)
"""


def _children(run: TrainingRun, step: int) -> None:
    """One ordinary child, one that forks twice into a session of its own, one that hides its environment as well."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    command = [sys.executable, "-c", _ORPHAN]
    bare = {"PATH": os.environ.get("PATH", "")}
    orphans = [int(subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True).stdout) for env in (None, bare)]
    run.log(f"started data loaders at step {step}", pids=[child.pid, *orphans])


def _flood(run: TrainingRun, step: int) -> None:
    """64 MiB of lines as fast as the pipe takes them."""
    del run
    block = b"".join(b"[step %d] bucket %06d: cached latents, nothing to see here\n" % (step, n) for n in range(16384))
    for _ in range(64 * 1024 * 1024 // len(block)):
        os.write(1, block)


def _garbage(run: TrainingRun, step: int) -> None:
    """Invalid UTF-8, control characters, NUL bytes, and a line of 8 MiB that never ends."""
    del run, step
    os.write(1, b"caption: \xff\xfe\x80 caf\xe9 \x00\x1b[31mred\x1b[0m \x1b]0;title\x07\n")
    for _ in range(128):
        os.write(2, b"x" * 65536)


def _closed_streams(run: TrainingRun, step: int) -> None:
    run.log(f"closing both streams at step {step}")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)


def _stderr_noise(run: TrainingRun, step: int) -> None:
    """What a quiet start of a real training looks like on stderr."""
    del run
    print(
        "/site-packages/diffusers/models/lora.py:393: FutureWarning: `LoRACompatibleLinear` is deprecated\n"
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
        file=sys.stderr,
    )
    for done in range(0, 101, 5):
        print(f"\rCaching latents (step {step}): {done:3d}%|{'█' * (done // 10):<10}|", end="", file=sys.stderr)
    print(file=sys.stderr, flush=True)


def _print_environment(run: TrainingRun, step: int) -> None:
    """What careless training scripts do."""
    del run, step
    for name, value in sorted(os.environ.items()):
        print(f"{name}={value}", file=sys.stderr, flush=True)


def _disk_full(run: TrainingRun, step: int) -> NoReturn:
    path = run.job.checkpoints / f"step_{step:06d}.safetensors"
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _gated(run: TrainingRun, step: int) -> NoReturn:
    del run, step
    raise _GatedRepoError(_GATED_TEXT)


def _missing_weights(run: TrainingRun, step: int) -> NoReturn:
    del run, step
    raise _EntryNotFoundError(_MISSING_TEXT)


def _missing_package(run: TrainingRun, step: int) -> NoReturn:
    del run, step
    raise ModuleNotFoundError("No module named 'bitsandbytes'", name="bitsandbytes")


_ACTIONS: dict[FailMode, Callable[[TrainingRun, int], None]] = {
    FailMode.EXCEPTION: _exception,
    FailMode.OOM: _oom,
    FailMode.NAN: _nan,
    FailMode.HANG: _hang,
    FailMode.STUBBORN: _stubborn,
    FailMode.SEGFAULT: _segfault,
    FailMode.KILL: _kill,
    FailMode.CHILDREN: _children,
    FailMode.FLOOD: _flood,
    FailMode.GARBAGE: _garbage,
    FailMode.CLOSED_STREAMS: _closed_streams,
    FailMode.STDERR_NOISE: _stderr_noise,
    FailMode.PRINT_ENVIRONMENT: _print_environment,
    FailMode.DISK_FULL: _disk_full,
    FailMode.GATED: _gated,
    FailMode.MISSING_WEIGHTS: _missing_weights,
    FailMode.MISSING_PACKAGE: _missing_package,
}
