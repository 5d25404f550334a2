"""What the index knows of a line: where it begins and the few things that filters, charts and jumps ask for.

One record has a fixed size, so that record n is line n + 1. `scan.py` makes records, `index_file.py` keeps them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isengard.events.models import EventName, Level

Records = npt.NDArray[np.void]

RECORD = np.dtype(
    [
        ("offset", "<u8"),  # of the line's first byte in the file
        ("loss", "<f8"),  # NaN: the line has none; infinite: it says that the loss was not a number
        ("lr", "<f8"),  # NaN: the line has none
        ("step", "<i4"),  # -1: the line has none
        ("body", "<u4"),  # where in the line `","service":"` begins, behind event and msg; 0: keys in another order
        ("fields", "<u4"),  # where in the line `,"fields":` begins; 0: keys in another order
        ("attempt", "<u2"),  # 0: the line has none
        ("level", "u1"),  # see LEVELS; 0: another
        ("event", "u1"),  # see EVENTS; 0: another
    ]
)

LEVELS: dict[str, int] = {level.value: code for code, level in enumerate(Level, 1)}
"""Codes of levels. They stand in index files: append new ones, never renumber."""

EVENTS: dict[str, int] = {
    event.value: code
    for code, event in enumerate(
        (
            EventName.JOB_CREATED,
            EventName.JOB_QUEUED,
            EventName.JOB_STARTED,
            EventName.JOB_STAGE,
            EventName.JOB_COMPLETED,
            EventName.JOB_FAILED,
            EventName.JOB_CANCELLED,
            EventName.JOB_RESUMED,
            EventName.JOB_ADOPTED,
            EventName.TRAINING_STEP,
            EventName.TRAINING_SAMPLE,
            EventName.TRAINING_CHECKPOINT,
            EventName.SUBPROCESS_START,
            EventName.SUBPROCESS_STDOUT,
            EventName.SUBPROCESS_STDERR,
            EventName.SUBPROCESS_EXIT,
            EventName.GPU_METRICS,
            EventName.LOG,
        ),
        1,
    )
}
"""Codes of events. They stand in index files: append new ones, never renumber."""

STEP = EVENTS[EventName.TRAINING_STEP]
ERROR = LEVELS[Level.ERROR]
WARN = LEVELS[Level.WARN]
FIGURED = frozenset(code for event, code in EVENTS.items() if event.startswith(("job.", "training.")))
"""Events whose fields hold a progress event."""
MAX_STEP = 2**31 - 1
MAX_ATTEMPT = 2**16 - 1
NOT_A_NUMBER = float("inf")
"""Stands for a loss that was there and not finite. JSON cannot spell infinity, so no line holds it itself."""
ABSENT = float("nan")
