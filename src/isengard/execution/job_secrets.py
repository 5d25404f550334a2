"""The secrets given to a job: kept in one file that only the owner reads, handed to the trainer's environment alone.

They never enter the store, the journal, ``job.json`` or a command line.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from isengard.core.errors import InvalidInput, StorageError

MAX_SECRETS = 64
MAX_VALUE_CHARACTERS = 65_536
MAX_CHARACTERS = 131_072
"""Of all together: each is looked for, in many spellings, in everything the job writes."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_STEERING = re.compile(
    r"(?i)ISENGARD_.*|LD_.*|DYLD_.*|PYTHON.*|PATH|HOME|IFS|BASH_ENV|ENV|TRACEPARENT|SHELL|TMPDIR|EDITOR|PAGER"
    r"|GLIBC_TUNABLES|GCONV_PATH|LOCPATH|MALLOC_.*|HOSTALIASES|OPENSSL_.*|SSL_CERT_.*|.*_CA_BUNDLE|HF_ENDPOINT"
    r"|GIT_(?!.*(?:TOKEN|PASSWORD|KEY)).*|NODE_OPTIONS|PERL5.*|RUBY(?:OPT|LIB)|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS"
    r"|CC|CXX|CUDA_HOME|CUDA_PATH|.*_VISIBLE_DEVICES|TRITON_.*|TORCHINDUCTOR_.*|TORCH_EXTENSIONS_DIR"
)
"""Names that steer processes instead of authenticating them: what they load, run, compile with or believe.

Where only some trainers are allowed, a job's secrets must not be a way to run something else.
"""


def check(secrets: Mapping[str, str]) -> dict[str, str]:
    """Return `secrets` if they can be a trainer's environment; raises `InvalidInput` naming ``secrets.<name>``."""
    if len(secrets) > MAX_SECRETS:
        raise InvalidInput(f"at most {MAX_SECRETS} secrets can be given to a job", field="secrets")
    for name, value in secrets.items():
        reason = _fault(name, value)
        if reason:
            raise InvalidInput(f"the secret {name[:80]!r} {reason}", field=f"secrets.{name[:80]}")
    if sum(map(len, secrets.values())) > MAX_CHARACTERS:
        raise InvalidInput(f"the secrets of a job may have {MAX_CHARACTERS} characters together", field="secrets")
    return dict(secrets)


def _fault(name: str, value: object) -> str | None:
    if not _NAME.fullmatch(name):
        return "has a name that cannot be an environment variable's"
    if _STEERING.fullmatch(name):
        return "has the name of a variable that steers processes; it cannot be set here"
    if not isinstance(value, str) or not value:
        return "is empty"
    if "\x00" in value or len(value) > MAX_VALUE_CHARACTERS:
        return f"holds a NUL character or more than {MAX_VALUE_CHARACTERS} characters"
    return None


def write(path: Path, secrets: Mapping[str, str]) -> None:
    """Write `secrets` to `path`, mode 0600; raises `StorageError`."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(dict(secrets), file)
    except OSError as error:
        raise StorageError(f"the job's secrets cannot be kept: {error.strerror}") from error


def read(path: Path) -> dict[str, str]:
    """The secrets in `path`, none if there is no such file; raises `StorageError` when it is there but unreadable."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise StorageError("the job's secrets cannot be read") from error
    return {str(name): str(value) for name, value in found.items()}
