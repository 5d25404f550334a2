"""Samples in small: `?width=` of a sample's address."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image, PngImagePlugin

from isengard.api import thumbnails
from isengard.api.thumbnails import Thumbnails, Width
from isengard.datasets.limits import Limits
from standins.api_server import ApiServer, png
from standins.pictures import animation, encode, exif, noise, png_claiming, scene, srgb_profile

WIDE, TALL = (1024, 768), (600, 1000)


@pytest.fixture
def show(api: ApiServer, job: dict[str, Any]) -> Callable[..., str]:
    """Puts a file among the job's samples; its address."""

    def put(data: bytes, name: str = "a.png") -> str:
        (api.settings.paths.job(job["id"]).samples / name).write_bytes(data)
        return f"/api/jobs/{job['id']}/artifacts/samples/{name}"

    return put


def opened(answer: httpx.Response) -> Image.Image:
    image = Image.open(io.BytesIO(answer.content))
    image.load()
    return image


@pytest.mark.parametrize("width", [128, 256, 512])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("size", [WIDE, TALL])
def test_a_sample_comes_no_wider_than_asked_for(
    client: httpx.Client, show: Callable[..., str], width: int, kind: str, size: tuple[int, int]
) -> None:
    data = encode(scene(size), kind)
    answer = client.get(show(data, f"a.{kind.lower()}"), params={"width": width})
    assert answer.headers["content-type"] == "image/webp"
    image = opened(answer)
    assert (image.format, image.size) == ("WEBP", (width, round(size[1] * width / size[0])))
    wanted = scene(size).resize((8, 8), Image.Resampling.BOX).tobytes()
    shown = image.convert("RGB").resize((8, 8), Image.Resampling.BOX).tobytes()
    assert max(abs(one - other) for one, other in zip(wanted, shown, strict=True)) < 16


def test_it_stands_upright_keeps_what_is_transparent_and_tells_nothing(
    client: httpx.Client, show: Callable[..., str]
) -> None:
    told = PngImagePlugin.PngInfo()
    told.add_text("parameters", "a prompt, and what nobody should see")
    clear = scene(WIDE).convert("RGBA")
    clear.putalpha(0)
    data = encode(clear, pnginfo=told, exif=exif(6, maker="ACME"), icc_profile=srgb_profile())
    image = opened(client.get(show(data), params={"width": 128}))
    assert image.size == (128, round(1024 * 128 / 768))
    assert image.getextrema()[3] == (0, 0)
    assert image.info.keys() <= {"background", "loop", "timestamp", "duration"}
    assert not image.getexif()


@pytest.mark.parametrize("width", ["0", "-1", "127", "1024", "99999999999999999999", "256.5", "a", "128,256", "0x80"])
def test_no_other_width_is_taken(client: httpx.Client, show: Callable[..., str], width: str) -> None:
    answer = client.get(show(png(*WIDE)), params={"width": width})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("width:")
    assert client.head(show(png(*WIDE)), params={"width": width}).status_code == 422


def test_a_width_that_is_left_empty_is_none(client: httpx.Client, show: Callable[..., str]) -> None:
    assert client.get(show(png(*WIDE)) + "?width=").content == png(*WIDE)


AS_THEY_ARE = {
    "smaller": lambda: png(128, 300),
    "broken": lambda: encode(noise((300, 300)))[:-3000],
    "no picture": lambda: b"<html><script>alert(1)</script></html>",
    "empty": lambda: b"",
    "bomb": lambda: png_claiming(65_535, 65_535),
    "line": lambda: png_claiming(2**31 - 1, 1),
    "animation": lambda: animation("WEBP"),
    "another kind": lambda: encode(scene(WIDE), "GIF"),
}


@pytest.mark.parametrize("case", AS_THEY_ARE)
def test_what_gets_no_smaller_is_sent_as_it_is(client: httpx.Client, show: Callable[..., str], case: str) -> None:
    address, data = show(AS_THEY_ARE[case]()), AS_THEY_ARE[case]()
    whole = client.get(address)
    for _ in range(2):
        answer = client.get(address, params={"width": 128})
        assert (answer.status_code, answer.content) == (200, data)
        for name in ("content-type", "etag", "content-disposition", "x-content-type-options"):
            assert answer.headers[name] == whole.headers[name]


def test_no_memory_is_taken_for_what_a_sample_only_claims(
    api: ApiServer, client: httpx.Client, show: Callable[..., str]
) -> None:
    for side in (20_000, 40_000, 65_535):
        client.get(show(png_claiming(side, side), f"{side}.png"), params={"width": 512})
    status = Path(f"/proc/{api.process.pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    assert peak < 512 * 1024


def test_it_is_cached_and_guarded_like_the_sample(client: httpx.Client, show: Callable[..., str]) -> None:
    address = show(encode(scene(WIDE)), "step 1.png")
    whole, small = client.get(address), client.get(address, params={"width": 256})
    assert small.headers["etag"] != whole.headers["etag"]
    assert small.headers["etag"] != client.get(address, params={"width": 128}).headers["etag"]
    for name in ("last-modified", "cache-control", "x-content-type-options", "content-security-policy"):
        assert small.headers[name] == whole.headers[name]
    assert small.headers["content-disposition"] == "inline; filename*=utf-8''step%201.webp"
    version = whole.headers["etag"].strip('"')
    lasting = client.get(address, params={"width": 256, "v": version})
    assert "immutable" in lasting.headers["cache-control"]
    for params in ({"width": 256}, {"width": 256, "v": version}):
        again = client.get(address, params=params, headers={"If-None-Match": small.headers["etag"]})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", small.headers["etag"])
        assert again.headers["cache-control"] == client.get(address, params=params).headers["cache-control"]
        assert again.headers["x-content-type-options"] == "nosniff"
        other = client.get(address, params=params, headers={"If-None-Match": whole.headers["etag"]})
        assert other.content == small.content
    since = {"If-Modified-Since": whole.headers["last-modified"]}
    assert client.get(address, params={"width": 256}, headers=since).status_code == 304


def test_ranges_and_heads_are_of_the_small_picture(client: httpx.Client, show: Callable[..., str]) -> None:
    address = show(encode(scene(WIDE))) + "?width=128"
    small = client.get(address)
    head = client.head(address)
    assert (head.headers["content-length"], head.content) == (str(len(small.content)), b"")
    assert head.headers["etag"] == small.headers["etag"]
    part = client.get(address, headers={"Range": "bytes=4-9"})
    assert (part.status_code, part.content) == (206, small.content[4:10])
    assert part.headers["content-range"] == f"bytes 4-9/{len(small.content)}"
    assert client.get(address, headers={"Range": "bytes=999999-"}).status_code == 416
    assert client.get(address, headers={"Range": "bytes=0-1", "If-Range": '"other"'}).status_code == 200


def test_a_sample_that_is_drawn_anew_is_shown_anew(client: httpx.Client, show: Callable[..., str]) -> None:
    first = client.get(show(png(*WIDE, color=(250, 0, 0))), params={"width": 128})
    second = client.get(show(png(*TALL, color=(0, 0, 250))), params={"width": 128})
    assert first.headers["etag"] != second.headers["etag"]
    red, _, blue = opened(second).convert("RGB").getpixel((5, 5))
    assert blue > 200
    assert red < 50


@dataclass
class Sheet:
    """A sample that says how often it was read."""

    data: bytes
    name: str
    modified: float = 0.0
    version: str = "1"
    read: int = 0

    @property
    def size(self) -> int:
        return len(self.data)

    async def pieces(self, part: range) -> AsyncIterator[bytes]:
        self.read += 1
        yield self.data[part.start : part.stop]


async def test_many_who_ask_at_once_have_it_made_once() -> None:
    sheet = Sheet(png(*WIDE), "a.png")
    made = Thumbnails(Limits())
    answers = await asyncio.gather(*(made.of("train-1", sheet, Width.SMALL) for _ in range(50)))
    assert sheet.read == 1
    assert len({id(each.data) for each in answers if isinstance(each, thumbnails.Thumbnail)}) == 1
    await made.of("train-2", sheet, Width.SMALL)
    assert sheet.read == 2, "another job's sample of the same name is another"


async def test_one_who_goes_away_leaves_the_others_theirs() -> None:
    sheet = Sheet(png(*WIDE), "a.png")
    made = Thumbnails(Limits())
    leaving = asyncio.create_task(made.of("train-1", sheet, Width.SMALL))
    staying = asyncio.create_task(made.of("train-1", sheet, Width.SMALL))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).name == "a.webp"


async def test_what_is_kept_is_bounded() -> None:
    made = Thumbnails(Limits(), kept_bytes=5000)
    sheets = [Sheet(encode(scene((300, 300), seed)), f"{seed}.png") for seed in range(20)]
    for sheet in sheets:
        await made.of("train-1", sheet, Width.SMALL)
    await made.of("train-1", sheets[-1], Width.SMALL)
    await made.of("train-1", sheets[0], Width.SMALL)
    assert [sheets[-1].read, sheets[0].read] == [1, 2]


async def test_the_loop_goes_on_while_pictures_are_drawn_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them are held up half-way; that this test gets so far is the loop going on."""
    go, lock, drawing = threading.Event(), threading.Lock(), [0, 0]
    begun, loop = asyncio.Event(), asyncio.get_running_loop()

    def slow(data: bytes, limits: Limits, width: int) -> bytes:
        loop.call_soon_threadsafe(begun.set)
        with lock:
            drawing[0] += 1
            drawing[1] = max(drawing)
        go.wait(60)
        with lock:
            drawing[0] -= 1
        return b"small"

    monkeypatch.setattr(thumbnails, "thumbnail", slow)
    made = Thumbnails(Limits())
    tasks = [asyncio.create_task(made.of("train-1", Sheet(b"x", f"{n}.png"), Width.SMALL)) for n in range(20)]
    await begun.wait()
    assert not any(task.done() for task in tasks)
    go.set()
    assert {each.size for each in await asyncio.gather(*tasks)} == {5}
    assert drawing[1] <= 4


async def test_a_file_over_the_limit_is_not_read() -> None:
    sheet = Sheet(png(*WIDE), "a.png")
    assert await Thumbnails(Limits(image_bytes=10)).of("train-1", sheet, Width.SMALL) is sheet
    assert sheet.read == 0
