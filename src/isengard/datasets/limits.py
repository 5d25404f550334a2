"""The limits of what is taken in, and errors that name the setting that moves them. Reads no environment itself."""

from __future__ import annotations

from dataclasses import dataclass

from isengard.core.errors import InvalidInput
from isengard.core.settings import Settings

_MIB = 1024 * 1024


class Refused(InvalidInput):
    """One file is not taken; the detail says why in words for the person who sent it."""


class ArchiveRefused(Refused):
    """A whole archive is not taken; nothing of it was kept."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken in at most; sizes in bytes, pixels one by one."""

    image_bytes: int = 50 * _MIB
    image_pixels: int = 64_000_000
    image_frames: int = 1
    upload_bytes: int = 2048 * _MIB
    upload_files: int = 5000
    zip_ratio: int = 100
    images_per_character: int = 10_000
    caption_chars: int = 10_000

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits that the settings name."""
        return cls(
            image_bytes=settings.max_image_mb * _MIB,
            image_pixels=settings.max_image_megapixels * 1_000_000,
            image_frames=settings.max_image_frames,
            upload_bytes=settings.max_upload_mb * _MIB,
            upload_files=settings.max_upload_files,
            zip_ratio=settings.max_zip_ratio,
            images_per_character=settings.max_images_per_character,
            caption_chars=settings.max_caption_chars,
        )

    @property
    def caption_bytes(self) -> int:
        """Capacity for a caption in its longest encoding, with a byte order mark."""
        return 4 * self.caption_chars + 4

    def check_pixels(self, width: int, height: int) -> None:
        """Raise `Refused` for an image without area or with too much of it."""
        if width < 1 or height < 1:
            raise Refused(f"the image is {width} × {height} pixels")
        if width * height > self.image_pixels:
            raise Refused(
                f"the image is {width} × {height} pixels; the limit is {self.image_pixels // 1_000_000} megapixels "
                "(ISENGARD_MAX_IMAGE_MEGAPIXELS)"
            )

    def check_frames(self, frames: int) -> None:
        """Raise `Refused` for an animation."""
        if frames > self.image_frames:
            raise Refused(
                f"the image is an animation of {frames} frames; the limit is {self.image_frames} "
                "(ISENGARD_MAX_IMAGE_FRAMES)"
            )

    def image_too_large(self) -> Refused:
        """The refusal of a file over `image_bytes`."""
        return Refused(f"the file is over the limit of {self.image_bytes // _MIB} MiB (ISENGARD_MAX_IMAGE_MB)")

    def caption_too_long(self) -> Refused:
        """The refusal of a caption over `caption_chars`."""
        return Refused(
            f"the caption is over the limit of {self.caption_chars} characters (ISENGARD_MAX_CAPTION_CHARS)",
            field="caption",
        )

    def too_many_files(self) -> ArchiveRefused:
        """The refusal of an archive with more than `upload_files` entries."""
        return ArchiveRefused(
            f"the archive holds more files than the limit of {self.upload_files} (ISENGARD_MAX_UPLOAD_FILES)"
        )

    def too_much(self) -> ArchiveRefused:
        """The refusal of an upload that unpacks to more than `upload_bytes`."""
        return ArchiveRefused(
            f"the upload unpacks to more than the limit of {self.upload_bytes // _MIB} MiB (ISENGARD_MAX_UPLOAD_MB)"
        )

    def expands_too_far(self, name: str) -> ArchiveRefused:
        """The refusal of an archive in which one entry expands more than `zip_ratio` times."""
        return ArchiveRefused(
            f"its entry {name[:100]!r} expands more than {self.zip_ratio}-fold (ISENGARD_MAX_ZIP_RATIO)"
        )
