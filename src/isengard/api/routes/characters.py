"""Routes of characters, their images and captions."""

from __future__ import annotations

from fastapi import APIRouter, Response, UploadFile

from isengard.api.schemas.characters import (
    Caption,
    CharacterChange,
    CharacterCreate,
    CharacterList,
    CharacterView,
    DatasetCheck,
    ImageList,
    ImageView,
    UploadResult,
)
from isengard.api.schemas.common import problems

router = APIRouter(prefix="/api/characters", tags=["characters"])


@router.get("", summary="All characters")
def list_characters() -> CharacterList:
    """Newest first."""
    raise NotImplementedError


@router.post("", status_code=201, summary="Make a character", responses=problems(422))
def create_character(body: CharacterCreate) -> CharacterView:
    """Makes a character without images."""
    raise NotImplementedError


@router.get("/{character_id}", summary="One character", responses=problems(404))
def get_character(character_id: str) -> CharacterView:
    """The character as it stands."""
    raise NotImplementedError


@router.patch("/{character_id}", summary="Change a character", responses=problems(404, 422))
def update_character(character_id: str, body: CharacterChange) -> CharacterView:
    """Changes the fields that are given."""
    raise NotImplementedError


@router.delete("/{character_id}", status_code=204, summary="Delete a character", responses=problems(404, 409))
def delete_character(character_id: str) -> None:
    """Removes the character with its images; refused while a training of it goes on."""
    raise NotImplementedError


@router.post("/{character_id}/check", summary="Look over the dataset", responses=problems(404))
def check_dataset(character_id: str) -> DatasetCheck:
    """Counts, sizes, duplicates, missing captions: what is worth knowing before a training."""
    raise NotImplementedError


@router.get("/{character_id}/images", summary="The images of a character", responses=problems(404))
def list_images(character_id: str) -> ImageList:
    """By name, with captions."""
    raise NotImplementedError


@router.post(
    "/{character_id}/images",
    status_code=201,
    summary="Upload images or one zip",
    responses=problems(404, 413, 422, 507),
)
def upload_images(character_id: str, files: list[UploadFile]) -> UploadResult:
    """Takes what can be taken and says of each other file why not."""
    raise NotImplementedError


@router.get(
    "/{character_id}/images/{filename}",
    summary="An image file",
    response_class=Response,
    responses={200: {"content": {"image/*": {}}, "description": "The image."}, **problems(404, 416)},
)
def get_image(character_id: str, filename: str) -> Response:
    """The file, with range requests and caching headers."""
    raise NotImplementedError


@router.delete(
    "/{character_id}/images/{filename}", status_code=204, summary="Remove an image", responses=problems(404, 409)
)
def delete_image(character_id: str, filename: str) -> None:
    """Removes the image and its caption."""
    raise NotImplementedError


@router.put("/{character_id}/images/{filename}/caption", summary="Set a caption", responses=problems(404, 422))
def set_caption(character_id: str, filename: str, body: Caption) -> ImageView:
    """Replaces the caption of one image."""
    raise NotImplementedError
