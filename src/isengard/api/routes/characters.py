"""Routes of characters, their images and captions."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from isengard.api import preflight, uploads
from isengard.api.body import StrictJsonRoute
from isengard.api.files import send_file
from isengard.api.schemas.characters import (
    Caption,
    CharacterChange,
    CharacterCreate,
    CharacterList,
    CharacterView,
    DatasetCheck,
    ImageList,
    ImageView,
    RejectedFile,
    UploadResult,
)
from isengard.api.schemas.common import problems
from isengard.api.services import ServicesDep
from isengard.api.uploads import IncomingFiles
from isengard.api.views import character_view, image_view
from isengard.execution.settling import settle_held

router = APIRouter(prefix="/api/characters", tags=["characters"], route_class=StrictJsonRoute)


@router.get("", summary="All characters")
def list_characters(services: ServicesDep) -> CharacterList:
    """Newest first."""
    settle_held(services.paths, services.store)
    found = [character_view(character) for character in services.characters.list()]
    return CharacterList(characters=found, total=len(found))


@router.post("", status_code=201, summary="Make a character", responses=problems(422))
def create_character(services: ServicesDep, body: CharacterCreate) -> CharacterView:
    """Makes a character without images."""
    return character_view(services.characters.create(body.name, body.trigger_word, body.description))


@router.get("/{character_id}", summary="One character", responses=problems(404))
def get_character(services: ServicesDep, character_id: str) -> CharacterView:
    """The character as it stands."""
    settle_held(services.paths, services.store, character_id)
    return character_view(services.characters.get(character_id))


@router.patch("/{character_id}", summary="Change a character", responses=problems(404, 422))
def update_character(services: ServicesDep, character_id: str, body: CharacterChange) -> CharacterView:
    """Changes the fields that are given."""
    return character_view(services.characters.update(character_id, **body.model_dump(exclude_unset=True)))


@router.delete("/{character_id}", status_code=204, summary="Delete a character", responses=problems(404, 409))
def delete_character(services: ServicesDep, character_id: str) -> None:
    """Removes the character with its images; refused while a training of it goes on."""
    settle_held(services.paths, services.store, character_id)
    services.characters.delete(character_id)


@router.post("/{character_id}/check", summary="Look over the dataset", responses=problems(404))
def check_dataset(services: ServicesDep, character_id: str) -> DatasetCheck:
    """Counts, sizes, duplicates, missing captions: what is worth knowing before a training."""
    return preflight.dataset_view(services, services.characters.get(character_id))


@router.get("/{character_id}/images", summary="The images of a character", responses=problems(404))
def list_images(services: ServicesDep, character_id: str) -> ImageList:
    """By name, with captions."""
    found = [image_view(image) for image in services.images.list(character_id)]
    return ImageList(images=found, total=len(found))


@router.post(
    "/{character_id}/images",
    status_code=201,
    summary="Upload images or one zip",
    responses=problems(404, 413, 422, 507),
    openapi_extra=uploads.BODY,
)
def upload_images(services: ServicesDep, character_id: str, incoming: IncomingFiles) -> UploadResult:
    """Takes what can be taken and says of each other file why not."""
    result = services.intake.ingest(character_id, incoming)
    return UploadResult(
        uploaded=[image_view(image) for image in result.uploaded],
        rejected=[RejectedFile.model_validate(rejection) for rejection in result.rejected],
        total_images=result.total_images,
    )


@router.get(
    "/{character_id}/images/{filename}",
    summary="An image file",
    response_class=Response,
    responses={200: {"content": {"image/*": {}}, "description": "The image."}, **problems(404, 416)},
)
def get_image(services: ServicesDep, request: Request, character_id: str, filename: str) -> Response:
    """The file, with range requests and caching headers."""
    return send_file(request, services.images.path(character_id, filename))


@router.delete(
    "/{character_id}/images/{filename}", status_code=204, summary="Remove an image", responses=problems(404, 409)
)
def delete_image(services: ServicesDep, character_id: str, filename: str) -> None:
    """Removes the image and its caption."""
    services.images.delete(character_id, filename)


@router.put("/{character_id}/images/{filename}/caption", summary="Set a caption", responses=problems(404, 422))
def set_caption(services: ServicesDep, character_id: str, filename: str, body: Caption) -> ImageView:
    """Replaces the caption of one image."""
    return image_view(services.images.set_caption(character_id, filename, body.caption))
