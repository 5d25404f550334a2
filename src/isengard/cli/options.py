"""Options that several commands share, spelled once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isengard.core.settings import Settings, load

DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", help="The data folder; default is ISENGARD_DATA_DIR or ~/.isengard.")
]
TlsCertOption = Annotated[
    Path | None, typer.Option("--tls-cert", help="Certificate chain (PEM): serve HTTPS. Goes with --tls-key.")
]
TlsKeyOption = Annotated[Path | None, typer.Option("--tls-key", help="Private key (PEM) of the certificate.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="A job id, or the beginning of one.")]


def settings_for(data_dir: Path | None) -> Settings:
    """The settings with `data_dir`, if given, in place of the environment's; raises `StartupError`."""
    return load(data_dir=data_dir)
