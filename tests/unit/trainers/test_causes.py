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
    ("cuda-oom", Evidence("RuntimeError", "CUDA error: out of memory")),
    ("cuda-oom", Evidence("RuntimeError", "cuDNN error: CUDNN_STATUS_ALLOC_FAILED")),
    ("shared-memory", Evidence("RuntimeError", "DataLoader worker (pid 4121) is killed by signal: Bus error. It is")),
    ("host-oom", Evidence("RuntimeError", "DataLoader worker (pid 4121) is killed by signal: Killed. ")),
    ("disk-full", Evidence("RuntimeError", "[enforce fail at inline_container.cc:424] . unexpected pos 1638 vs 1424")),
    ("open-files", Evidence("OSError", "[Errno 24] Too many open files: '/data/img/3.png'")),
    (
        "hub-forbidden",
        Evidence("HfHubHTTPError", "403 Forbidden: You don't have the rights to create a model under the namespace"),
    ),
    ("tracker-login", Evidence("UsageError", "api_key not configured (no-tty). call wandb.login(key=[your_api_key])")),
    (
        "tls",
        Evidence("SSLError", "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed"),
    ),
    ("hub-busy", Evidence("HfHubHTTPError", "503 Server Error: Service Temporarily Unavailable for url: https://x")),
    (
        "network",
        Evidence("RuntimeError", "CAS service error : (403 Forbidden), domain: https://cas-server.xethub.hf.co/"),
    ),
    ("offline", Evidence("OfflineModeIsEnabled", "Cannot reach https://x: offline mode is enabled.")),
    ("unsafe-weights", Evidence("UnpicklingError", "Weights only load failed. In PyTorch 2.6, we changed the default")),
    ("corrupt-weights", Evidence("EOFError", "Ran out of input")),
    ("bad-image", Evidence("RuntimeError", "NaN detected in latents: /data/img/10_mizu/cat 03.jpg")),
    (
        "missing-library",
        Evidence("ImportError", "libGL.so.1: cannot open shared object file: No such file or directory"),
    ),
    ("missing-library", Evidence("MissingCUDAException", "CUDA_HOME does not exist, unable to compile CUDA op(s)")),
    ("missing-library", Evidence("InductorError", "RuntimeError: Failed to find C compiler. Please specify via CC")),
    ("missing-package", Evidence("ImportError", "To use 8-bit Adam, please install the bitsandbytes library")),
    ("missing-package", Evidence("ValueError", "PEFT backend is required for this method.")),
    ("missing-package", Evidence("ValueError", "xformers is not available. Make sure it is installed correctly")),
    (
        "version-conflict",
        Evidence("ImportError", "tokenizers>=0.21,<0.22 is required for a normal functioning of this module, but"),
    ),
    ("version-conflict", Evidence("ValueError", "The version of PEFT you are using is not compatible, please use")),
    ("version-conflict", Evidence("ImportError", "This example requires a source install from HuggingFace diffusers")),
    ("version-conflict", Evidence("NotImplementedError", "No operator found for `memory_efficient_attention_forward`")),
    ("version-conflict", Evidence("ValueError", "numpy.dtype size changed, may indicate binary incompatibility.")),
    ("version-conflict", Evidence("TypeError", "__init__() got an unexpected keyword argument 'offload_state_dict'")),
    ("no-gpu", Evidence("RuntimeError", "The NVIDIA driver on your system is too old (found version 11040).")),
    ("gpu-assert", Evidence("RuntimeError", "CUDA error: device-side assert triggered")),
    ("gpu-fault", Evidence("RuntimeError", "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx`")),
    (
        "distributed",
        Evidence("DistStoreError", "Timed out after 1801 seconds waiting for clients. 1/2 joined."),
    ),
    ("precision", Evidence("ValueError", "Attempting to unscale FP16 gradients.")),
    ("precision", Evidence("RuntimeError", "mat1 and mat2 must have the same dtype, but got Float and Half")),
    ("bad-arguments", Evidence("TrainerError", "train.py: error: unrecognized arguments: --learing_rate=1e-4")),
    ("bad-config", Evidence("ScannerError", "mapping values are not allowed here")),
    ("asked-for-input", Evidence("EOFError", "EOF when reading a line")),
    ("no-program", Evidence("LaunchFailed", "accelerate cannot be started: No such file or directory")),
    ("missing-file", Evidence("LaunchFailed", "a cannot be started: the folder to run it in is not there: /opt/x")),
    (
        "missing-file",
        Evidence("TrainerError", "python: can't open file '/opt/t.py': [Errno 2] No such file"),
    ),
    ("interrupted", Evidence("ProcessSignalled", "the trainer was killed by signal 15 (SIGTERM): somebody asked")),
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


@pytest.mark.parametrize(
    ("evidence", "name"),
    [
        (Evidence("ImportError", "libGL.so.1: cannot open shared object file: No such file"), "libGL.so.1"),
        (Evidence("ValueError", "PEFT backend is required for this method."), "PEFT"),
        (Evidence("TrainerError", "t.py: error: unrecognized arguments: --learing_rate=1"), "--learing_rate=1"),
        (Evidence("LaunchFailed", "accelerate cannot be started: No such file or directory"), "accelerate"),
        (Evidence("LaunchFailed", "a cannot be started: the folder to run it in is not there: /opt/x"), "/opt/x"),
        (Evidence("PermissionError", "[Errno 13] Permission denied: '/mnt/sdxl.safetensors'"), "/mnt/sdxl.safetensors"),
        (Evidence("OSError", "Error no file named model_index.json found in directory ./m."), "model_index.json"),
        (Evidence("ScannerError", "mapping values are not allowed here"), "mapping values are not allowed here"),
    ],
)
def test_what_the_words_name_is_in_the_explanation(evidence: Evidence, name: str) -> None:
    assert name in diagnose(evidence).explanation


def test_where_the_words_name_nothing_no_gap_is_left() -> None:
    assert diagnose(Evidence("PermissionError", "refused")).explanation == (
        "The trainer is not allowed to use this file or folder."
    )


def test_lines_before_an_exception_were_survived_and_lines_behind_it_belong_to_it() -> None:
    stack = STACK.format(line=3, error="KeyError: 'network'")
    before = ["Connection reset by peer, going on", *stack.split("\n")]
    assert diagnose(Evidence("KeyError", "'network'", stack, before)) is UNKNOWN
    behind = [*stack.split("\n"), "slurmstepd: error: Detected 1 oom_kill event in StepId=3.0"]
    assert diagnose(Evidence("KeyError", "'network'", stack, behind)).code == "host-oom"


def test_nobody_is_told_to_resume_what_can_only_be_started_again() -> None:
    full = cause_by_code("disk-full")
    assert "Resume: the last whole checkpoint is kept." in full.advice
    assert full.where_nothing_resumes().advice == ("Free space.", "Keep fewer checkpoints.", "Start it again.")
    oom = cause_by_code("cuda-oom")
    assert oom.where_nothing_resumes() is oom


def test_what_no_rule_knows_is_said_to_be_unknown() -> None:
    assert diagnose(Evidence("ZeroDivisionError", "division by zero")) is UNKNOWN


def test_only_causes_that_can_pass_by_themselves_are_worth_a_retry() -> None:
    worth = {code for code in rule_codes() if cause_by_code(code).retry}
    assert worth == {"network", "host-lost", "gpu-fault", "port-in-use", "killed", "crash", "hub-busy"}
    with pytest.raises(InvalidInput):
        cause_by_code("nonsense")


def test_the_same_mistake_has_the_same_fingerprint_whatever_its_figures() -> None:
    first = Evidence("ValueError", "bad 1", STACK.format(line=10, error="ValueError: bad 1"))
    second = Evidence("ValueError", "bad 2", STACK.format(line=99, error="ValueError: bad 2"))
    other = Evidence("KeyError", "bad 1", STACK.format(line=10, error="KeyError: bad 1"))
    assert fingerprint(first) == fingerprint(second) != fingerprint(other)
    assert fingerprint(Evidence("E", "step 3 in /a/b")) == fingerprint(Evidence("E", "step 77 in /c"))
