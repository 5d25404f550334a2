"""Characters: what they may be called, and that row and folder come and go together."""

from __future__ import annotations

from pathlib import Path

import pytest

from isengard.core.errors import Conflict, InvalidInput, NotFound
from isengard.core.paths import DataDir
from isengard.datasets.characters import Characters
from isengard.jobs.models import Character
from isengard.jobs.store import Store
from standins.jobs_and_characters import a_job


def test_a_character_is_made_without_images(characters: Characters, data: DataDir) -> None:
    made = characters.create("  Zoë  ", " zoe-x ", "a girl\r\nwith a hat ")
    assert (made.name, made.trigger_word, made.description) == ("Zoë", "zoe-x", "a girl\nwith a hat")
    assert (made.image_count, made.lora_path) == (0, None)
    assert characters.get(made.id) == made
    assert data.uploads(made.id).is_dir()


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\nb", "a\x00b", "a\u202eb", "a\u200bb", "a\ud800b"])
def test_a_name_that_cannot_be_read_is_refused(characters: Characters, name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        characters.create(name, "x")
    assert refused.value.field == "name"
    assert characters.list() == []


@pytest.mark.parametrize(
    "word", ["", " ", "x" * 101, "a,b", "a:1.2", "(a)", "<lora:x>", "[a|b]", "a/b", "a\\b", "a\tb"]
)
def test_a_trigger_word_with_a_meaning_in_prompts_is_refused(characters: Characters, word: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        characters.create("Pip", word)
    assert refused.value.field == "trigger_word"


@pytest.mark.parametrize("word", ["pipbot", "ohwx man", "p1p_b0t", "ピップ", "pip-bot"])
def test_usual_trigger_words_are_taken(characters: Characters, word: str) -> None:
    assert characters.create("Pip", word).trigger_word == word


def test_a_patch_changes_what_it_names(characters: Characters, pip: Character) -> None:
    characters.update(pip.id, description="round")
    changed = characters.update(pip.id, name="Mia")
    assert (changed.name, changed.trigger_word, changed.description) == ("Mia", "pipbot", "round")
    assert characters.update(pip.id, description=None).description is None
    assert characters.update(pip.id, name=None).name == "Mia"
    with pytest.raises(InvalidInput, match="trigger_word"):
        characters.update(pip.id, trigger_word="a,b")


@pytest.mark.parametrize("character_id", ["char-nosuch", "../etc", "train-abc", "", "char-\x00", "char-A"])
def test_what_is_no_characters_id_is_not_found(characters: Characters, character_id: str) -> None:
    for ask in (characters.get, characters.update, characters.delete):
        with pytest.raises(NotFound):
            ask(character_id)


def test_deleting_takes_the_images_and_leaves_the_finished_lora(
    characters: Characters, data: DataDir, pip: Character, folder: Path
) -> None:
    (folder / "a.png").write_bytes(b"x")
    data.loras(pip.id).mkdir(parents=True)
    (data.loras(pip.id) / "pip.safetensors").write_bytes(b"x")
    characters.delete(pip.id)
    assert not folder.exists()
    assert (data.loras(pip.id) / "pip.safetensors").is_file()
    with pytest.raises(NotFound):
        characters.get(pip.id)


def test_a_character_in_training_keeps_everything(
    characters: Characters, store: Store, pip: Character, folder: Path
) -> None:
    (folder / "a.png").write_bytes(b"x")
    store.create_job(a_job(pip))
    with pytest.raises(Conflict, match="cancel them first"):
        characters.delete(pip.id)
    assert (folder / "a.png").is_file()
