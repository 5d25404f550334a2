"""Characters: making, changing and deleting them, row and folder together. Their images are `images.py`'s."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import TypedDict, Unpack

from isengard.core.errors import InvalidInput
from isengard.core.paths import DataDir, check_character_id, new_character_id
from isengard.core.redaction import Redactor
from isengard.datasets.folder import UploadFolder
from isengard.jobs.characters_store import CharacterChanges
from isengard.jobs.models import Character
from isengard.jobs.store import Store

MAX_NAME = 100
MAX_TRIGGER_WORD = 100
MAX_DESCRIPTION = 10_000

_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
_TRIGGER_BAD = re.compile(r"""[,:;<>(){}\[\]|"\\/]""")


class CharacterPatch(TypedDict, total=False):
    """What a person may change of a character."""

    name: str | None
    trigger_word: str | None
    description: str | None


class Characters:
    """The characters of a data folder.

    Names need not be unique (two takes of one subject may share one); the id tells them apart. A secret that somebody
    types into a text is masked before it is stored.
    """

    def __init__(self, store: Store, data: DataDir, redactor: Redactor | None = None) -> None:
        self._store = store
        self._data = data
        self._redactor = redactor or Redactor()

    def create(self, name: str, trigger_word: str, description: str | None = None) -> Character:
        """Make a character without images; raises `InvalidInput` naming the field."""
        now = datetime.now(UTC)
        mask = self._redactor.text
        character = Character(
            id=new_character_id(),
            name=mask(check_name(name)),
            trigger_word=mask(check_trigger_word(trigger_word)),
            description=mask(check_description(description) or "") or None,
            created_at=now,
            updated_at=now,
        )
        UploadFolder(self._data, character.id).make()
        return self._store.add_character(character)

    def get(self, character_id: str) -> Character:
        """The character; raises `NotFound`."""
        return self._store.get_character(check_character_id(character_id))

    def list(self) -> list[Character]:
        """Every character, newest first."""
        return self._store.list_characters()

    def update(self, character_id: str, **changes: Unpack[CharacterPatch]) -> Character:
        """Change what is given. Jobs already made keep the old trigger word.

        Args:
            character_id: Which one.
            changes: Fields of `CharacterPatch`; an empty `description` (or None) takes it away, a `name` or
                `trigger_word` of None leaves it as it is.

        Raises:
            NotFound: There is no such character.
            InvalidInput: A value is not acceptable; `field` names it.
        """
        checked = CharacterChanges()
        name, trigger_word = changes.get("name"), changes.get("trigger_word")
        if name is not None:
            checked["name"] = self._redactor.text(check_name(name))
        if trigger_word is not None:
            checked["trigger_word"] = self._redactor.text(check_trigger_word(trigger_word))
        if "description" in changes:
            checked["description"] = self._redactor.text(check_description(changes["description"]) or "") or None
        return self._store.update_character(check_character_id(character_id), **checked)

    def delete(self, character_id: str) -> None:
        """Delete the character with its images and captions; its jobs and finished LoRAs stay.

        The files go after the row is gone for good: a crash in between leaves files that nobody lists, never a
        character without its images.

        Raises:
            NotFound: There is no such character.
            Conflict: It has jobs that are queued or running.
            StorageError: The row is gone, but some files could not be removed.
        """
        self._store.delete_character(check_character_id(character_id))
        UploadFolder(self._data, character_id).remove()


def check_name(name: str) -> str:
    """A name for people: 1 to 100 characters on one line, none of them invisible; raises `InvalidInput`."""
    return _one_line(name, "name", MAX_NAME)


def check_trigger_word(word: str) -> str:
    """The word that stands for the character in captions and prompts; raises `InvalidInput`.

    1 to 100 characters, without those that mean something in captions and prompts of the common tools: commas and
    colons separate, brackets weigh, angle brackets name LoRAs, slashes make paths.
    """
    plain = _one_line(word, "trigger_word", MAX_TRIGGER_WORD)
    bad = _TRIGGER_BAD.search(plain)
    if bad:
        raise InvalidInput(
            f"trigger_word must not hold {bad[0]!r}, which has a meaning in prompts", field="trigger_word"
        )
    return plain


def check_description(description: str | None) -> str | None:
    """Free text of up to 10,000 characters, None for an empty one; raises `InvalidInput`."""
    if description is None:
        return None
    plain = unicodedata.normalize("NFC", description).replace("\r\n", "\n").strip()
    if len(plain) > MAX_DESCRIPTION:
        raise InvalidInput(f"description is over {MAX_DESCRIPTION} characters", field="description")
    if any(unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t" for char in plain):
        raise InvalidInput("description holds a control character", field="description")
    return plain or None


def _one_line(text: str, field: str, limit: int) -> str:
    plain = " ".join(unicodedata.normalize("NFC", text).split(" ")).strip()
    if not 1 <= len(plain) <= limit:
        raise InvalidInput(f"{field} must have 1 to {limit} characters", field=field)
    for char in plain:
        if unicodedata.category(char) in _INVISIBLE:
            raise InvalidInput(f"{field} holds an invisible or control character (U+{ord(char):04X})", field=field)
    return plain
