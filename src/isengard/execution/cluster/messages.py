"""Messages between site and hosts: short lists in Redis, one for each address. Delivered once at most, in order.

A message can be lost with the connection or the server that held it: whoever needs an answer asks again. So every
message may come twice in effect, and everything that acts on one bears that.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from isengard.events.bus import BusUnavailable
from isengard.events.redis_cancellation import cancellable

T = TypeVar("T")

SITE = "site"
"""The site's own address."""
_MOST_WAITING = 5000
_KEEP_S = 3600
_ANSWER_KEEP_S = 60


@dataclass(frozen=True, slots=True)
class Message:
    """What came.

    Attributes:
        kind: What it is about.
        content: The rest of it, as it was sent.
    """

    address: str
    kind: str
    content: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back to a question; `payload` are bytes that go along."""

    content: dict[str, Any]
    payload: bytes = b""


class Mailbox:
    """Sends and receives messages.

    Args:
        client: A `redis.asyncio` client.
    """

    def __init__(self, client: Any, prefix: str = "{isengard}") -> None:
        self._client = client
        self._prefix = prefix

    async def send(self, address: str, kind: str, **content: Any) -> None:
        """Put a message into a box; raises `BusUnavailable`."""
        await self._push(self._box(address), orjson.dumps({"kind": kind, **content}), _KEEP_S)

    async def receive(self, addresses: Sequence[str], timeout_s: float) -> Message | None:
        """The next message to one of the addresses; None if none came in time. Raises `BusUnavailable`."""
        boxes = {self._box(address): address for address in addresses}
        found = await self._do(self._client.blpop(list(boxes), timeout=timeout_s))
        if found is None:
            return None
        content = orjson.loads(found[1])
        return Message(boxes[found[0].decode()], str(content.pop("kind")), content)

    async def ask(self, address: str, kind: str, *, timeout_s: float = 5.0, **content: Any) -> Answer | None:
        """Send a message and wait for its answer; None if there is none in time. Raises `BusUnavailable`.

        A message that nobody has taken by then is taken back: questions that are asked again do not pile up in front of
        somebody slow. One that was taken is being answered, and waited for once more.
        """
        reply = f"{self._prefix}:answer:{secrets.token_hex(12)}"
        message = orjson.dumps({"kind": kind, "reply": reply, **content})
        await self._push(self._box(address), message, _KEEP_S)
        found = await self._do(self._client.blpop([reply], timeout=timeout_s))
        if found is None and not await self._do(self._client.lrem(self._box(address), 1, message)):
            found = await self._do(self._client.blpop([reply], timeout=timeout_s))
        if found is None:
            return None
        head, _, payload = found[1].partition(b"\n")
        return Answer(orjson.loads(head), payload)

    async def answer(self, message: Message, content: dict[str, Any], payload: bytes = b"") -> None:
        """Answer a question; raises `BusUnavailable`."""
        reply = message.content.get("reply")
        if isinstance(reply, str) and reply.startswith(f"{self._prefix}:answer:"):
            await self._push(reply, orjson.dumps(content) + b"\n" + payload, _ANSWER_KEEP_S)

    async def _push(self, key: str, data: bytes, keep_s: int) -> None:
        pipeline = self._client.pipeline(transaction=False)
        pipeline.rpush(key, data)
        pipeline.ltrim(key, -_MOST_WAITING, -1)
        pipeline.expire(key, keep_s)
        await self._do(pipeline.execute())

    async def _do(self, command: Awaitable[T]) -> T:
        from redis.exceptions import RedisError

        try:
            return await cancellable(command)
        except (RedisError, OSError) as error:
            raise BusUnavailable(f"Redis does not answer: {error}") from error

    def _box(self, address: str) -> str:
        return f"{self._prefix}:mailbox:{address}"
