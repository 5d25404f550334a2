"""Failures of and around the GPU: its memory, driver and faults, several of them, number formats."""

from __future__ import annotations

import re
from dataclasses import replace

from isengard.trainers import out_of_memory
from isengard.trainers.causes.evidence import Evidence
from isengard.trainers.causes.rule import Cause, rule


def _smaller(cause: Cause, evidence: Evidence, _match: re.Match[str]) -> Cause:
    """Name the other processes on that GPU, and the settings that would need less of it."""
    config, words = evidence.config, "\n".join(evidence.witnesses)
    settings = out_of_memory.smaller(config, words)
    tries = tuple(f"set {name} to {value} (it was {config.get(name)})" for name, value in settings.items())
    others = out_of_memory.occupants(words)
    if not others:
        return replace(cause, advice=tries + cause.advice, settings=settings)
    held = ", ".join(f"process {pid} held {size / 2**30:.1f} GiB" for pid, size in others.items())
    free = tuple(f"End process {pid} if nobody needs it (nvidia-smi tells what it is)." for pid in others)
    explanation = f"Others had part of this GPU: {held}. {cause.explanation}"
    return replace(cause, explanation=explanation, advice=free + tries + cause.advice[1:], settings=settings)


OUT_OF_MEMORY = (
    rule(
        r"((?:CUDA|HIP|MPS backend|XPU)(?: error:)? out of memory|torch\.(?:cuda\.)?OutOfMemoryError"
        r"|OOM during training step|CU(?:BLAS|DNN)_STATUS_ALLOC_FAILED|CUDA_ERROR_OUT_OF_MEMORY|hipErrorOutOfMemory"
        r"|Cuda failure [^\n]{0,8}out of memory)",
        Cause(
            "cuda-oom",
            "The GPU ran out of memory",
            "The model, the batch and the activations together did not fit into the memory of the GPU.",
            ("Close other programs that use this GPU.", "Train at a lower resolution or with a smaller rank."),
        ),
        _smaller,
    ),
)

RULES = (
    rule(
        r"(no kernel image is available for execution|CUDA driver version is insufficient|Torch not compiled with CUDA"
        r"|No CUDA GPUs are available|Found no NVIDIA driver|CUDA_ERROR_NO_DEVICE|invalid device ordinal"
        r"|NVIDIA driver on your system is too old|Driver/library version mismatch|no CUDA-capable device"
        r"|CUDA unknown error|requires a GPU|torch\.cuda\.is_available\(\) is False)",
        Cause(
            "no-gpu",
            "The GPU cannot be used",
            "PyTorch found no GPU it can use: the driver is missing or too old, or PyTorch was built without CUDA or "
            "for other cards.",
            ("Look at nvidia-smi.", "Install a PyTorch build that fits the driver.", "Check CUDA_VISIBLE_DEVICES."),
        ),
    ),
    rule(
        r"(device-side assert triggered|Assertion [`'\"][^\n]{1,80} failed|srcSelectDimSize)",
        Cause(
            "gpu-assert",
            "A value is out of range on the GPU",
            "The program looked something up under a number that is not there, such as a token or a step of the noise "
            "schedule; the stack can point to a later line, because the GPU reports late.",
            (
                "Run once with CUDA_LAUNCH_BLOCKING=1, or on the CPU: then the stack points to the right line.",
                "Check that tokenizer, text encoder and base model belong together.",
            ),
        ),
    ),
    rule(
        r"(illegal memory access|CUDA error: (?:unspecified launch failure|misaligned address|an illegal instruction)"
        r"|uncorrectable ECC|GPU (?:is lost|has fallen off the bus)|NVML[^\n]{0,80}(?:Unknown Error|GPU is lost)"
        r"|CU(?:DNN|BLAS)_STATUS_(?:EXECUTION_FAILED|INTERNAL_ERROR|NOT_INITIALIZED|MAPPING_ERROR))",
        Cause(
            "gpu-fault",
            "The GPU reported a fault",
            "A computation on the GPU broke off: the driver, the card, its power or its temperature can be the reason, "
            "and memory that is nearly full.",
            (
                "Resume from the last checkpoint.",
                "If it comes back at once: needs less memory, or another PyTorch build.",
                "If it comes back now and then: look at dmesg for Xid errors, lower the power limit.",
            ),
            retry=True,
        ),
    ),
    rule(
        r"(DistBackendError|DistStoreError|DistNetworkError|NCCL error|ncclUnhandledCudaError|ncclSystemError"
        r"|ncclInternalError|ncclRemoteError|Watchdog caught collective operation timeout|TCPStore\("
        r"|Connection closed by (?:remote )?peer|Gloo connectFullMesh failed"
        r"|rendezvous[^\n]{0,40}(?:timed? ?out|closed))",
        Cause(
            "distributed",
            "The processes lost each other",
            "One process of a training on several GPUs or machines waited for the others in vain: one of them failed "
            "before, or the way between them is blocked.",
            (
                "Look for the first error of another rank above: this one is often only what came of it.",
                "Run with NCCL_DEBUG=INFO; it names the interface and the way it takes.",
                "On cards without peer access: NCCL_P2P_DISABLE=1; without InfiniBand: NCCL_IB_DISABLE=1.",
            ),
        ),
        yields_to="cuda-oom gpu-fault no-gpu disk-full nan-loss bad-image",
    ),
    rule(
        r"(must have the same dtype|expected scalar type \w+ but found \w+|should be the same(?: or input)?"
        r"|Attempting to unscale FP16 gradients|not implemented for ['\"](?:Half|BFloat16|Float8\w*)['\"]"
        r"|(?:doesn't|does not) support (?:bf16|fp16|float16|bfloat16)|bf16[^\n]{0,60}(?:not supported|requires)"
        r"|Got unsupported ScalarType|expected m1 and m2 to have the same dtype)",
        Cause(
            "precision",
            "Number formats do not fit together",
            "Part of the model is in half precision and part is not, or this GPU cannot do what is asked for.",
            (
                "Use the same mixed precision everywhere: bf16 on cards from Ampere (RTX 30) on, fp16 on older ones.",
                "What is trained must be in fp32 when mixed precision is fp16.",
            ),
        ),
    ),
)
