"""Settings: the only reader of the environment.

Every setting is an environment variable ``ISENGARD_<NAME>`` (``docs/settings.md`` lists them; a test holds the list to
this class). Command-line options override them. Nothing else in Isengard looks at ``os.environ`` for configuration.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from isengard.core.errors import StartupError
from isengard.core.paths import DataDir


class Mode(StrEnum):
    """How trainings are run when a job names no trainer."""

    FAST_TEST = "fast-test"
    PRODUCTION = "production"

    @property
    def default_trainer(self) -> str:
        """The trainer of a job that names none."""
        return "mock" if self is Mode.FAST_TEST else "ai-toolkit"


class Settings(BaseModel):
    """All settings: what the caller gives, then what the environment says, then the defaults."""

    model_config = ConfigDict(validate_default=True, frozen=True, hide_input_in_errors=True)

    mode: Mode = Field(Mode.FAST_TEST, description="`fast-test` (no GPU, no downloads) or `production`.")
    data_dir: Path = Field(Path("~/.isengard"), description="The data folder: database, uploads, LoRAs, logs.")
    host: str = Field("127.0.0.1", description="Address the API listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port the API listens on; 0 takes a free one.")
    token: SecretStr | None = Field(None, description="Access token; required for any address but loopback.")
    database_url: SecretStr | None = Field(None, description="SQLAlchemy URL; default is SQLite in the data folder.")
    redis_url: SecretStr | None = Field(None, description="Redis for events between hosts; not needed on one machine.")
    artifacts_url: SecretStr | None = Field(
        None, description="Where artifacts are brought: `s3://bucket/prefix?endpoint=…` or `file:///share`."
    )
    artifacts_redirect_s: int = Field(
        0, ge=0, le=604_800, description="Seconds a presigned address of weights holds; 0 sends them through the API."
    )
    launcher: Literal["local", "ray", "none"] = Field(
        "local",
        description="`local`: a worker starts its trainings on its own machine; `ray`: on a Ray cluster; "
        "`none`: not at all, other hosts do.",
    )
    ray_address: str = Field("auto", description="Address of the Ray cluster: `host:6379`, or `auto` for the one here.")
    ray_options: str = Field(
        "",
        description="Options of each training's Ray actor as a JSON object: `num_gpus`, `label_selector` and others.",
    )
    host_data_dir: Path = Field(
        Path("~/.isengard-host"), description="The data folder of a Ray node, on the node's own disk."
    )
    remote: bool = Field(
        False, description="This worker is on another host than the API: it fetches jobs and ships journals by Redis."
    )
    lost_host_s: float = Field(
        60.0, ge=1, le=86_400, description="Seconds after which a silent host is given up, and its trainings with it."
    )
    otlp_endpoint: SecretStr | None = Field(
        None, description="OpenTelemetry collector for `isengard export`, such as `http://collector:4318`."
    )
    otlp_signals: str = Field("logs,metrics,traces", description="What is exported to it, by comma.")
    log_stdout: Literal["", "json"] = Field(
        "", description="`json` prints the services' own log lines to standard output as well."
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARN or ERROR, for the services' own logs.")
    redact_patterns: str = Field(
        "", description="Further secrets to mask: RE2 regular expressions, one a line or as a JSON list."
    )
    trainers: str = Field(
        "",
        description="Trainers that jobs may use, by comma; all that are installed unless set. `command` runs programs.",
    )
    max_running_jobs: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="How many trainings one worker runs at a time; default is one a GPU, or one without a GPU.",
    )
    gpus: str = Field(
        "", description="GPUs that trainings may use, by number or UUID and comma, or `none`; default is all."
    )
    grace_period_s: float = Field(
        15.0, ge=0.1, le=3600, description="Seconds a cancelled trainer has to stop by itself, and again after SIGTERM."
    )
    lease_s: float = Field(
        15.0, ge=1, le=3600, description="Seconds after which a silent worker's jobs are taken over."
    )
    max_retries: int = Field(
        0, ge=0, le=100, description="How often a failed job is resumed by itself, for causes where that can help."
    )

    metrics_every_s: float = Field(5.0, ge=0, le=3600, description="Seconds between readings of the GPU; 0 for none.")
    watch_stall_factor: float = Field(
        10.0, gt=1, le=1e6, description="A step that takes this many usual step times, and a minute, is a stall."
    )
    watch_loss_factor: float = Field(
        5.0, gt=1, le=1e6, description="The mean loss explodes at this multiple of its lowest."
    )
    watch_gpu_idle_s: float = Field(180.0, ge=1, le=1e6, description="Seconds without work that make a GPU idle.")
    watch_disk_free_mb: float = Field(2048.0, ge=0, le=1e9, description="Below these free MiB the disk is nearly full.")

    aitoolkit_dir: Path | None = Field(None, description="Checkout of ostris/ai-toolkit, for the ai-toolkit trainer.")
    aitoolkit_python: Path | None = Field(
        None, description="Python that runs ai-toolkit; default is `venv/` or `.venv/` in its checkout."
    )

    tls_cert: Path | None = Field(None, description="Certificate chain (PEM) to serve HTTPS with; with its key.")
    tls_key: Path | None = Field(None, description="Private key (PEM, without a password) of that certificate.")
    allowed_hosts: str = Field(
        "", description="Further host names the API answers to, by comma: those of a proxy or of this machine."
    )
    max_body_mb: int = Field(2, ge=1, le=1024, description="Most MiB of a JSON request.")
    max_header_kb: int = Field(64, ge=8, le=1024, description="Most KiB of a request's address and headers.")
    header_timeout_s: float = Field(
        30.0, ge=0.1, le=3600, description="Seconds within which a request's address and headers have to arrive."
    )
    body_timeout_s: float = Field(
        60.0, ge=0.1, le=3600, description="Seconds that the body of a request may pause while it arrives."
    )
    max_streams: int = Field(2000, ge=1, le=100_000, description="Most live streams one API process serves.")
    stream_heartbeat_s: float = Field(15.0, ge=0.05, le=300, description="Seconds between signs of life of a stream.")
    stream_stall_s: float = Field(
        120.0,
        ge=0.1,
        le=3600,
        description="Seconds after which a client that does not read, or does not answer at all, is cut off.",
    )

    max_image_mb: int = Field(50, ge=1, le=2048, description="Size of one image file, MiB.")
    max_image_megapixels: int = Field(64, ge=1, le=178, description="Pixels of one image, in millions.")
    max_image_frames: int = Field(1, ge=1, le=1000, description="Frames of one image; only the first is kept.")
    max_upload_mb: int = Field(2048, ge=1, le=1_048_576, description="All files of one upload, unpacked, MiB.")
    max_upload_files: int = Field(5000, ge=1, le=100_000, description="Files in one upload or zip.")
    max_zip_ratio: int = Field(100, ge=2, le=1000, description="How many times its packed size a zip entry may be.")
    max_images_per_character: int = Field(10_000, ge=1, le=1_000_000, description="Images of one character.")
    max_caption_chars: int = Field(10_000, ge=1, le=100_000, description="Characters of one caption.")

    @model_validator(mode="before")
    @classmethod
    def _with_environment(cls, given: dict[str, Any]) -> dict[str, Any]:
        # An empty variable is one that is not set: a token of no characters would lock nothing.
        told = {name: value for name in cls.model_fields if (value := os.environ.get(f"ISENGARD_{name.upper()}"))}
        return {**told, **given}

    @field_validator("data_dir", "host_data_dir")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        level = value.upper()
        level = "WARN" if level == "WARNING" else level
        if level not in {"DEBUG", "INFO", "WARN", "ERROR"}:
            raise ValueError("must be DEBUG, INFO, WARN or ERROR")
        return level

    @field_validator("otlp_endpoint")
    @classmethod
    def _an_address(cls, value: SecretStr | None) -> SecretStr | None:
        parts = urlsplit(value.get_secret_value()) if value is not None else None
        if parts is not None and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("it has to begin with http:// or https:// and name a host")
        return value

    @field_validator("otlp_signals")
    @classmethod
    def _known_signals(cls, value: str) -> str:
        names = [name.strip().lower() for name in value.split(",") if name.strip()]
        if not names or set(names) - {"logs", "metrics", "traces"}:
            raise ValueError("must name some of logs, metrics and traces")
        return ",".join(dict.fromkeys(names))

    @field_validator("redact_patterns")
    @classmethod
    def _compilable(cls, value: str) -> str:
        if value.strip():
            from isengard.core.redaction.user_rules import user_rules  # noqa: PLC0415 - costs 40 ms

            user_rules(value)
        return value

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("ISENGARD_TLS_CERT and ISENGARD_TLS_KEY go together: set both or neither")
        return self

    def allows_trainer(self, name: str) -> bool:
        """Whether jobs may use the trainer called `name`."""
        return not self.allowed_trainers or name in self.allowed_trainers

    @property
    def allowed_trainers(self) -> frozenset[str]:
        """The trainers that jobs may use, by name; empty for all that are installed."""
        return frozenset(part.strip() for part in self.trainers.split(",") if part.strip())

    @property
    def has_tls(self) -> bool:
        """Whether the API speaks HTTPS itself."""
        return self.tls_cert is not None

    @property
    def paths(self) -> DataDir:
        """The places in the data folder."""
        return DataDir(self.data_dir)


def load(**overrides: Any) -> Settings:
    """Read the environment; `overrides` that are not None win over it.

    Raises:
        StartupError: A value is invalid; the detail names its environment variable, or the option that gave it.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if not first["loc"]:  # several that do not fit together; the message names them
            raise StartupError(first["msg"].removeprefix("Value error, "), field="settings") from error
        name = str(first["loc"][0])
        given = f"--{name.replace('_', '-')}" if overrides.get(name) is not None else f"ISENGARD_{name.upper()}"
        raise StartupError(f"{given}: {first['msg'].removeprefix('Value error, ')}", field=name) from error
