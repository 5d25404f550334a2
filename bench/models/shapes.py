"""What a training step takes of a GPU's memory, calculated from shapes alone: no GPU, no weights, no numbers.

The real network takes a real step (forward, backward, AdamW) on PyTorch's fake tensors, which have shapes and no
content, while every storage that is made and let go is counted. Fake tensors can only pretend to be on a device that
PyTorch was built for, so two things that CUDA does are imitated on a CPU: under autocast norms work in 32 bit, and
attention is one fused operation. Left out: cuDNN's workspaces, fragmentation, CUDA's context.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from peft import LoraConfig
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from isengard.trainers.diffusers.engine.flux import Flux
from isengard.trainers.diffusers.engine.unet import StableDiffusion
from isengard.trainers.diffusers.parameters import Targets
from models import full_size

KNOWN = {"resolution", "batch_size", "gradient_checkpointing", "precision", "lora_rank"}
"""Settings that `step_peak` understands."""
_TEXT_WIDTH = {"sd1": 768, "sdxl": 2048}


class Storages(TorchDispatchMode):
    """Counts the bytes of storages that operations make, until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.most = self._now = 0
        self._alive: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {leaf.untyped_storage()._cdata for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and leaf.untyped_storage()._cdata not in self._alive | given:
                self._add(leaf.untyped_storage())
        return result

    def _add(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()
        self._alive.add(key)
        self._now += size
        self.most = max(self.most, self._now)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._alive.discard(key)
        self._now -= size


def step_peak(kind: str, setting: Mapping[str, Any]) -> int:
    """Bytes at the peak of a training step of a model of `kind`, a key of `full_size.KINDS`: weights and all."""
    dtype = torch.float32 if setting.get("precision") == "fp32" else torch.bfloat16
    with full_size.quick(dtype, "meta"):
        net: Any = full_size.DENOISERS[kind]()
        _add_lora(net, kind, int(setting.get("lora_rank", 16)))
    with FakeTensorMode(), _like_cuda(halved=dtype is not torch.float32):
        _make_fake(net)
        if setting.get("gradient_checkpointing"):
            net.enable_gradient_checkpointing()
        net.train()
        weights = sum(tensor.numel() * tensor.element_size() for tensor in (*net.parameters(), *net.buffers()))
        optimizer = torch.optim.AdamW([each for each in net.parameters() if each.requires_grad], lr=1e-4)
        with Storages() as counted:
            for _ in range(2):  # the optimizer's state comes with the first step and stays
                _step(net, kind, dtype, setting, optimizer)
        return weights + counted.most


def decode_peak(resolution: int) -> int:
    """Bytes at the peak of decoding one sample of `resolution` squared pixels, without any weights."""
    with full_size.quick(torch.bfloat16, "meta"):
        vae = full_size.autoencoder()
    with FakeTensorMode(), _like_cuda(halved=True), torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        _make_fake(vae)
        edge = resolution // 8
        latents = torch.empty(1, 4, edge, edge, dtype=torch.bfloat16)
        with Storages() as counted:
            vae.decode(latents)
    return counted.most


def _add_lora(net: Any, kind: str, rank: int) -> None:
    endings = (Flux if kind == "flux" else StableDiffusion).targets[Targets.ATTENTION]
    layers = [name for name, _ in net.named_modules() if name.endswith(tuple(f".{ending}" for ending in endings))]
    net.requires_grad_(False)
    net.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=layers))
    for weight in net.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()


def _make_fake(net: nn.Module) -> None:
    for part in net.modules():
        for name, weight in part._parameters.items():
            if weight is not None:
                fake = torch.empty(weight.shape, dtype=weight.dtype)
                part._parameters[name] = nn.Parameter(fake, requires_grad=weight.requires_grad)
        for name, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype)


def _step(net: Any, kind: str, dtype: torch.dtype, setting: Mapping[str, Any], optimizer: Any) -> None:
    batch, edge = int(setting["batch_size"]), int(setting["resolution"]) // 8
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype is not torch.float32):
        guess = net(**_inputs(kind, batch, edge, dtype), return_dict=False)[0]
    F.mse_loss(guess.float(), torch.empty(guess.shape)).backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _inputs(kind: str, batch: int, edge: int, dtype: torch.dtype) -> dict[str, Any]:
    def half(*shape: int) -> Tensor:
        return torch.empty(shape, dtype=dtype)

    if kind == "flux":
        tokens = (edge // 2) ** 2
        return {
            "hidden_states": half(batch, tokens, 64),
            "timestep": half(batch),
            "guidance": torch.ones(batch),
            "pooled_projections": half(batch, 768),
            "encoder_hidden_states": half(batch, 512, 4096),
            "txt_ids": half(512, 3),
            "img_ids": half(tokens, 3),
        }
    inputs: dict[str, Any] = {
        "sample": half(batch, 4, edge, edge),
        "timestep": torch.ones(batch, dtype=torch.int64),
        "encoder_hidden_states": half(batch, 77, _TEXT_WIDTH[kind]),
    }
    if kind == "sdxl":
        inputs["added_cond_kwargs"] = {"text_embeds": half(batch, 1280), "time_ids": torch.zeros(batch, 6)}
    return inputs


@contextmanager
def _like_cuda(*, halved: bool) -> Iterator[None]:
    """What autocast and attention do on CUDA and not on a CPU."""
    group, layer = F.group_norm, F.layer_norm

    def wide(tensor: Tensor | None) -> Tensor | None:
        return tensor.float() if tensor is not None and halved else tensor

    def group_norm(x: Any, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
        return group(wide(x), groups, wide(weight), wide(bias), eps)  # type: ignore[arg-type]

    def layer_norm(x: Any, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
        return layer(wide(x), shape, wide(weight), wide(bias), eps)  # type: ignore[arg-type]

    def attention(query: Any, key: Any, value: Any, *_: Any, scale: float | None = None, **__: Any) -> Any:
        fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        return fused(query, key, value, 0.0, False, scale=scale)[0]

    patches = {"group_norm": group_norm, "layer_norm": layer_norm, "scaled_dot_product_attention": attention}
    with mock.patch.multiple(F, **patches):
        yield
