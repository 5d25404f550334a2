"""A training script that uses the SDK: ``plain.py STEPS [ENDING] [PAUSE_S]``, ENDING one of the names below."""

from __future__ import annotations

import math
import os
import signal
import sys
import time

import numpy

import isengard


def main() -> None:
    steps, ending = int(sys.argv[1]), (sys.argv[2] if len(sys.argv) > 2 else "")
    pause_s = float(sys.argv[3]) if len(sys.argv) > 3 else 0.0
    run = isengard.init("sea", steps=steps, config={"lr": 1e-4, "best": math.inf, 5: (1, 2)})
    print(run.id, flush=True)
    for step in range(1, steps + 1):
        run.log(step=step, loss=1 / step, lr=numpy.float32(1e-4), grad_norm=0.5)
        wanted = run.requests()
        if wanted.sample or step % 10 == 0:
            run.sample(numpy.full((3, 8, 8), step / steps), step=step, prompt="a sea")
        if wanted.stop or wanted.save:
            break
        time.sleep(pause_s)
    end(run, ending)


def end(run: isengard.Run, ending: str) -> None:
    if ending == "raise":
        raise RuntimeError("CUDA out of memory. Tried to allocate 1.00 GiB")
    if ending == "exit":
        sys.exit(3)
    if ending == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if ending == "finish":
        run.finish()
        run.log(step=999, loss=0.0)
    if ending == "wait":
        time.sleep(600)


if __name__ == "__main__":
    main()
