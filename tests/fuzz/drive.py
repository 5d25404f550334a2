"""One bout of coverage-guided fuzzing: ``python drive.py TARGET SECONDS CRASHERS``; TARGET may be ``any_target``.

What breaks a promise is kept in the folder CRASHERS as ``crash-…`` and the process ends with an exit code.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))

with atheris.instrument_imports(include=["isengard.core.redaction", "isengard.datasets", "isengard.journal.repair"]):
    from fuzz import seeds, targets


def main() -> None:
    """Fuzz until the time is over or something breaks."""
    name, seconds, crashers = sys.argv[1:4]
    corpus = Path(tempfile.mkdtemp(prefix="corpus-"))
    for number, seed in enumerate(seeds.of(name)):
        (corpus / str(number)).write_bytes(seed)
    Path(crashers).mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", f"-artifact_prefix={crashers}/", "-max_len=8192", "-timeout=20"]
    options += ["-rss_limit_mb=2048", "-print_final_stats=1", f"-seed={random.randrange(1, 2**31)}"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], getattr(targets, name))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
