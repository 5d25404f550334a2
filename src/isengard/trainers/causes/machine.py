"""Failures of the machine: main memory, disk, files, ports, limits."""

from __future__ import annotations

from isengard.trainers.causes.rule import Cause, named, rule

_FILE = r"['\"]?([^'\"\n]{1,200})"

MEMORY_AND_DISK = (
    rule(
        r"(out of shared memory|is killed by signal: Bus error|raise your shared memory limit"
        r"|unable to (?:open|mmap|allocate) shared memory|No space left on device[^\n]{0,40}/(?:dev/shm|torch_))",
        Cause(
            "shared-memory",
            "The shared memory is full",
            "The processes that load images hand them over in /dev/shm, and that is too small; a container has 64 MB.",
            (
                "Start the container with --shm-size=8g or --ipc=host.",
                "Or use no data loader processes (num_workers 0).",
            ),
        ),
    ),
    rule(
        r"(killed by the kernel's out-of-memory killer|oom[-_ ]kill|DefaultCPUAllocator: (?:can't|not enough)"
        r"|\bMemoryError\b|ArrayMemoryError|Cannot allocate memory|std::bad_alloc|is killed by signal: Killed"
        r"|DataLoader worker \(pid\(s\) [\d, ]+\) exited unexpectedly)",
        Cause(
            "host-oom",
            "The machine ran out of memory",
            "The main memory (RAM) was used up, not the GPU's; the kernel then ends the largest process.",
            ("Cache latents to disk.", "Use fewer data loader workers.", "Add swap, or a machine with more memory."),
        ),
    ),
    rule(
        r"(No space left on device|StorageFull|\[Errno 28\]|disk quota exceeded|\[Errno 122\]"
        r"|Not enough free disk space"
        r"|PytorchStreamWriter failed writing file|inline_container\.cc[^\n]{0,20}unexpected pos \d+ vs \d+)",
        Cause(
            "disk-full",
            "The disk is full",
            "A checkpoint, a sample or a cache could not be written because no space is left.",
            ("Free space.", "Keep fewer checkpoints.", "Resume: the last whole checkpoint is kept."),
        ),
    ),
    rule(
        r"(Too many open files|\[Errno 24\])",
        Cause(
            "open-files",
            "Too many files are open",
            "The process has as many files open as the system allows it.",
            (
                "Raise the limit: ulimit -n 65536 before Isengard is started, or LimitNOFILE in its unit.",
                "Use fewer data loader workers.",
            ),
        ),
    ),
)

FILES = (
    rule(
        r"(LaunchFailed: (\S+) cannot be started: No such file|\b([\w./-]+): command not found"
        r"|exit code (127)|env: ['\"\u2018]?([\w./-]+)['\"\u2019]?: No such file)",
        Cause(
            "no-program",
            "The program is not there",
            "It is not in the folder or on the PATH of this machine's worker: {name}",
            (
                "Give its whole path, such as /opt/sd-scripts/venv/bin/accelerate.",
                "Or start the worker from a shell in which the program is found.",
            ),
        ),
        named,
    ),
    rule(
        r"(folder to run it in is not there: ([^\n]+))",
        Cause(
            "missing-file",
            "A file or folder is not there",
            "The trainer was told to run in a folder that does not exist: {name}",
            ("Correct cwd.", "In a container: look whether that folder is mounted."),
        ),
        named,
    ),
    rule(
        r"(Address already in use|EADDRINUSE|\[Errno 98\])",
        Cause(
            "port-in-use",
            "A port is taken",
            "The trainer wanted a network port that another program holds, often a run that has not ended.",
            ("End the other run.", "Give the trainer another port (--main_process_port, --master_port)."),
            retry=True,
        ),
    ),
    rule(
        r"((?:\w+Error: )?(?:\[Errno \d+\] )?(?:Permission denied|Operation not permitted|Read-only file system)"
        rf"(?:: {_FILE})?|PermissionError|PermissionDenied|\[Errno (?:13|30)\])",
        Cause(
            "permission",
            "A file may not be read or written",
            "The trainer is not allowed to use this file or folder: {name}",
            ("Look at the owner and the rights of that folder.", "In a container: at the user and how it is mounted."),
        ),
        named,
    ),
    rule(
        rf"(can't open file {_FILE}|(?:\w+Error: )?(?:\[Errno \d+\] )?"
        rf"(?:No such file or directory|Not a directory|Is a directory): {_FILE}|FileNotFoundError: ([^\n]{{1,200}}))",
        Cause(
            "missing-file",
            "A file or folder is not there",
            "The trainer was told to use one that does not exist: {name}",
            (
                "Check that path; a relative one begins at the folder in which the command runs (cwd).",
                "In a container: that the folder is mounted.",
            ),
        ),
        named,
    ),
)
