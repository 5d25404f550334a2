"""Models of characters, their images and the findings of a dataset check."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from isengard.api.schemas.common import Answer, Request
from isengard.datasets.characters import MAX_DESCRIPTION, MAX_NAME, MAX_TRIGGER_WORD

_NAME = Field(min_length=1, max_length=MAX_NAME, description="Name for people.", examples=["Pip the robot"])
_TRIGGER = Field(
    min_length=1, max_length=MAX_TRIGGER_WORD, description="Word that calls it up in a prompt.", examples=["pipbot"]
)


class CharacterCreate(Request):
    """A new character."""

    name: str = _NAME
    trigger_word: str = _TRIGGER
    description: str | None = Field(None, max_length=MAX_DESCRIPTION)


class CharacterChange(Request):
    """What is to change; a field that is left out stays as it is."""

    name: str | None = Field(None, min_length=1, max_length=MAX_NAME)
    trigger_word: str | None = Field(None, min_length=1, max_length=MAX_TRIGGER_WORD)
    description: str | None = Field(None, max_length=MAX_DESCRIPTION)


class CharacterView(Answer):
    """A character."""

    id: str = Field(examples=["char-3f9k2m7q8r1t"])
    name: str = Field(examples=["Pip the robot"])
    description: str | None
    trigger_word: str = Field(examples=["pipbot"])
    image_count: int = Field(examples=[12])
    lora_path: str | None = Field(description="Where the newest finished LoRA lies.")
    created_at: datetime
    updated_at: datetime


class CharacterList(Answer):
    """All characters, newest first."""

    characters: list[CharacterView]
    total: int


class ImageView(Answer):
    """One image of a character."""

    filename: str = Field(examples=["pip_01.png"])
    caption: str | None = Field(examples=["pipbot standing on a hill"])
    width: int
    height: int
    size_bytes: int
    url: str = Field(examples=["/api/characters/char-3f9k2m7q8r1t/images/pip_01.png"])
    created_at: datetime


class ImageList(Answer):
    """The images of a character by name."""

    images: list[ImageView]
    total: int


class RejectedFile(Answer):
    """A file that was not taken, and why."""

    filename: str = Field(examples=["notes.pdf"])
    reason: str = Field(examples=["not an image that can be read"])


class UploadResult(Answer):
    """What became of each file of an upload."""

    uploaded: list[ImageView]
    rejected: list[RejectedFile]
    total_images: int = Field(description="Images the character has now.")


class Caption(Request):
    """Caption text; empty takes the caption away."""

    caption: str = Field(max_length=10_000, examples=["pipbot standing on a hill"])


class FindingView(Answer):
    """One thing worth knowing before a start."""

    severity: Literal["error", "warning", "info"]
    code: str = Field(description="Stable short name.", examples=["missing_captions"])
    message: str = Field(examples=["2 of 12 images have no caption"])
    field: str | None = Field(None, description="The input at fault in dotted form.", examples=["config.resolution"])
    filenames: list[str] = Field(default_factory=list, description="The images concerned.")


class DatasetCheck(Answer):
    """What a look at a character's images found."""

    character_id: str
    ok: bool = Field(description="Whether a training could start: no finding is an error.")
    image_count: int
    findings: list[FindingView]
