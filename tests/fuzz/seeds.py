"""What fuzzing begins with: one good example of each thing, so that no time is spent on finding a header."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fuzz import targets

_LINE = (
    b'{"seq":%d,"ts":"2026-01-02T03:04:05.678901Z","level":"INFO","event":"log","msg":"x","service":"runner",'
    b'"job_id":"train-fuzzed","correlation_id":"c","fields":{}}\n'
)
_PRINTED = (
    b" 37%|###7      | 37/100 [00:12<00:21,  2.90it/s, loss=0.12]\r 38%|###8      | 38/100\n",
    b'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    x()\nValueError: bad\n\x1b[31mred\x1b[0m\n',
    b"Fetching 12 files:  8%|8 | 1/12 [00:00<00:03]\rmodel.safetensors: 4%|4 | 41.9M/988M [00:01<00:30, 31.3MB/s]",
)

_FOLLOWED = (
    b"steps:  25%|##5       | 25/100 [00:10<00:30,  2.50it/s, avr_loss=0.0812]\nsteps: 26it [00:10, 1.1s/it, lr=1e-4]",
    b"train-fuzzed:  3%|3         | 3/100 [00:02<01:00, 1.6it/s, lr: 1.0e-04 loss: 4.1e-01]\nSaving at step 3",
    b"Global step: 12/100 loss=0.5e-3 learning_rate: 1e-4\nrunning training\nloss is nan",
    b"Quantizing transformer\n# OOM during training step, skipping batch 2/3 #\nError running job: out of memory",
    b"x:  40%|####      | 1.20G/3.00G [00:10<00:20, 110MB/s]\nGenerating Images: 50%|5| 1/2 [00:01<00:01, 1.0s/it]",
    b"Found step 7 in metadata, starting from there\nsteps 100%|##########| 9/9 [00:01<00:00, ?it/s, loss=nan]",
)
_REPORTED = (
    b'{"event":"training.step","level":"INFO","msg":"","ts":"2026-01-02T03:04:05.678901Z","fields":{"step":1,"lr":0.5}}',
    b'{"event":"job.stage","fields":{"stage":"sampling","phase":"loading x","phase_pct":1e2}}\n{"event":"log"}\n',
    b'{"event":"training.sample","fields":{"sample_path":"a.png","step":3}}\n{"event":"log","fields":{"ended":"failed",'
    b'"error":"x","error_type":"Y","error_stack":"z"}}\n{"event":"training.checkpoint","fields":{"checkpoint_path":"x"}}',
)


def of(name: str) -> Iterator[bytes]:
    """Seeds of the target called `name`."""
    yield from _OF[name]()


def _texts() -> Iterator[bytes]:
    known = targets.KNOWN.encode()
    yield b"\x80password=" + known + b'&token=x "api_key": "' + known + b'" --token ' + known + b"\nurl https://u:p@h/"
    yield b"\x40-----BEGIN PRIVATE " + b"KEY-----\n" + b"QUJD" * 16 + b"\n-----END PRIVATE " + b"KEY-----\n"
    yield b"\x20hf" + b"_aaaaaaaaaa1 eyJ" + b"hbGciOi.eyJzdWIi.sig Authorization: Bearer abc \\n\\u001b[0m %2F \x1b[0m"
    yield from _PRINTED


def _journals() -> Iterator[bytes]:
    yield b"".join(_LINE % number for number in (1, 2, 3))
    yield _LINE % 1 + b"\0" * 40 + _LINE % 2
    yield _LINE % 1 + (_LINE % 2)[:50]


def _images() -> Iterator[bytes]:
    image = Image.new("RGB", (8, 8), (200, 40, 90))
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP"):
        buffer = io.BytesIO()
        notes = PngInfo()
        notes.add_text("parameters", f"token={targets.KNOWN}")
        notes.add_itxt("x", "password=abcdefgh", zip=True)
        exif = Image.Exif()
        exif[270] = f"api_key={targets.KNOWN}"
        image.save(buffer, kind, **({"pnginfo": notes} if kind == "PNG" else {"exif": exif}))
        yield buffer.getvalue()


def _zips() -> Iterator[bytes]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.png", b"x" * 300)
        archive.writestr("../c.txt", "y")
    yield buffer.getvalue()


def _names() -> Iterator[bytes]:
    yield from (
        b"a b.png",
        "..\\é\u202e.PNG".encode(),
        b"%2e%2e%2fx",
        b"con.txt",
        b"-rf.jpg",
        b"\xff\xfe",
        b"x" * 300 + b".png",
    )


_OF = {
    "redact_text": _texts,
    "redact_stream": _texts,
    "redact_json": _texts,
    "read_output": lambda: iter(_PRINTED),
    "observe_lines": lambda: iter((*_PRINTED, *_FOLLOWED)),
    "take_reports": lambda: iter(_REPORTED),
    "repair_journal": _journals,
    "scrub_metadata": _images,
    "take_picture": _images,
    "open_zip": _zips,
    "clean_name": _names,
}
