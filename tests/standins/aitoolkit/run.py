"""A stand-in for ostris/ai-toolkit's run.py: same streams, redraws, files, databases and endings, without training.

Written from what the real one was seen to do (0.12.26): stage lines on stdout, bars and tracebacks on stderr redrawn
with a carriage return, 0-based steps painted twice or once, a loss log in SQLite written every quarter of a second,
samples renamed into place, the newest file of the run's name taken to resume from, requests taken from a job table,
SIGINT ending with 0 and its stop flag with 1. ``STANDIN_FAIL`` names a way to fail,
``STANDIN_FAIL_AT`` the step to fail at, ``STANDIN_STEP_S`` the seconds a step takes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import struct
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from PIL import Image


class Bar:
    """Paints a bar on stderr as tqdm does."""

    def __init__(self, desc: str, total: int, initial: int = 0) -> None:
        self.desc, self.total, self.n, self.postfix = desc, total, initial, ""
        self.start = time.monotonic()

    def paint(self) -> None:
        elapsed = max(time.monotonic() - self.start, 1e-6)
        rate = f"{self.n / elapsed:5.2f}it/s" if self.n else "?it/s"
        done = round(10 * self.n / self.total)
        meter = "█" * done + " " * (10 - done)
        tail = f", {self.postfix}" if self.postfix else ""
        text = (
            f"{self.desc}: {100 * self.n // self.total:3d}%|{meter}| {self.n}/{self.total} [00:01<00:02, {rate}{tail}]"
        )
        sys.stderr.write("\r" + text)
        sys.stderr.flush()


class Log:
    """``loss_log.db`` as its UILogger keeps it: rows are buffered and written every quarter of a second."""

    def __init__(self, path: Path) -> None:
        self.pending: dict[int, dict[str, float]] = {}
        self.pruned = False
        self.flushed = time.time()
        self.connection = sqlite3.connect(path, timeout=30.0, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA foreign_keys=ON")
        self.connection.execute("CREATE TABLE IF NOT EXISTS steps (step INTEGER PRIMARY KEY, wall_time REAL NOT NULL)")
        self.connection.execute(
            "CREATE TABLE IF NOT EXISTS metrics (step INTEGER NOT NULL, key TEXT NOT NULL, value_real REAL, "
            "value_text TEXT, PRIMARY KEY (step, key), FOREIGN KEY (step) REFERENCES steps(step) ON DELETE CASCADE)"
        )

    def commit(self, step: int, figures: dict[str, float]) -> None:
        if not self.pruned:
            self.connection.execute("DELETE FROM steps WHERE step > ?", (step,))
            self.pruned = True
        self.pending[step] = figures
        if time.time() - self.flushed >= 0.25:
            self.flush()

    def flush(self) -> None:
        self.connection.execute("BEGIN")
        for step, figures in self.pending.items():
            self.connection.execute("INSERT OR REPLACE INTO steps VALUES (?, ?)", (step, time.time()))
            for key, value in figures.items():
                self.connection.execute("INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, NULL)", (step, key, value))
        self.connection.execute("COMMIT")
        self.pending.clear()
        self.flushed = time.time()


class Toolkit:
    """One run."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.name = config["config"]["name"]
        self.process = config["config"]["process"][0]
        self.root = Path(self.process["training_folder"]) / self.name
        self.steps = int(self.process["train"]["steps"])
        self.step = 0
        self.fail = os.environ.get("STANDIN_FAIL", "")
        self.fail_at = int(os.environ.get("STANDIN_FAIL_AT", "5"))
        self.step_s = float(os.environ.get("STANDIN_STEP_S", "0.01"))
        self.prompts = self.process["sample"]["prompts"]
        (self.root / "samples" / ".tmp").mkdir(parents=True, exist_ok=True)

    def query(self, statement: str, *values: object) -> list[Any]:
        path = self.process.get("sqlite_db_path", "./aitk_db.db")
        job = os.environ.get("AITK_JOB_ID")
        if not job or not os.path.exists(path):
            return []
        connection = sqlite3.connect(path, timeout=30)
        with connection:
            rows = connection.execute(statement, (*values, job)).fetchall()
        connection.close()
        return rows

    def flag(self, column: str) -> bool:
        rows = self.query(f"SELECT {column} FROM Job WHERE id = ?")
        return bool(rows and rows[0][0] == 1)

    def maybe_stop(self) -> None:
        if self.flag("stop"):
            self.query("UPDATE Job SET status = ?, info = 'Job stopped' WHERE id = ?", "stopped")
            raise RuntimeError("Job stopped")

    def run(self) -> None:
        print(json.dumps(self.process, indent=1))
        print(f"Using SQLite database at {self.process.get('sqlite_db_path')}")
        print(f'Job ID: "{os.environ.get("AITK_JOB_ID")}"')
        rule = "#" * 45
        print(f"\n{rule}\n# Running job: {self.name}\n{rule}\n\n\nRunning  1 process")
        self.load()
        self.resume()
        self.dataset()
        if self.step <= 1 and not self.process["train"].get("skip_first_sample"):
            print("Generating baseline samples before training")
            self.sample(self.step)
        self.train()
        self.save(None)
        if not self.process["train"].get("disable_sampling"):
            self.sample(self.step)
        self.query("UPDATE Job SET status = ? WHERE id = ?", "completed")
        print("\n========================================\nResult:\n - 1 completed job")

    def load(self) -> None:
        if self.fail == "gated":
            raise OSError("401 Client Error. Cannot access gated repo for url; access to model x/y is restricted")
        for n in range(1, 4):
            sys.stderr.write(f"\rLoading pipeline components...: {33 * n}%|███| {n}/3 [00:00<00:00, 30.00it/s]")
        sys.stderr.write("\n\rLoading weights: 0it [00:00, ?it/s]\x1b[A\rLoading weights: 0it [00:00, ?it/s]\n")

    def dataset(self) -> None:
        folder = Path(self.process["datasets"][0]["folder_path"])
        found = [path for path in folder.glob("*") if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp")]
        print(f"Dataset: {folder}\n  -  Preprocessing image dimensions\n  -  Found {len(found)} images")
        print(f"Caching latents for {folder}")

    def resume(self) -> None:
        saves = sorted(self.root.glob(f"{self.name}*"), key=os.path.getctime)
        if not saves:
            return
        print(f"#### IMPORTANT RESUMING FROM {saves[-1]} ####")
        with saves[-1].open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
        self.step = int(json.loads(header["__metadata__"]["training_info"])["step"])
        print(f"Found step {self.step} in metadata, starting from there")

    def train(self) -> None:
        bar = Bar(self.name, self.steps, self.step)
        bar.paint()
        log = Log(self.root / "loss_log.db")
        start = self.step
        for step in range(start, self.steps):
            self.one_step(bar, log, step, first=step == start)
        sys.stderr.write("\n")
        log.flush()

    def one_step(self, bar: Bar, log: Log, step: int, *, first: bool) -> None:
        time.sleep(self.step_s)
        if step == self.fail_at:
            self.trouble()
        loss = 0.0 if self.fail == "nan" and step == self.fail_at else 1.0 / (1 + step) + 0.123456789 * (step % 3)
        rate = float(self.process["train"]["lr"])
        bar.n, bar.postfix = step, f"lr: {rate:.1e} loss: {loss:.3e}"
        bar.paint()
        if not first:
            if step % int(self.process["save"]["save_every"]) == 0:
                print(f"\nSaving at step {step}")
                self.save(step)
            if step % int(self.process["sample"]["sample_every"]) == 0:
                self.sample(step)
            log.commit(step, {"learning_rate": rate, "loss/loss": loss})
        bar.n = step + 1
        if step % 3:
            bar.paint()  # with the old loss; tqdm leaves out what comes within a tenth of a second
        self.step = step + 1
        self.query("UPDATE Job SET step = ? WHERE id = ?", self.step)
        self.end_of_step()

    def end_of_step(self) -> None:
        self.maybe_stop()
        if self.flag("save_now"):
            self.query("UPDATE Job SET save_now = ? WHERE id = ?", 0)
            print(f"\nSaving at step {self.step}")
            self.save(self.step)
        if self.flag("sample_now"):
            self.query("UPDATE Job SET sample_now = ? WHERE id = ?", 0)
            print(f"\nSampling at step {self.step}")
            self.sample(self.step)

    def trouble(self) -> None:
        if self.fail == "oom":
            for n in range(1, 4):
                print(f"\n####\n# OOM during training step, skipping batch {n}/3 #\n####")
            raise RuntimeError("OOM during training step 3 times in a row, aborting training")
        if self.fail == "nan":
            print("loss is nan")
        elif self.fail == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.fail == "hang":
            time.sleep(600)
        elif self.fail == "crash":
            raise ValueError("Expected all tensors to be on the same device")

    def save(self, step: int | None) -> None:
        self.maybe_stop()
        suffix = "" if step is None else f"_{step:09d}"
        path = self.root / f"{self.name}{suffix}.safetensors"
        write_weights(path, self.step if step is None else step)
        print(f"Saved checkpoint to {path}")
        (self.root / "optimizer.pt").write_bytes(b"state")
        print(f"Saved optimizer to {self.root / 'optimizer.pt'}")
        saves = sorted(self.root.glob(f"{self.name}_*.safetensors"), key=os.path.getctime)
        for old in saves[: -int(self.process["save"]["max_step_saves_to_keep"])]:
            print(f"Removing old save: {old}")
            old.unlink()

    def sample(self, step: int) -> None:
        self.maybe_stop()
        bar = Bar("Generating Images", len(self.prompts))
        extension = self.process["sample"]["format"]
        for index, _prompt in enumerate(self.prompts):
            name = f"{time.time_ns() // 1_000_000:013d}__{step:09d}_{index}.{extension}"
            partial = self.root / "samples" / ".tmp" / name
            Image.new("RGB", (32, 32), (step % 256, 40 * index % 256, 120)).save(partial)
            os.replace(partial, self.root / "samples" / name)
            bar.n = index + 1
            bar.paint()
        sys.stderr.write("\x1b[A\n")


def write_weights(path: Path, step: int) -> None:
    data = struct.pack("<4f", 0.0, 1.0, 2.0, float(step))
    header = {
        "__metadata__": {"training_info": json.dumps({"step": step, "epoch": 0}), "name": path.stem},
        "lora_unet_x.lora_down.weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]},
    }
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def load(path: str) -> dict[str, Any]:
    def substitute(match: re.Match[str]) -> str:
        value = os.environ.get(match[1])
        if value is None:
            raise ValueError(f"Environment variable {match[1]} not set. Please ensure it's defined before proceeding.")
        return value

    text = re.sub(r"\$\{([^}]+)\}", substitute, Path(path).read_text(encoding="utf-8"))
    config: dict[str, Any] = yaml.safe_load(text)
    return config


def main() -> None:
    print("Running 1 job")
    try:
        config = load(sys.argv[1])
        toolkit = Toolkit(config)
        shutil.copyfile(sys.argv[1], toolkit.root / "config.yaml")
        toolkit.run()
    except KeyboardInterrupt:
        print("Job stopped")  # and exits with 0
    except Exception as error:
        print(f"Error running job: {error}")
        print("\n========================================\nResult:\n - 1 failure")
        raise


if __name__ == "__main__":
    main()
