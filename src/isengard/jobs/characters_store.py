"""Characters and their images in the database. Knows nothing of files: `datasets/` keeps folder and rows together."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any, TypedDict, Unpack

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, insert, select, update

from isengard.core.errors import Conflict, NotFound
from isengard.jobs.database import Database
from isengard.jobs.models import ACTIVE, Character, Image
from isengard.jobs.schema import characters, images, jobs


class CharacterChanges(TypedDict, total=False):
    """What may be changed of a character."""

    name: str
    trigger_word: str
    description: str | None
    lora_path: str | None


class CharacterStore:
    """The part of the store that holds characters and images."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add_character(self, character: Character) -> Character:
        """Insert `character`."""
        with self._db.write() as connection:
            connection.execute(
                insert(characters).values(
                    id=character.id,
                    name=character.name,
                    trigger_word=character.trigger_word,
                    description=character.description,
                    lora_path=character.lora_path,
                    created_at=character.created_at,
                    updated_at=character.updated_at,
                )
            )
        return character

    def get_character(self, character_id: str) -> Character:
        """The character; raises `NotFound`."""
        with self._db.read() as connection:
            return _one(connection, character_id)

    def list_characters(self) -> list[Character]:
        """Every character, newest first."""
        with self._db.read() as connection:
            rows = connection.execute(_characters().order_by(characters.c.created_at.desc(), characters.c.id.desc()))
            return [_character(row) for row in rows]

    def update_character(self, character_id: str, **changes: Unpack[CharacterChanges]) -> Character:
        """Change the named fields; raises `NotFound`."""
        with self._db.write() as connection:
            connection.execute(
                update(characters)
                .where(characters.c.id == character_id)
                .values(**changes, updated_at=datetime.now(UTC))
            )
            return _one(connection, character_id)

    def delete_character(self, character_id: str, *, before_commit: Callable[[], None] | None = None) -> None:
        """Delete the character and its image rows; its finished jobs stay.

        Raises:
            NotFound: There is no such character.
            Conflict: It has jobs that are queued or running.
        """
        with self._db.write() as connection:
            self._hold(connection, character_id)
            active = select(jobs.c.id).where(jobs.c.character_id == character_id, jobs.c.status.in_(sorted(ACTIVE)))
            busy = list(connection.execute(active.limit(5)).scalars())
            if busy:
                raise Conflict(
                    f"character {character_id} has jobs that are not over ({', '.join(busy)}); cancel them first",
                    field="character_id",
                )
            connection.execute(delete(characters).where(characters.c.id == character_id))
            if before_commit is not None:
                before_commit()

    def add_images(self, added: Collection[Image]) -> set[str]:
        """Insert the rows of these images of one or more characters, all in one transaction.

        Args:
            added: Their `caption` is not stored; the file beside the image is the caption.

        Returns:
            The names that were inserted; the others share their name, stem or content with an image that is there.

        Raises:
            NotFound: A character does not exist (any more); nothing was inserted.
        """
        inserted: set[str] = set()
        if not added:
            return inserted
        with self._db.write() as connection:
            for character_id in sorted({image.character_id for image in added}):
                self._hold(connection, character_id)
                _touch(connection, character_id)
            for image in added:
                if self._insert_image(connection, image):
                    inserted.add(image.filename)
        return inserted

    def get_image(self, character_id: str, filename: str) -> Image:
        """The image, without its caption; raises `NotFound`."""
        with self._db.read() as connection:
            row = connection.execute(_images(character_id).where(images.c.filename == filename)).first()
        if row is None:
            raise NotFound(f"character {character_id} has no image {filename[:200]!r}", field="filename")
        return _image(row)

    def list_images(self, character_id: str) -> list[Image]:
        """The character's images by name, without captions; raises `NotFound` for the character."""
        with self._db.read() as connection:
            _one(connection, character_id)
            return [_image(row) for row in connection.execute(_images(character_id).order_by(images.c.filename))]

    def remove_images(self, character_id: str, filenames: Collection[str]) -> int:
        """Delete the rows of these images; how many there were."""
        if not filenames:
            return 0
        with self._db.write() as connection:
            mine = images.c.character_id == character_id
            each = delete(images).where(mine, images.c.filename == bindparam("name"))
            before = connection.execute(select(func.count()).where(mine)).scalar_one()
            connection.execute(each, [{"name": filename} for filename in sorted(filenames)])
            removed = before - connection.execute(select(func.count()).where(mine)).scalar_one()
            if removed:
                _touch(connection, character_id)
            return int(removed)

    def _hold(self, connection: Connection, character_id: str) -> None:
        """Keep the character as it is until the end of the transaction; `create_job` does so too."""
        query = select(characters.c.id).where(characters.c.id == character_id)
        if connection.execute(self._db.locking(query)).first() is None:
            raise _no_character(character_id)

    def _insert_image(self, connection: Connection, image: Image) -> bool:
        values = {column.name: getattr(image, column.name) for column in images.c}
        inserted = connection.execute(self._db.insert_if_new(images, **values).returning(images.c.filename))
        return inserted.first() is not None


def _characters() -> Select[Any]:
    count = select(func.count()).where(images.c.character_id == characters.c.id).scalar_subquery()
    return select(characters, count.label("image_count"))


def _images(character_id: str) -> Select[Any]:
    return select(images).where(images.c.character_id == character_id)


def _one(connection: Connection, character_id: str) -> Character:
    row = connection.execute(_characters().where(characters.c.id == character_id)).first()
    if row is None:
        raise _no_character(character_id)
    return _character(row)


def _no_character(character_id: str) -> NotFound:
    return NotFound(f"no character has the id {character_id[:80]!r}", field="character_id")


def _touch(connection: Connection, character_id: str) -> None:
    connection.execute(update(characters).where(characters.c.id == character_id).values(updated_at=datetime.now(UTC)))


def _character(row: Row[Any]) -> Character:
    return Character(**row._mapping)


def _image(row: Row[Any]) -> Image:
    return Image(**row._mapping)
