"""Routes of the files a job leaves: samples, checkpoints, the finished model."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import RedirectResponse

from isengard.api.artifacts import Artifacts
from isengard.api.body import StrictJsonRoute
from isengard.api.contents import Content, StoredFile
from isengard.api.files import send_content, unchanged
from isengard.api.schemas.common import problems
from isengard.api.schemas.jobs import Artifact, ArtifactList
from isengard.api.services import Services, ServicesDep
from isengard.api.thumbnails import Width, version_at
from isengard.execution import kept_checkpoints

router = APIRouter(prefix="/api/jobs/{job_id}/artifacts", tags=["artifacts"], route_class=StrictJsonRoute)

_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    206: {"description": "The range asked for."},
    304: {"description": "Not changed since the copy the client has."},
    **problems(404, 416, 503),
}
_SAMPLE: dict[int | str, dict[str, Any]] = {**_FILE, **problems(404, 416, 422, 503)}
_WEIGHTS: dict[int | str, dict[str, Any]] = {
    **_FILE,
    307: {"description": "It is at this address for a while, in the store of artifacts."},
}


def _artifacts(services: Services, job_id: str) -> Artifacts:
    return Artifacts(services.paths, services.readers.of(job_id), services.store.get_job(job_id), services.artifacts)


def _weights(services: Services, request: Request, content: Content) -> Response:
    """Send `content` or, where that is set, a way to the store. Not for pictures: the page shows only its own."""
    expires_s = services.settings.artifacts_redirect_s
    address = content.signed(expires_s) if expires_s and isinstance(content, StoredFile) else None
    return RedirectResponse(address, 307) if address else send_content(request, content)


@router.get("", summary="What the job left", responses=problems(404))
def list_artifacts(services: ServicesDep, job_id: str) -> ArtifactList:
    """Samples and checkpoints in the order they were made, then the finished model."""
    found = _artifacts(services, job_id).all()
    return ArtifactList(job_id=job_id, artifacts=found, total_count=len(found))


def _sample(services: ServicesDep, job_id: str, filename: str) -> Content:
    """The sample; a function that is no coroutine, so that disk and store are asked in a thread."""
    return _artifacts(services, job_id).sample(filename)


@router.head("/samples/{filename}", include_in_schema=False)
@router.get("/samples/{filename}", summary="A sample image", response_class=Response, responses=_SAMPLE)
async def get_sample(
    services: ServicesDep,
    request: Request,
    job_id: str,
    sample: Annotated[Content, Depends(_sample)],
    width: Annotated[
        Width | None,
        Query(
            description="For a WebP no wider than that, without metadata. A sample that is not wider, or of which no "
            "small picture can be made within the limits of uploads, is sent as it is."
        ),
    ] = None,
) -> Response:
    """The image, with range requests and caching headers."""
    if width is None:
        return send_content(request, sample)
    if (answer := unchanged(request, version_at(sample, width), sample)) is not None:
        return answer
    small = await services.thumbnails.of(job_id, sample, width)
    return send_content(request, small, made_of=sample)


@router.head("/checkpoints/{filename}", include_in_schema=False)
@router.get("/checkpoints/{filename}", summary="A checkpoint", response_class=Response, responses=_WEIGHTS)
def get_checkpoint(services: ServicesDep, request: Request, job_id: str, filename: str) -> Response:
    """The file, with range requests and caching headers."""
    return _weights(services, request, _artifacts(services, job_id).checkpoint(filename))


@router.head("/model", include_in_schema=False)
@router.get("/model", summary="The finished LoRA", response_class=Response, responses=_WEIGHTS)
def get_model(services: ServicesDep, request: Request, job_id: str) -> Response:
    """The `.safetensors` file, with range requests and caching headers."""
    return _weights(services, request, _artifacts(services, job_id).model())


@router.put("/checkpoints/{filename}/keep", summary="Keep a checkpoint", responses=problems(404, 507))
def keep_checkpoint(services: ServicesDep, job_id: str, filename: str) -> Artifact:
    """Keeps it whatever the trainer removes to save space."""
    artifacts = _artifacts(services, job_id)
    kept_checkpoints.keep(artifacts.paths, artifacts.checkpoint_on_disk(filename))
    return artifacts.described_checkpoint(filename)


@router.delete(
    "/checkpoints/{filename}/keep", status_code=204, summary="No longer keep a checkpoint", responses=problems(404, 507)
)
def release_checkpoint(services: ServicesDep, job_id: str, filename: str) -> None:
    """Where the trainer has removed its own copy, the checkpoint is gone."""
    artifacts = _artifacts(services, job_id)
    kept_checkpoints.release(artifacts.paths, artifacts.checkpoint_on_disk(filename).name)
