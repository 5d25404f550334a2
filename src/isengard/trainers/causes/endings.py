"""Failures that are known by how the process ended rather than by what it said."""

from __future__ import annotations

from isengard.trainers.causes.rule import Cause, rule

RULES = (
    rule(
        r"\bHostLost\b",
        Cause(
            "host-lost",
            "The host is gone",
            "The machine on which the job ran went down, or was cut off for longer than ISENGARD_LOST_HOST_S.",
            ("Resume from the last checkpoint; it runs on another host.", "Look at that machine and its network."),
            retry=True,
        ),
    ),
    rule(
        r"(signal 9 \(SIGKILL\)|SIGKILL)",
        Cause(
            "killed",
            "The trainer was killed",
            "Somebody or something ended the process with SIGKILL; most often the kernel, for want of main memory.",
            ("Look at dmesg for 'Out of memory'.", "Resume from the last checkpoint."),
            retry=True,
        ),
    ),
    rule(
        r"(signal (?:15 \(SIGTERM\)|1 \(SIGHUP\)|2 \(SIGINT\))|SignalException|got signal: (?:15|1|2)\b"
        r"|\bKeyboardInterrupt\b|DUE TO TIME LIMIT|DUE TO PREEMPTION|<Signals\.SIG(?:TERM|HUP|INT): \d+>)",
        Cause(
            "interrupted",
            "The trainer was told to end",
            "Not by Isengard: a person, a script, the machine's shutdown, or the time limit of a batch system.",
            ("Resume from the last checkpoint.", "Under a batch system: ask for more time."),
        ),
    ),
    rule(
        r"(signal 11 \(SIGSEGV\)|Segmentation fault|signal 6 \(SIGABRT\)|signal 7 \(SIGBUS\)|signal 4 \(SIGILL\)"
        r"|Signals\.SIG(?:SEGV|ABRT|BUS|ILL))",
        Cause(
            "crash",
            "The trainer crashed",
            "Native code broke: a driver, a compiled extension or damaged memory.",
            ("Resume from the last checkpoint.", "If it comes back, reinstall the packages with compiled parts."),
            retry=True,
        ),
        yields_to="cuda-oom gpu-fault gpu-assert distributed host-oom shared-memory disk-full no-gpu",
    ),
    rule(
        r"(\b(?:Missing|No|Damaged)Output\b|left no (?:readable )?LoRA)",
        Cause(
            "no-output",
            "There is no LoRA",
            "The trainer ended as if all were well, but wrote no file that opens as a LoRA.",
            ("Look at the last lines of its output.", "Check where it was told to write."),
        ),
        yields_to="no-images bad-arguments disk-full permission nan-loss cuda-oom",
    ),
)
