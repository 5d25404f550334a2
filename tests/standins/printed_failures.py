"""What failing programs print, as the real libraries word it, and the cause that each has."""

from __future__ import annotations

from dataclasses import dataclass

HEADING = "Traceback (most recent call last):\n"
DIRECT = "\n\nThe above exception was the direct cause of the following exception:\n\n"
DURING = "\n\nDuring handling of the above exception, another exception occurred:\n\n"


@dataclass(frozen=True)
class Printed:
    """What a program printed before it ended with `exit_code`, and what is to be made of it.

    Attributes:
        code: The cause's.
        error_type: The exception that is to be named.
        error: A part of the error that is to be told.
        text: All of its output.
    """

    code: str
    error_type: str
    error: str
    text: str
    exit_code: int = 1


def stack(error: str, file: str = "/opt/train.py", function: str = "main") -> str:
    """A traceback that ends with `error`."""
    return f'{HEADING}  File "{file}", line 20, in {function}\n    work()\n    ^^^^^^\n{error}'


def by_rank(rank: int, text: str) -> str:
    """As torchrun prints it."""
    return "\n".join(f"[rank{rank}]: {line}" for line in text.split("\n"))


LAUNCHER = stack(
    "subprocess.CalledProcessError: Command '['/opt/venv/bin/python', 'train_network.py']' returned non-zero exit "
    "status 1.",
    "/opt/venv/lib/python3.11/site-packages/accelerate/commands/launch.py",
    "simple_launcher",
)
ELASTIC = stack(
    "torch.distributed.elastic.multiprocessing.errors.ChildFailedError: \n"
    "============================================================\ntrain.py FAILED\n"
    "------------------------------------------------------------\nRoot Cause (first observed failure):\n[0]:\n"
    "  exitcode  : 1 (pid: 140280)\n  traceback : To enable traceback see: https://pytorch.org/docs/stable/elastic/"
)
OUT_OF_MEMORY = stack(
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 has a total capacity of 11.99 GiB "
    "of which 0 bytes is free."
)
GATED = stack(
    "huggingface_hub.errors.GatedRepoError: 401 Client Error. (Request ID: Root=1-66f2c1a2-7;f1)\n\n"
    "Cannot access gated repo for url https://huggingface.co/some/model/resolve/main/model_index.json.\n"
    "Access to model some/model is restricted. You must have access to it and be authenticated to access it."
)
NOT_LOCAL = stack(
    "OSError: some/model is not a local folder and is not a valid model identifier listed on "
    "'https://huggingface.co/models'\nIf this is a private repository, make sure to pass a token."
)
BAD_IMAGE = "PIL.UnidentifiedImageError: cannot identify image file '/data/10_mizu/cat 03.jpg'"
AT_SHUTDOWN = (
    "Exception ignored in: <function _ConnectionBase.__del__ at 0x7f12>\n"
    + HEADING
    + '  File "/usr/lib/python3.11/multiprocessing/connection.py", line 133, in __del__\n'
    + "    self._close()\nTypeError: 'NoneType' object is not callable"
)
NO_TRITON = "A matching Triton is not available\n" + stack("ModuleNotFoundError: No module named 'triton'")

PRINTED = {
    "a launcher's exception says nothing": Printed(
        "cuda-oom", "OutOfMemoryError", "Tried to allocate", f"{OUT_OF_MEMORY}\n{LAUNCHER}"
    ),
    "the ranks of torchrun": Printed(
        "cuda-oom", "OutOfMemoryError", "Tried to allocate", f"{by_rank(0, OUT_OF_MEMORY)}\n{ELASTIC}"
    ),
    "the first rank that failed": Printed(
        "bad-image",
        "UnidentifiedImageError",
        "cat 03.jpg",
        by_rank(1, stack(BAD_IMAGE))
        + "\n"
        + by_rank(0, stack("torch.distributed.DistBackendError: NCCL error in: x.cpp:2006, remote process exited")),
    ),
    "what Python says while it shuts down": Printed(
        "cuda-oom", "OutOfMemoryError", "Tried to allocate", f"{OUT_OF_MEMORY}\n{AT_SHUTDOWN}"
    ),
    "a launcher whose child said why without a stack": Printed(
        "bad-arguments",
        "CalledProcessError",
        "returned non-zero",
        f"usage: train_network.py [-h]\ntrain_network.py: error: unrecognized arguments: --learing_rate=1\n{LAUNCHER}",
    ),
    "a launcher whose child was killed": Printed(
        "killed",
        "CalledProcessError",
        "died with",
        LAUNCHER.replace("returned non-zero exit status 1.", "died with <Signals.SIGKILL: 9>."),
    ),
    "an exception made of a plainer one": Printed(
        "gated-weights", "OSError", "not a valid model", f"{GATED}{DIRECT}{NOT_LOCAL}"
    ),
    "a name that the hub does not know": Printed("missing-weights", "OSError", "not a valid model", NOT_LOCAL),
    "not found, told as 401": Printed(
        "missing-weights",
        "RepositoryNotFoundError",
        "Repository Not Found for url",
        stack(
            "huggingface_hub.errors.RepositoryNotFoundError: 401 Client Error. (Request ID: Root=1-66f2;f1)\n\n"
            "Repository Not Found for url: https://huggingface.co/api/models/foo/bar.\nInvalid username or password."
        ).replace("401 Client Error. ", ""),
    ),
    "a token that may not": Printed(
        "hub-forbidden",
        "HfHubHTTPError",
        "You don't have the rights to create a model",
        stack(
            "huggingface_hub.errors.HfHubHTTPError: (Request ID: Root=1-66f2;f1)\n\n"
            '403 Forbidden: You don\'t have the rights to create a model under the namespace "me".\n'
            "Cannot access content at: https://huggingface.co/api/repos/create."
        ),
    ),
    "no connection, no cache": Printed(
        "network",
        "OSError",
        "couldn't connect",
        stack("huggingface_hub.errors.LocalEntryNotFoundError: An error happened while trying to locate the file.")
        + DIRECT
        + stack("OSError: We couldn't connect to 'https://huggingface.co' to load the files."),
    ),
    "a refused connection": Printed(
        "network", "ConnectError", "refused", stack("httpx.ConnectError: [Errno 111] Connection refused")
    ),
    "a proxy's certificate": Printed(
        "tls",
        "SSLError",
        "certificate",
        stack(
            "requests.exceptions.SSLError: (MaxRetryError(\"HTTPSConnectionPool(host='huggingface.co', port=443): Max "
            "retries exceeded with url: /api (Caused by SSLError(SSLCertVerificationError(1, '[SSL: "
            "CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate in certificate chain')))\"))"
        ),
    ),
    "a busy hub": Printed(
        "hub-busy", "HfHubHTTPError", "429", stack("HfHubHTTPError: 429 Client Error: Too Many Requests for url: x")
    ),
    "a loader's image": Printed(
        "bad-image",
        "UnidentifiedImageError",
        "cannot identify image file '/data/10_mizu/cat 03.jpg'",
        stack("PIL.UnidentifiedImageError: Caught UnidentifiedImageError in DataLoader worker process 3.")
        + f"\nOriginal {stack(BAD_IMAGE)}\n",
    ),
    "a worker's image": Printed(
        "bad-image",
        "RuntimeError",
        "caching failed",
        f'concurrent.futures.process._RemoteTraceback: \n"""\n{stack(BAD_IMAGE)}\n"""{DIRECT}'
        + stack("RuntimeError: caching failed"),
    ),
    "a message of several lines": Printed(
        "model-mismatch",
        "RuntimeError",
        "size mismatch for down_blocks",
        stack(
            "RuntimeError: Error(s) in loading state_dict for UNet2DConditionModel:\n"
            "\tsize mismatch for down_blocks.0.proj_in.weight: copying a param with shape torch.Size([320])."
        ),
    ),
    "a message that begins with an empty line": Printed(
        "missing-package",
        "ImportError",
        "requires the SentencePiece library",
        stack(
            "ImportError: \nT5Tokenizer requires the SentencePiece library but it was not found in your environment."
        ),
    ),
    "a bar behind a stack is no message": Printed(
        "unknown",
        "KeyError",
        "'network'",
        stack("KeyError: 'network'") + "\n  0%|          | 0/30 [00:00<?, ?it/s]",
    ),
    "a package that two said to lack": Printed(
        "missing-package",
        "ImportError",
        "No bitsandbytes",
        stack("ModuleNotFoundError: No module named 'bitsandbytes'")
        + DURING
        + stack("ImportError: No bitsandbytes / bitsandbytesがインストールされていないようです")
        + f"\n{LAUNCHER}",
    ),
    "a loader killed for memory": Printed(
        "host-oom",
        "RuntimeError",
        "exited unexpectedly",
        stack("RuntimeError: DataLoader worker (pid(s) 4121) exited unexpectedly"),
    ),
    "a failing disk told in Rust": Printed(
        "disk-full",
        "SafetensorError",
        "No space left",
        stack(
            "safetensors_rust.SafetensorError: Error while serializing: IoError(Os { code: 28, kind: StorageFull, "
            'message: "No space left on device" })'
        ),
    ),
    "a folder told in Rust": Printed(
        "permission",
        "SafetensorError",
        "Permission denied",
        stack(
            "safetensors_rust.SafetensorError: Error while serializing: IoError(Os { code: 13, kind: PermissionDenied, "
            'message: "Permission denied" })'
        ),
    ),
    "a trouble that was survived": Printed(
        "unknown",
        "KeyError",
        "'network'",
        "UserWarning: ReadTimeout on telemetry, ignoring\n" + stack("KeyError: 'network'"),
    ),
    "bars that are closed behind a stack": Printed(
        "cuda-oom",
        "OutOfMemoryError",
        "Tried to allocate",
        "epochs:  30%|███       | 3/10 [00:09<00:21,  3.00s/it]\n"
        "steps:  57%|█████▋    | 57/100 [00:09<00:21,  3.00s/it]\n"
        + OUT_OF_MEMORY
        + "\nepochs:  30%|███       | 3/10 [00:09<00:21,  3.00s/it]\n"
        "steps:  58%|█████▊    | 58/100 [00:09<00:21,  3.00s/it]",
    ),
    "a stack that steps came after": Printed(
        "unknown",
        "TrainerError",
        "fatal: something of its own",
        NO_TRITON + "".join(f"\nstep {n}/100 loss: 0.1" for n in range(1, 25)) + "\nfatal: something of its own",
    ),
    "native code that says why": Printed(
        "cuda-oom",
        "",
        "",
        "terminate called after throwing an instance of 'c10::Error'\n  what():  CUDA error: out of memory\n"
        "frame #0: c10::Error::Error(...)",
        -6,
    ),
    "a script that found no images and was content": Printed(
        "no-images",
        "MissingOutput",
        "no readable LoRA",
        "ERROR    No data found. Please verify arguments (train_data_dir must be the parent of folders with images)",
        0,
    ),
}
