"""The second half of an intake: accepted images get their names in the character's folder and their rows.

Runs under the folder's lock. Either an image has file and row, or neither; a crash in between leaves a file, which the
next listing gives its row.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from isengard.datasets import captions, files, images, names
from isengard.datasets.batch import Staged
from isengard.datasets.folder import UploadFolder
from isengard.datasets.limits import Limits
from isengard.datasets.uploads import Rejection
from isengard.jobs.models import Image
from isengard.jobs.store import Store


class Placing:
    """Gives the images of one upload their places.

    Attributes:
        rejected: Images that found none: they are there already or there is no room.
    """

    def __init__(self, store: Store, folder: UploadFolder, character_id: str, limits: Limits) -> None:
        self.rejected: list[Rejection] = []
        self._store = store
        self._folder = folder
        self._character_id = character_id
        self._limits = limits
        rows = store.list_images(character_id)
        self._by_content = {row.sha256: row.filename for row in rows}
        self._stems = {row.stem_key for row in rows} | {names.stem_key(name) for name in os.listdir(folder.root)}
        self._placed: list[tuple[Staged, Image]] = []

    def place(self, staged: Sequence[Staged]) -> list[Image]:
        """Place and record; the new images. Raises OSError or `StorageError` with nothing placed."""
        try:
            for item in staged:
                self._place(item)
            files.sync_folder(self._folder.root)
            inserted = self._store.add_images([image for _, image in self._placed])
        except BaseException:
            for _, image in self._placed:
                _unlink(self._folder.root / image.filename)
            raise
        return [image for item, image in self._placed if self._is_recorded(item, image, inserted)]

    def _place(self, item: Staged) -> None:
        twin = self._by_content.get(item.sha256)
        if twin is not None:
            self.rejected.append(Rejection(item.shown, f"it is a duplicate: the same image is there as {twin}"))
        elif len(self._by_content) >= self._limits.images_per_character:
            limit = f"the limit of {self._limits.images_per_character} images (ISENGARD_MAX_IMAGES_PER_CHARACTER)"
            self.rejected.append(Rejection(item.shown, f"the character has reached {limit}"))
        else:
            self._move(item, self._free_name(item.name))

    def _move(self, item: Staged, name: str) -> None:
        image = images.describe(self._character_id, name, item.sha256, item.size_bytes, item.picture_size)
        image.caption = item.caption
        target = self._folder.root / name
        self._placed.append((item, image))
        self._by_content[item.sha256] = name
        self._stems.add(image.stem_key)
        if item.caption is not None:  # first, so that nobody sees the image without it
            text = item.path.with_suffix(captions.SUFFIX)
            files.write_durably(text, item.caption.encode("utf-8"))
            os.rename(text, captions.path_of(target))
        os.rename(item.path, target)

    def _free_name(self, wanted: str) -> str:
        stem, suffix = names.split(wanted)
        number = 1
        while names.stem_key(names.numbered(stem, number) + suffix) in self._stems:
            number += 1
        return names.numbered(stem, number) + suffix

    def _is_recorded(self, item: Staged, image: Image, inserted: set[str]) -> bool:
        """Whether the row was made; if another process was faster with the same content, the file goes again."""
        if image.filename in inserted:
            return True
        _unlink(self._folder.root / image.filename)
        self.rejected.append(Rejection(item.shown, "it is a duplicate: the same image was uploaded at the same time"))
        return False


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)
    captions.path_of(path).unlink(missing_ok=True)
