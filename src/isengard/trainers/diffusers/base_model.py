"""Finds the base model: the demo's, a folder's, or one of the Hugging Face hub, and tells which kind it is.

Never imports torch. Whatever is wrong with a base model is said here, in one sentence that names `base_model`.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Any

from isengard.core.errors import InvalidInput
from isengard.datasets.demo import tiny_model

DEMO = "demo"
_INDEX = "model_index.json"


class BaseModelUnusable(InvalidInput):
    """The base model exists but this trainer cannot train it."""


class BaseModelNotFound(InvalidInput):
    """There is no such folder, or no such model on the hub (or none that this account may see)."""


class BaseModelGated(InvalidInput):
    """The model's owner wants its terms accepted, or the token does not open it."""


class HubUnreachable(InvalidInput):
    """The Hugging Face hub could not be asked, and the model is not in the local cache."""


class Kind(StrEnum):
    """The pipelines that can be trained, by the class that `model_index.json` names."""

    SD = "StableDiffusionPipeline"
    SDXL = "StableDiffusionXLPipeline"
    FLUX = "FluxPipeline"


def is_folder(reference: str) -> bool:
    """Whether `reference` is meant as a place on disk: it begins like a path, or such a folder exists."""
    return reference.startswith(("/", "./", "../", "~")) or Path(reference).is_dir()


def check_reference(reference: str) -> str:
    """Return `reference` if it can be a base model as far as a look at the disk tells.

    Raises:
        ValueError: It is a folder that is missing or holds no pipeline, a single file, or not a model id.
    """
    if reference == DEMO:
        return reference
    if reference.endswith((".safetensors", ".ckpt")):
        raise ValueError("a single weights file is no base model; give the folder of a diffusers pipeline")
    if is_folder(reference):
        try:
            kind_of(Path(reference).expanduser())
        except InvalidInput as error:
            raise ValueError(error.detail) from None
    elif not _is_model_id(reference):
        raise ValueError(f"{reference[:80]!r} is neither a folder nor a Hugging Face model id (owner/name)")
    return reference


def _is_model_id(reference: str) -> bool:
    owner, _, name = reference.partition("/")
    return all(part and part.replace("-", "").replace("_", "").replace(".", "").isalnum() for part in (owner, name))


def kind_of(folder: Path) -> Kind:
    """Which pipeline lies in `folder`.

    Raises:
        BaseModelNotFound: There is no such folder.
        BaseModelUnusable: It holds no diffusers pipeline, or one of another class.
    """
    if not folder.is_dir():
        raise BaseModelNotFound(f"the base model's folder {folder} does not exist", field="config.base_model")
    name = str(_read_index(folder).get("_class_name"))
    try:
        return Kind(name)
    except ValueError:
        known = ", ".join(Kind)
        raise BaseModelUnusable(
            f"the base model {folder} is a {name}; LoRAs can be trained for {known}", field="config.base_model"
        ) from None


def _read_index(folder: Path) -> dict[str, Any]:
    try:
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        index = None
    if not isinstance(index, dict):
        raise BaseModelUnusable(
            f"the base model's folder {folder} holds no diffusers pipeline: {_INDEX} is missing or unreadable",
            field="config.base_model",
        )
    return index


def locate(reference: str, variant: str | None = None) -> Path:
    """The folder of the base model, downloaded into the Hugging Face cache if it is a model id.

    Raises:
        InvalidInput: It cannot be had; the subclasses above say why.
    """
    if reference == DEMO:
        return tiny_model()
    if is_folder(reference):
        return Path(reference).expanduser()
    return _download(reference, variant)


def _download(model_id: str, variant: str | None) -> Path:
    from diffusers import DiffusionPipeline  # seconds of import time, only for models of the hub

    try:
        return Path(DiffusionPipeline.download(model_id, variant=variant))
    except Exception as error:  # every layer below has errors of its own; those that are not about access go on
        explained = explain(model_id, error)
        if explained is None:
            raise
        raise explained from error


def explain(model_id: str, error: BaseException) -> InvalidInput | None:
    """What a failed download means, None if it is not about access.

    The hub answers 401 both for a model that does not exist and for one that the token does not show.
    """
    names = {kind.__name__ for cause in _causes(error) for kind in type(cause).__mro__}
    field = "config.base_model"
    if "GatedRepoError" in names:
        return BaseModelGated(
            f"the model {model_id} is gated: accept its terms on its page and give a token of that account as the "
            "job's secret HF_TOKEN",
            field=field,
        )
    if "RepositoryNotFoundError" in names:
        return BaseModelNotFound(
            f"there is no model {model_id} on the hub, or it is private: check the name, or give the job's secret "
            "HF_TOKEN",
            field=field,
        )
    if "EntryNotFoundError" in names and "LocalEntryNotFoundError" not in names:
        return BaseModelUnusable(f"{model_id} on the hub is not a diffusers pipeline (no {_INDEX})", field=field)
    if names & {
        "LocalEntryNotFoundError",
        "OfflineModeIsEnabled",
        "ConnectionError",
        "ConnectError",
        "TimeoutException",
    }:
        return HubUnreachable(
            f"the hub cannot be reached and {model_id} is not in the local cache: connect, or give a folder",
            field=field,
        )
    return None


def _causes(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain
