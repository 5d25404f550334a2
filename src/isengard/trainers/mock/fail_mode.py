"""The ways in which the mock can be told to go wrong, by name; `failures.py` carries them out."""

from __future__ import annotations

from enum import StrEnum


class FailMode(StrEnum):
    """What happens at ``fail_at_step``."""

    NONE = "none"
    EXCEPTION = "exception"
    OOM = "oom"
    NAN = "nan"
    HANG = "hang"
    STUBBORN = "stubborn"
    SEGFAULT = "segfault"
    KILL = "kill"
    EXIT_CODE = "exit_code"
    CHILDREN = "children"
    FLOOD = "flood"
    GARBAGE = "garbage"
    CLOSED_STREAMS = "closed_streams"
    STDERR_NOISE = "stderr_noise"
    PRINT_ENVIRONMENT = "print_environment"
    DISK_FULL = "disk_full"
    GATED = "gated"
    MISSING_WEIGHTS = "missing_weights"
    MISSING_PACKAGE = "missing_package"
    NO_OUTPUT = "no_output"
    TORN_OUTPUT = "torn_output"
