"""The one hierarchy of errors that Isengard raises on purpose.

A raiser says what went wrong in words for the person who asked; it never knows about HTTP or exit codes of a shell.
`api/errors.py` maps a type to a status and `cli/main.py` maps it to an exit code, once each.
"""

from __future__ import annotations


class IsengardError(Exception):
    """Base of every expected failure.

    Args:
        detail: One sentence for a person; it names the thing at fault and is safe to show.
        field: The input field at fault in dotted form (``config.steps``), when there is one.
    """

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field


class InvalidInput(IsengardError):
    """The request cannot be carried out as written; nothing was changed."""


class NotFound(IsengardError):
    """The named thing does not exist."""


class Conflict(IsengardError):
    """The thing exists but its present state does not allow the request."""


class IllegalTransition(Conflict):
    """A job was asked to go from one status to another that the state machine does not connect."""


class Fenced(Conflict):
    """The caller's claim was taken over by another worker; it must let go of the job and write nothing more."""


class TooLarge(IsengardError):
    """An input is over a limit; the detail names the limit and the setting that moves it."""


class TooSlow(IsengardError):
    """An input stopped arriving; the detail names the setting that says for how long it is waited for."""


class Unauthenticated(IsengardError):
    """No valid token or session came with the request."""


class Forbidden(IsengardError):
    """The caller is known but may not do this."""


class Overloaded(IsengardError):
    """A limit of the running system is reached; the same request may succeed later.

    Args:
        retry_after_s: Seconds after which trying again makes sense.
    """

    def __init__(self, detail: str, *, retry_after_s: int = 1, field: str | None = None) -> None:
        super().__init__(detail, field=field)
        self.retry_after_s = retry_after_s


class RateLimited(Overloaded):
    """This caller asks too often."""


class StorageError(IsengardError):
    """The disk, folder or database refused a write; what was already confirmed is safe."""


class StorageBusy(StorageError):
    """Another process has been holding the database's write lock for longer than is waited for it."""


class Unreachable(StorageError):
    """A place elsewhere that this depends on (a bucket, a share) does not answer or refuses us; it may do so later."""


class CommitUncertain(StorageError):
    """The connection broke while the database was committing: the change may or may not have been made."""


class JournalLocked(Conflict):
    """Another process holds the right to write this journal."""


class StartupError(IsengardError):
    """A process cannot start: port taken, folder unwritable, setting invalid. Exit code 2."""


class TrainerUnavailable(InvalidInput):
    """A named trainer is not installed or lacks something it needs; the detail says how to get it."""


class TrainingFailed(IsengardError):
    """A training ended in failure.

    Args:
        detail: What happened, first cause first.
        error_type: A short name of the cause, an exception class or one of ours such as ``ProcessKilled``.
        stack: The trainer's own traceback, if there is one.
    """

    def __init__(self, detail: str, *, error_type: str, stack: str | None = None) -> None:
        super().__init__(detail)
        self.error_type = error_type
        self.stack = stack
