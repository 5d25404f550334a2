"""What holds of characters and images in the store, over SQLite and PostgreSQL alike."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from isengard.core.errors import Conflict, NotFound
from isengard.jobs.models import Character, Image, JobStatus
from isengard.jobs.store import Store
from standins.jobs_and_characters import a_job, add_character, add_job


def an_image(character: Character, name: str = "a.png", content: str = "1") -> Image:
    return Image(character.id, name, 64, 48, 1234, content * 64, datetime.now(UTC), name.rpartition(".")[0].casefold())


def test_a_character_comes_back_as_it_was_put_in(store: Store) -> None:
    character = replace(add_character(store, "Zoë \U0001f916"), image_count=0)
    assert store.get_character(character.id) == character


def test_two_characters_may_share_a_name(store: Store) -> None:
    first, second = add_character(store), add_character(store)
    assert {each.id for each in store.list_characters()} == {first.id, second.id}


def test_a_change_is_kept_and_dated(store: Store) -> None:
    character = add_character(store)
    changed = store.update_character(character.id, name="Mia", lora_path="loras/x.safetensors")
    assert (changed.name, changed.trigger_word, changed.lora_path) == ("Mia", "pipbot", "loras/x.safetensors")
    assert changed.updated_at > character.updated_at
    with pytest.raises(NotFound):
        store.update_character("char-nosuch", name="x")


def test_images_are_counted_and_listed_by_name(store: Store) -> None:
    character = add_character(store)
    added = store.add_images([an_image(character, "b.png", "b"), an_image(character, "a.png", "a")])
    assert added == {"a.png", "b.png"}
    assert [image.filename for image in store.list_images(character.id)] == ["a.png", "b.png"]
    assert store.get_character(character.id).image_count == 2
    assert store.remove_images(character.id, ["a.png", "nosuch.png"]) == 1
    assert store.get_character(character.id).image_count == 1
    with pytest.raises(NotFound, match=r"a\.png"):
        store.get_image(character.id, "a.png")


@pytest.mark.parametrize(
    "twin", [("a.png", "2"), ("other.png", "1"), ("A.jpg", "2")], ids=["same name", "same content", "same stem"]
)
def test_an_image_that_is_there_already_is_not_added_again(store: Store, twin: tuple[str, str]) -> None:
    character = add_character(store)
    store.add_images([an_image(character)])
    assert store.add_images([an_image(character, *twin), an_image(character, "new.png", "3")]) == {"new.png"}
    assert store.get_image(character.id, "a.png").sha256 == "1" * 64


def test_another_character_may_have_the_same_image(store: Store) -> None:
    for character in (add_character(store), add_character(store)):
        assert store.add_images([an_image(character)]) == {"a.png"}


def test_an_image_of_a_deleted_character_is_refused(store: Store) -> None:
    character = add_character(store)
    store.add_images([an_image(character)])
    store.delete_character(character.id)
    for ask in (
        lambda: store.add_images([an_image(character)]),
        lambda: store.list_images(character.id),
        lambda: store.get_character(character.id),
        lambda: store.delete_character(character.id),
    ):
        with pytest.raises(NotFound, match=character.id):
            ask()


@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.CANCELLING])
def test_a_character_in_training_is_not_deleted(store: Store, status: JobStatus) -> None:
    character = add_character(store)
    job = a_job(character, status=status)
    store.restore_job(job)
    with pytest.raises(Conflict, match=job.id):
        store.delete_character(character.id)
    assert store.get_character(character.id)


def test_the_jobs_of_a_deleted_character_stay(store: Store) -> None:
    character = add_character(store)
    job = add_job(store, character)
    store.transition(job.id, JobStatus.CANCELLED)
    store.delete_character(character.id)
    assert [each.id for each in store.list_jobs(character_id=character.id).jobs] == [job.id]


def test_a_job_and_the_end_of_its_character_never_both_happen(database_url: str) -> None:
    first, second = Store(database_url), Store(database_url)
    for _ in range(15):
        character = add_character(first)
        barrier = threading.Barrier(2)

        def make(character: Character = character, barrier: threading.Barrier = barrier) -> bool:
            barrier.wait()
            try:
                return first.create_job(a_job(character))[1]
            except NotFound:
                return False

        def end(character: Character = character, barrier: threading.Barrier = barrier) -> bool:
            barrier.wait()
            try:
                second.delete_character(character.id)
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            made, ended = pool.submit(make), pool.submit(end)
        assert made.result() != ended.result()
    first.close()
    second.close()
