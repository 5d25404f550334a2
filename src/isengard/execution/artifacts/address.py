"""From ``ISENGARD_ARTIFACTS_URL`` to a store: ``s3://bucket/prefix?endpoint=…``, ``file:///mnt/share``, or none at all.

Credentials have no place in it: they stand in the environment (``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY`` …).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from isengard.core.errors import StartupError
from isengard.core.settings import Settings
from isengard.execution.artifacts.folder import FolderStore
from isengard.execution.artifacts.store import ArtifactStore, check_key

PATIENCE_S = 2.0
"""How long somebody who asked is kept waiting for a store that does not answer."""
_OPTIONS = ("endpoint", "region")


def delivers(settings: Settings) -> bool:
    """Whether artifacts are brought to another place than the data folder."""
    return settings.artifacts_url is not None


def open_artifacts(settings: Settings, *, patience_s: float = PATIENCE_S) -> ArtifactStore:
    """The store of artifacts that the settings name, the data folder itself if they name none. Asks nothing of it yet.

    Raises:
        StartupError: The address makes no sense, or the library for it is not installed.
    """
    if settings.artifacts_url is None:
        return FolderStore(settings.data_dir)
    address = urlsplit(settings.artifacts_url.get_secret_value())
    if address.username or address.password:
        raise _wrong("credentials do not belong into it; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    if address.scheme == "file":
        return _folder(address)
    if address.scheme == "s3":
        return _bucket(address, patience_s)
    raise _wrong("it has to begin with s3:// or file://")


def _folder(address: SplitResult) -> ArtifactStore:
    if address.netloc not in ("", "localhost") or address.query or not address.path.startswith("/"):
        raise _wrong("a folder is written file:///absolute/path")
    return FolderStore(Path(unquote(address.path)))


def _bucket(address: SplitResult, patience_s: float) -> ArtifactStore:
    options = dict(parse_qsl(address.query, keep_blank_values=True))
    unknown = sorted(options.keys() - set(_OPTIONS))
    if unknown:
        raise _wrong(f"{unknown[0]!r} is not known; there are {' and '.join(_OPTIONS)}")
    endpoint = options.get("endpoint")
    if endpoint is not None and urlsplit(endpoint).scheme not in ("http", "https"):
        raise _wrong("endpoint has to begin with http:// or https://")
    if not address.netloc or address.fragment:
        raise _wrong("a bucket is written s3://bucket/prefix?endpoint=https://…")
    if any(importlib.util.find_spec(library) is None for library in ("obstore", "botocore")):
        raise StartupError("ISENGARD_ARTIFACTS_URL: s3:// needs the extra 's3' (pip install 'isengard[s3]')")
    from isengard.execution.artifacts.s3 import S3Store  # noqa: PLC0415 - of an optional extra

    prefix = unquote(address.path).strip("/")
    return S3Store(
        address.netloc,
        check_key(prefix) if prefix else "",
        endpoint=endpoint,
        region=options.get("region"),
        patience_s=patience_s,
    )


def _wrong(reason: str) -> StartupError:
    return StartupError(f"ISENGARD_ARTIFACTS_URL: {reason}", field="artifacts_url")
