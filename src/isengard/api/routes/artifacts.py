"""Routes of the files a job leaves: samples, checkpoints, the finished model."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from isengard.api.schemas.common import problems
from isengard.api.schemas.jobs import Artifact, ArtifactList

router = APIRouter(prefix="/api/jobs/{job_id}/artifacts", tags=["artifacts"])

_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": {"application/octet-stream": {}}},
    206: {"description": "The range asked for."},
    304: {"description": "Not changed since the copy the client has."},
    **problems(404, 416),
}


@router.get("", summary="What the job left", responses=problems(404))
def list_artifacts(job_id: str) -> ArtifactList:
    """Samples and checkpoints by step, then the finished model."""
    raise NotImplementedError


@router.get("/samples/{filename}", summary="A sample image", response_class=Response, responses=_FILE)
def get_sample(job_id: str, filename: str) -> Response:
    """The image, with range requests and caching headers."""
    raise NotImplementedError


@router.get("/checkpoints/{filename}", summary="A checkpoint", response_class=Response, responses=_FILE)
def get_checkpoint(job_id: str, filename: str) -> Response:
    """The file, with range requests and caching headers."""
    raise NotImplementedError


@router.get("/model", summary="The finished LoRA", response_class=Response, responses=_FILE)
def get_model(job_id: str) -> Response:
    """The `.safetensors` file, with range requests and caching headers."""
    raise NotImplementedError


@router.put("/checkpoints/{filename}/keep", summary="Keep a checkpoint", responses=problems(404, 409))
def keep_checkpoint(job_id: str, filename: str) -> Artifact:
    """Marks it so that it is never removed to save space."""
    raise NotImplementedError


@router.delete("/checkpoints/{filename}/keep", summary="No longer keep a checkpoint", responses=problems(404, 409))
def release_checkpoint(job_id: str, filename: str) -> Artifact:
    """Takes the mark away."""
    raise NotImplementedError
