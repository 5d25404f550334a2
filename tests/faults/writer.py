"""A process that writes a journal and says on stdout, one number a line, what `append` returned for.

``writer.py FOLDER COUNT PAUSE_S [CHECKPOINT_EVERY]``. A refusal of the disk is said as ``!``, and tried again.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from isengard.core.errors import StorageError
from isengard.core.paths import DataDir
from isengard.core.redaction import Redactor
from isengard.events.models import EventName
from isengard.journal import JournalWriter


def main(folder: Path, count: int, pause_s: float, checkpoint_every: int = 0) -> None:
    paths = DataDir(folder).job("train-written")
    paths.make()
    with JournalWriter.open(paths, service="runner", redactor=Redactor(), correlation_id="corr-fault") as journal:
        number = journal.last_seq
        while number < count:
            due = checkpoint_every and (number + 1) % checkpoint_every == 0
            event = EventName.TRAINING_CHECKPOINT if due else EventName.TRAINING_STEP
            try:
                number = journal.append(event, "", {"step": number + 1, "emitted": number + 1, "pad": "·" * 40})
            except StorageError:
                os.write(1, b"!\n")
                time.sleep(0.02)
                continue
            os.write(1, b"%d\n" % number)
            time.sleep(pause_s)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int((sys.argv[4:] or ["0"])[0]))
