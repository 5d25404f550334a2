"""Coverage-guided fuzzing of one target after another: ``python drive.py SECONDS FINDINGS [TARGET …]``; none is all.

SECONDS are for each target. An input that breaks a promise is kept in FINDINGS as ``TARGET-crash-…``, and the exit code
is 1; ``python drive.py 0 FINDINGS TARGET FILE`` tries one input again. One line a target says what was tried.
"""

from __future__ import annotations

import os
import random
import re
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))

_WATCHED = ["core.redaction", "datasets", "execution", "journal", "trainers"]

with atheris.instrument_imports(include=[f"isengard.{name}" for name in _WATCHED]):
    from fuzz import seeds, targets


def main() -> int:
    """Fuzz each target in a process of its own, for libFuzzer never returns; the imports are done once, before."""
    seconds, findings = int(sys.argv[1]), Path(sys.argv[2])
    findings.mkdir(parents=True, exist_ok=True)
    if seconds == 0:
        targets.TARGETS[sys.argv[3]](Path(sys.argv[4]).read_bytes())
        return 0
    names = sys.argv[3:] or list(targets.TARGETS)
    broken = [name for name in names if _bout(name, seconds, findings)]
    return int(bool(broken))


def _bout(name: str, seconds: int, findings: Path) -> bool:
    """Whether something was found."""
    log = findings / f"{name}.log"
    child = os.fork()
    if child == 0:
        with log.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        _fuzz(name, seconds, findings)
    broken = os.waitpid(child, 0)[1] != 0
    told = log.read_text(errors="replace")
    units = re.search(r"number_of_executed_units:\s*(\d+)", told)
    edges = re.findall(r"cov: (\d+)", told)
    tried = f"{units[1] if units else '?'} inputs, {edges[-1] if edges else '?'} places reached"
    print(f"{name:<16} {tried}, {'BROKEN: see ' + str(log) if broken else 'nothing found'}", flush=True)
    return broken


def _fuzz(name: str, seconds: int, findings: Path) -> None:
    """Fuzz and end this process."""
    corpus = Path(tempfile.mkdtemp(prefix="corpus-"))
    for number, seed in enumerate(seeds.of(name)):
        (corpus / str(number)).write_bytes(seed)
    options = [f"-max_total_time={seconds}", f"-artifact_prefix={findings}/{name}-", "-max_len=8192", "-timeout=20"]
    options += [
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        f"-seed={os.environ.get('FUZZ_SEED') or random.randrange(1, 2**31)}",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], targets.TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
