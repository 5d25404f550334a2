"""Every known cause of failure, from a trace as the trainers print it."""

import pytest

from isengard.core.errors import InvalidInput
from isengard.trainers.causes import UNKNOWN, Evidence, cause_by_code, diagnose, rule_codes
from isengard.trainers.fingerprint import fingerprint

STACK = """Traceback (most recent call last):
  File "/opt/trainer/train.py", line {line}, in <module>
    main()
  File "/opt/trainer/loop.py", line {line}, in step
    loss.backward()
{error}"""

TRACES: list[tuple[str, Evidence]] = [
    (
        "cuda-oom",
        Evidence(
            "OutOfMemoryError",
            "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 23.65 GiB.",
        ),
    ),
    ("cuda-oom", Evidence("RuntimeError", "OOM during training step 3 times in a row, aborting training")),
    (
        "host-oom",
        Evidence("RuntimeError", "[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory"),
    ),
    ("disk-full", Evidence("OSError", "[Errno 28] No space left on device: '/data/checkpoint-500/optimizer.pt'")),
    (
        "gated-weights",
        Evidence(
            "GatedRepoError", "403 Client Error. Cannot access gated repo for url. Access to model a/b is restricted"
        ),
    ),
    ("bad-token", Evidence("HfHubHTTPError", "401 Client Error: Unauthorized for url. Invalid username or password.")),
    ("missing-weights", Evidence("RepositoryNotFoundError", "404 Client Error. Repository Not Found for url")),
    (
        "missing-weights",
        Evidence("OSError", "some/model is not a local folder and is not a valid model identifier listed on the hub"),
    ),
    (
        "incomplete-weights",
        Evidence("OSError", "Error no file named model_index.json found in directory ./models/sd15."),
    ),
    (
        "network",
        Evidence("ConnectionError", "HTTPSConnectionPool(host='hub', port=443): Max retries exceeded with url: /api"),
    ),
    ("corrupt-weights", Evidence("SafetensorError", "Error while deserializing header: MetadataIncompleteBuffer")),
    ("bad-image", Evidence("UnidentifiedImageError", "cannot identify image file '/data/uploads/char-1/cat 03.jpg'")),
    ("no-images", Evidence("ValueError", "num_samples should be a positive integer value, but got num_samples=0")),
    ("caption-mismatch", Evidence("ValueError", "Missing caption file for image 003.png")),
    ("missing-package", Evidence("ModuleNotFoundError", "No module named 'bitsandbytes'")),
    ("version-conflict", Evidence("ImportError", "cannot import name 'cached_download' from 'huggingface_hub'")),
    ("no-gpu", Evidence("RuntimeError", "No CUDA GPUs are available")),
    ("host-lost", Evidence("HostLost", "the host gpu-3 on which the job ran is down or cut off")),
    ("gpu-fault", Evidence("RuntimeError", "CUDA error: an illegal memory access was encountered")),
    (
        "model-mismatch",
        Evidence("RuntimeError", "mat1 and mat2 shapes cannot be multiplied (308x768 and 2048x640)"),
    ),
    ("nan-loss", Evidence("NonFiniteLoss", "the loss of step 412 is nan")),
    ("port-in-use", Evidence("OSError", "[Errno 98] Address already in use")),
    ("permission", Evidence("PermissionError", "[Errno 13] Permission denied: '/data/loras/x.safetensors'")),
    ("killed", Evidence("ProcessKilled", "the trainer was ended by signal 9 (SIGKILL)")),
    ("crash", Evidence("ProcessKilled", "the trainer was ended by signal 11 (SIGSEGV)")),
    ("no-output", Evidence("MissingOutput", "ai-toolkit ended without an error but left no readable LoRA")),
]


@pytest.mark.parametrize(("code", "evidence"), TRACES, ids=[f"{code}-{n}" for n, (code, _) in enumerate(TRACES)])
def test_a_realistic_trace_is_recognised(code: str, evidence: Evidence) -> None:
    cause = diagnose(evidence)
    assert cause.code == code
    assert cause.advice
    assert "{" not in cause.explanation


def test_every_rule_has_a_trace() -> None:
    assert set(rule_codes()) == {code for code, _ in TRACES}


def test_a_cause_found_only_in_the_stack_is_still_found() -> None:
    stack = STACK.format(line=3, error="torch.OutOfMemoryError: CUDA out of memory.")
    assert diagnose(Evidence("TrainerError", "the trainer ended with exit code 1", stack)).code == "cuda-oom"


def test_the_error_itself_outweighs_a_warning_in_the_last_lines() -> None:
    lines = ["Connection reset by peer, trying again", "resumed"]
    assert diagnose(Evidence("OSError", "[Errno 28] No space left on device", last_lines=lines)).code == "disk-full"


def test_out_of_gpu_memory_names_the_settings_that_would_fit() -> None:
    config = {"batch_size": 4, "gradient_checkpointing": False, "resolution": 1024, "lora_rank": 16}
    cause = diagnose(Evidence("OutOfMemoryError", "CUDA out of memory", config=config))
    assert cause.settings == {"batch_size": 2, "gradient_checkpointing": True}
    assert cause.advice[0] == "set batch_size to 2 (it was 4)"


def test_a_smaller_picture_is_named_when_the_batch_is_already_one() -> None:
    cause = diagnose(Evidence("OutOfMemoryError", "CUDA out of memory", config={"batch_size": 1, "resolution": 1024}))
    assert cause.settings == {"resolution": 512}


def test_the_bad_image_and_the_missing_package_are_named() -> None:
    assert "cat 03.jpg" in diagnose(TRACES[11][1]).explanation
    assert diagnose(Evidence("ModuleNotFoundError", "No module named 'bitsandbytes'")).advice == (
        "Install bitsandbytes into the trainer's environment.",
    )


def test_what_no_rule_knows_is_said_to_be_unknown() -> None:
    assert diagnose(Evidence("ZeroDivisionError", "division by zero")) is UNKNOWN


def test_only_causes_that_can_pass_by_themselves_are_worth_a_retry() -> None:
    worth = {code for code in rule_codes() if cause_by_code(code).retry}
    assert worth == {"network", "host-lost", "gpu-fault", "port-in-use", "killed", "crash"}
    with pytest.raises(InvalidInput):
        cause_by_code("nonsense")


def test_the_same_mistake_has_the_same_fingerprint_whatever_its_figures() -> None:
    first = Evidence("ValueError", "bad 1", STACK.format(line=10, error="ValueError: bad 1"))
    second = Evidence("ValueError", "bad 2", STACK.format(line=99, error="ValueError: bad 2"))
    other = Evidence("KeyError", "bad 1", STACK.format(line=10, error="KeyError: bad 1"))
    assert fingerprint(first) == fingerprint(second) != fingerprint(other)
    assert fingerprint(Evidence("E", "step 3 in /a/b")) == fingerprint(Evidence("E", "step 77 in /c"))
