"""Causes of failure: what a failed training's words mean and what to do about it. The one file with these rules.

A rule reads the evidence – error type, error, stack, last lines – and answers with a cause in plain words. Rules are
tried from the top, the first that matches wins, and when none does the cause is said to be unknown: never guessed.
`tests/unit/trainers/test_causes.py` has a realistic trace for each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from isengard.core.errors import InvalidInput
from isengard.trainers import out_of_memory


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a failure.

    Attributes:
        config: The job's configuration; advice names its values.
        last_lines: The last lines of the trainer's output, oldest first.
    """

    error_type: str = ""
    error: str = ""
    stack: str = ""
    last_lines: Sequence[str] = ()
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def witnesses(self) -> tuple[str, str, str]:
        """What was said, the most telling first: a warning among the last lines must not outdo the error itself."""
        return f"{self.error_type}: {self.error}", self.stack, "\n".join(self.last_lines)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a training failed.

    Attributes:
        code: Short stable name (``cuda-oom``), ``unknown`` if no rule matched.
        title: What happened, a few words.
        explanation: Why, in a sentence or two.
        advice: What to try, best first.
        retry: Whether running it again unchanged from the last checkpoint can be worth it.
        settings: Configuration values that would avoid it, where they can be computed.
    """

    code: str
    title: str
    explanation: str
    advice: tuple[str, ...] = ()
    retry: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """One known cause: `pattern` is searched in the evidence; `refine` fills in what depends on the configuration."""

    cause: Cause
    pattern: re.Pattern[str]
    refine: Callable[[Cause, Evidence, re.Match[str]], Cause] | None = None

    def match(self, evidence: Evidence, text: str) -> Cause | None:
        """The cause if this rule applies to `text`, a part of the evidence."""
        found = self.pattern.search(text)
        if found is None:
            return None
        return self.refine(self.cause, evidence, found) if self.refine else self.cause


def diagnose(evidence: Evidence) -> Cause:
    """The cause of a failure, `UNKNOWN` when no rule knows it."""
    for text in evidence.witnesses:
        for rule in RULES:
            if cause := rule.match(evidence, text):
                return cause
    return UNKNOWN


# What depends on the job's own settings.


def _smaller(cause: Cause, evidence: Evidence, _match: re.Match[str]) -> Cause:
    """Name the settings that would need less GPU memory."""
    config = evidence.config
    settings = out_of_memory.smaller(config, "\n".join(evidence.witnesses))
    tries = tuple(f"set {name} to {value} (it was {config.get(name)})" for name, value in settings.items())
    return replace(cause, advice=tries + cause.advice, settings=settings)


def _name(cause: Cause, _evidence: Evidence, match: re.Match[str]) -> Cause:
    """Put the thing the trace names into the explanation."""
    name = next((group for group in match.groups()[1:] if group), "")
    return replace(
        cause,
        explanation=cause.explanation.format(name=name),
        advice=tuple(advice.format(name=name) for advice in cause.advice),
    )


UNKNOWN = Cause(
    "unknown",
    "Unknown cause",
    "Isengard has no rule for this failure. The error, its stack and the last lines below are what the trainer said.",
    ("Read the first error and the lines around it.", "Send the debug bundle to somebody who knows this trainer."),
)


def _rule(
    pattern: str,
    cause: Cause,
    refine: Callable[[Cause, Evidence, re.Match[str]], Cause] | None = None,
) -> Rule:
    return Rule(cause, re.compile(pattern, re.IGNORECASE), refine)


RULES: tuple[Rule, ...] = (
    _rule(
        r"(CUDA out of memory|torch\.(cuda\.)?OutOfMemoryError|OOM during training step|HIP out of memory"
        r"|MPS backend out of memory|CUBLAS_STATUS_ALLOC_FAILED)",
        Cause(
            "cuda-oom",
            "The GPU ran out of memory",
            "The model, the batch and the activations together did not fit into the memory of the GPU.",
            ("Close other programs that use this GPU.", "Train at a lower resolution or with a smaller rank."),
        ),
        _smaller,
    ),
    _rule(
        r"(killed by the kernel's out-of-memory killer|oom[-_ ]kill|DefaultCPUAllocator: (can't|not enough)"
        r"|^MemoryError|Cannot allocate memory)",
        Cause(
            "host-oom",
            "The machine ran out of memory",
            "The main memory (RAM) was used up, not the GPU's; the kernel then ends the largest process.",
            ("Cache latents to disk.", "Use fewer data loader workers.", "Add swap, or a machine with more memory."),
        ),
    ),
    _rule(
        r"(No space left on device|\[Errno 28\]|disk quota exceeded|\[Errno 122\])",
        Cause(
            "disk-full",
            "The disk is full",
            "A checkpoint, a sample or a cache could not be written because no space is left.",
            ("Free space, then resume: the last whole checkpoint is kept.", "Keep fewer checkpoints."),
        ),
    ),
    _rule(
        r"(GatedRepoError|Cannot access gated repo|access to model .* is restricted|awaiting a review from the repo"
        r"|403 (Client Error|Forbidden).*(gated|huggingface|resolve))",
        Cause(
            "gated-weights",
            "The base model is gated",
            "The model exists, but its owner lets in only people who have accepted its terms.",
            (
                "Accept the terms on the model's page with the account whose token you use.",
                "Give the job that account's token as the secret HF_TOKEN.",
            ),
        ),
    ),
    _rule(
        r"(401 (Client Error|Unauthorized)|Invalid (user )?token|Invalid credentials in Authorization header)",
        Cause(
            "bad-token",
            "The token was refused",
            "The model hub did not accept the token: it is missing, mistyped, revoked or expired.",
            ("Give the job a valid token as the secret HF_TOKEN.",),
        ),
    ),
    _rule(
        r"(RepositoryNotFoundError|RevisionNotFoundError|EntryNotFoundError|404 Client Error"
        r"|is not a local folder and is not a valid model identifier"
        r"|neither a valid local path nor a valid repo id)",
        Cause(
            "missing-weights",
            "The base model was not found",
            "The hub knows no such model, revision or file; a private model looks the same without a token.",
            ("Check the spelling of the base model.", "For a private model, give the job the secret HF_TOKEN."),
        ),
    ),
    _rule(
        r"(no file named (\S+) found in directory|Error no file named|does not appear to have a file named (\S+)"
        r"|FileNotFoundError: .*(model_index\.json|config\.json))",
        Cause(
            "incomplete-weights",
            "The base model's folder is not complete",
            "A file that belongs to the model is missing: the folder is the wrong one, or a download broke off.",
            ("Point base_model at the folder that holds model_index.json.", "Download the model again."),
        ),
    ),
    _rule(
        r"(LocalEntryNotFoundError|OfflineModeIsEnabled|Max retries exceeded|Temporary failure in name resolution"
        r"|Failed to resolve|ConnectionError|Connection reset by peer|ReadTimeout|IncompleteRead)",
        Cause(
            "network",
            "The network failed",
            "The model hub could not be reached or broke off in the middle of a download.",
            ("Try again: finished files are kept.", "Use a local folder as base_model."),
            retry=True,
        ),
    ),
    _rule(
        r"(SafetensorError|Error while deserializing header|MetadataIncompleteBuffer|HeaderTooLarge"
        r"|PytorchStreamReader failed|invalid load key)",
        Cause(
            "corrupt-weights",
            "A weights file is damaged",
            "A file of the base model or a checkpoint is cut short or is not what its name says.",
            ("Download the base model again.", "Resume from an earlier checkpoint."),
        ),
    ),
    _rule(
        r"(cannot identify image file ['\"]?([^'\"\n]+)|UnidentifiedImageError(?!.*cannot identify)"
        r"|image file is truncated|broken data stream|DecompressionBombError)",
        Cause(
            "bad-image",
            "An image cannot be read",
            "One of the training images is damaged or is no image: {name}",
            ("Remove or replace that image; the dataset check names it.",),
        ),
        _name,
    ),
    _rule(
        r"(No images found|no (usable )?images|num_samples should be a positive integer value, but got num_samples=0"
        r"|Found 0 images|dataset is empty)",
        Cause(
            "no-images",
            "There is nothing to train on",
            "The trainer found no image in the dataset's folder.",
            ("Upload images for the character.", "Look whether the dataset check refused them."),
        ),
    ),
    _rule(
        r"(caption.*(not found|missing|mismatch|does not match)|number of captions|Missing caption)",
        Cause(
            "caption-mismatch",
            "Captions and images do not match",
            "An image has no caption, or a caption has no image.",
            ("Give every image a caption of the same name.", "Let the captioning stage fill in the missing ones."),
        ),
    ),
    _rule(
        r"(ModuleNotFoundError: No module named ['\"]([\w.]+)['\"]|ImportError: .*requires the (\w+) library)",
        Cause(
            "missing-package",
            "A Python package is missing",
            "The trainer's environment lacks the package {name}.",
            ("Install {name} into the trainer's environment.",),
        ),
        _name,
    ),
    _rule(
        r"(ImportError: cannot import name ['\"](\w+)['\"]|VersionConflict|is incompatible with|undefined symbol: (\w+)"
        r"|requires .{1,60} but (you have|found)|was compiled using NumPy 1\.x"
        r"|module ['\"]?[\w.]+['\"]? has no attribute ['\"](\w+)['\"])",
        Cause(
            "version-conflict",
            "Packages do not fit together",
            "Two packages of the trainer's environment are of versions that do not work with each other ({name}).",
            ("Reinstall the trainer's environment from its own requirements file.",),
        ),
        _name,
    ),
    _rule(
        r"(no kernel image is available for execution|CUDA driver version is insufficient|Torch not compiled with CUDA"
        r"|No CUDA GPUs are available|Found no NVIDIA driver|CUDA_ERROR_NO_DEVICE|invalid device ordinal)",
        Cause(
            "no-gpu",
            "The GPU cannot be used",
            "PyTorch found no GPU it can use: the driver is missing or too old, or PyTorch was built without CUDA.",
            ("Look at nvidia-smi.", "Install a PyTorch build that fits the driver.", "Check CUDA_VISIBLE_DEVICES."),
        ),
    ),
    _rule(
        r"(device-side assert triggered|illegal memory access|CUDA error: unspecified launch failure|uncorrectable ECC"
        r"|GPU (is lost|has fallen off the bus)|CUDNN_STATUS_EXECUTION_FAILED|NVML.*(Unknown Error|GPU is lost))",
        Cause(
            "gpu-fault",
            "The GPU reported a fault",
            "A computation on the GPU broke off: the driver, the card, its power or its temperature can be the reason.",
            (
                "Resume from the last checkpoint.",
                "If it comes back: look at dmesg for Xid errors, lower the power limit.",
            ),
            retry=True,
        ),
    ),
    _rule(
        r"(expected all tensors to be on the same device|size mismatch for|mat1 and mat2 shapes cannot be multiplied"
        r"|must match the size of tensor|Expected .* channels|Error\(s\) in loading state_dict)",
        Cause(
            "model-mismatch",
            "The model is not of the expected kind",
            "Weights and architecture do not fit: the base model is of another family than the settings say.",
            ("Check arch and base_model: an SDXL file needs SDXL settings.", "Do not resume a LoRA of another rank."),
        ),
    ),
    _rule(
        r"(loss (is|became|was) (nan|inf|not a number)|NonFiniteLoss|nan or inf|loss diverged)",
        Cause(
            "nan-loss",
            "The loss is no longer a number",
            "The training diverged: once the loss is NaN nothing more is learned.",
            (
                "Use a lower learning rate.",
                "Use bf16 or fp32 instead of fp16.",
                "Clip gradients; look for a bad image.",
            ),
        ),
    ),
    _rule(
        r"(Address already in use|EADDRINUSE)",
        Cause(
            "port-in-use",
            "A port is taken",
            "The trainer wanted a network port that another program holds, often a run that has not ended.",
            ("End the other run.", "Give the trainer another port."),
            retry=True,
        ),
    ),
    _rule(
        r"(PermissionError|\[Errno 13\]|\[Errno 30\]|Read-only file system)",
        Cause(
            "permission",
            "A file may not be written",
            "The trainer is not allowed to write where it has to: {name}",
            ("Look at the owner and the rights of that folder.",),
        ),
        lambda cause, evidence, _match: replace(cause, explanation=cause.explanation.format(name=evidence.error[:200])),
    ),
    _rule(
        r"\bHostLost\b",
        Cause(
            "host-lost",
            "The host is gone",
            "The machine on which the job ran went down, or was cut off for longer than ISENGARD_LOST_HOST_S.",
            ("Resume from the last checkpoint; it runs on another host.", "Look at that machine and its network."),
            retry=True,
        ),
    ),
    _rule(
        r"(signal 9 \(SIGKILL\)|SIGKILL)",
        Cause(
            "killed",
            "The trainer was killed",
            "Somebody or something ended the process with SIGKILL; most often the kernel, for want of main memory.",
            ("Look at dmesg for 'Out of memory'.", "Resume from the last checkpoint."),
            retry=True,
        ),
    ),
    _rule(
        r"(signal 11 \(SIGSEGV\)|Segmentation fault|signal 6 \(SIGABRT\)|signal 7 \(SIGBUS\)|signal 4 \(SIGILL\))",
        Cause(
            "crash",
            "The trainer crashed",
            "Native code broke: a driver, a compiled extension or damaged memory.",
            ("Resume from the last checkpoint.", "If it comes back, reinstall the packages with compiled parts."),
            retry=True,
        ),
    ),
    _rule(
        r"(MissingOutput|left no readable LoRA)",
        Cause(
            "no-output",
            "There is no LoRA",
            "The trainer ended as if all were well, but wrote no file that opens as a LoRA.",
            ("Look at the last lines of its output.", "Check where it was told to write."),
        ),
    ),
)


def rule_codes() -> list[str]:
    """The codes of all known causes, in the order in which they are tried."""
    return [rule.cause.code for rule in RULES]


def cause_by_code(code: str) -> Cause:
    """The general form of a cause; raises `InvalidInput` for a code that is none."""
    for rule in RULES:
        if rule.cause.code == code:
            return rule.cause
    raise InvalidInput(f"there is no cause {code[:40]!r}", field="code")
