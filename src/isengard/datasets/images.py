"""A character's images: listing, reading, removing, captions, with folder and rows kept together.

The folder is the truth of which images there are: `list` notices files that were put there or taken away by hand and
mends the rows. Uploads are `intake.py`'s.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from isengard.core.errors import NotFound, StorageError
from isengard.core.paths import DataDir, check_character_id
from isengard.datasets import captions, files, names, pictures
from isengard.datasets.folder import UploadFolder
from isengard.datasets.limits import Limits, Refused
from isengard.jobs.models import Image
from isengard.jobs.store import Store


class Images:
    """The images of characters in a data folder."""

    def __init__(self, store: Store, data: DataDir, limits: Limits) -> None:
        self._store = store
        self._data = data
        self._limits = limits
        # Files that were found to be no image, so that a listing does not decode them again each time.
        self._unusable: set[tuple[str, str, int, int]] = set()

    def list(self, character_id: str) -> list[Image]:
        """Every image by name, with its caption; raises `NotFound` for the character."""
        rows = self._store.list_images(check_character_id(character_id))
        folder = UploadFolder(self._data, character_id)
        present = {path.name for path in folder.images()}
        if present != {row.filename for row in rows}:
            self._mend(folder, character_id)
            rows = self._store.list_images(character_id)
        for row in rows:
            row.caption = self._caption(folder.root / row.filename)
        return rows

    def get(self, character_id: str, filename: str) -> Image:
        """One image with its caption; raises `NotFound`."""
        path = self.path(character_id, filename)
        image = self._store.get_image(character_id, filename)
        image.caption = self._caption(path)
        return image

    def path(self, character_id: str, filename: str) -> Path:
        """The file, a regular one inside the character's folder; raises `NotFound`."""
        return UploadFolder(self._data, check_character_id(character_id)).path(filename)

    def delete(self, character_id: str, filename: str) -> None:
        """Remove the image and its caption; raises `NotFound` or `StorageError`."""
        path = self.path(character_id, filename)
        folder = UploadFolder(self._data, character_id)
        with folder.locked():
            try:
                path.unlink()
                captions.path_of(path).unlink(missing_ok=True)
                files.sync_folder(folder.root)
            except FileNotFoundError as error:
                raise NotFound(f"character {character_id} has no image {filename!r}", field="filename") from error
            except OSError as error:
                raise StorageError(f"the image could not be removed: {error.strerror}") from error
            self._store.remove_images(character_id, [filename])

    def set_caption(self, character_id: str, filename: str, text: str) -> Image:
        """Replace the caption; an empty one takes it away.

        Raises:
            NotFound: There is no such image.
            InvalidInput: The text is too long or not plain text.
            StorageError: The disk refused; the old caption is still there.
        """
        path = self.path(character_id, filename)
        image = self._store.get_image(character_id, filename)
        image.caption = captions.write(path, text, self._limits)
        return image

    def _caption(self, path: Path) -> str | None:
        try:
            return captions.read(path, self._limits)
        except Refused:  # put there by hand; the dataset check names it
            return None

    def _mend(self, folder: UploadFolder, character_id: str) -> None:
        """Make the rows agree with the files; a file that is no usable image gets no row."""
        with folder.locked():
            rows = {row.filename for row in self._store.list_images(character_id)}
            present = {path.name: path for path in folder.images()}
            self._store.remove_images(character_id, rows - present.keys())
            found = [self._describe(character_id, present[name]) for name in sorted(present.keys() - rows)]
            self._store.add_images([image for image in found if image is not None])

    def _describe(self, character_id: str, path: Path) -> Image | None:
        """The record of a file that was put there by hand; None for one that is not usable."""
        stat = path.stat()
        seen = (character_id, path.name, stat.st_mtime_ns, stat.st_size)
        if seen in self._unusable:
            return None
        try:
            if names.clean_name(path.name) != path.name:
                raise Refused("the file name would not have been stored")
            data = files.read_image(path, self._limits)
            picture = pictures.decoded(data, self._limits)
            size = (picture.width, picture.height)
            return describe(character_id, path.name, files.sha256(data), len(data), size)
        except Refused:
            self._unusable.add(seen)
            return None


def describe(character_id: str, filename: str, sha256: str, size_bytes: int, size: tuple[int, int]) -> Image:
    """The record of an image file; `size` is width and height after orientation."""
    return Image(
        character_id=character_id,
        filename=filename,
        width=size[0],
        height=size[1],
        size_bytes=size_bytes,
        sha256=sha256,
        created_at=datetime.now(UTC),
        stem_key=names.stem_key(filename),
    )
