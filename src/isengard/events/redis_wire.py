"""What stands in Redis: the names of keys, the scripts that write them, the form of an entry. Opens no connection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from isengard.events.bus import BusEvent, JournalLine
from isengard.events.models import TrainingProgressEvent

KEEP_S = 7 * 24 * 3600
"""Seconds after which the streams of a job without news go away."""
JOBS_KEPT = 100_000

# Number of the newest line of the stream in KEYS[1]. XINFO fails if there is no such stream.
_NEWEST = """
local function newest()
  local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
  if info.err then return 0, true end
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return tonumber(string.match(info[i + 1], '^%d+')), false end
  end
end
"""

# A job's first entry is announced in KEYS[4]; its streams live on for as long as there is news.
_LIVE = f"""
local function live(is_new, job, keep)
  if is_new then redis.call('XADD', KEYS[4], 'MAXLEN', '~', {JOBS_KEPT}, '*', 'j', job) end
  redis.call('EXPIRE', KEYS[1], keep)
  redis.call('EXPIRE', KEYS[2], keep)
  redis.call('EXPIRE', KEYS[3], keep)
end
"""

_LINES = (
    _NEWEST
    + _LIVE
    + """
local first, keep = tonumber(ARGV[1]), ARGV[3]
local last, is_new = newest()
local n = redis.call('GET', KEYS[3]) or 0
if first > last + 1 then return last end
for i = 5 + (last + 1 - first), #ARGV do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], (first + i - 5) .. '-0', 'n', n, 'l', ARGV[i])
end
live(is_new, ARGV[4], keep)
return math.max(last, first + #ARGV - 5)
"""
)

_EVENTS = (
    _LIVE
    + """
local is_new = redis.call('EXISTS', KEYS[2]) == 0
for i = 4, #ARGV do
  local n = redis.call('INCR', KEYS[3])
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[1], '*', 'n', n, 'e', ARGV[i])
end
live(is_new, ARGV[3], ARGV[2])
"""
)

_REWIND = """
redis.call('DEL', KEYS[1])
if tonumber(ARGV[1]) > 0 then
  redis.call('XADD', KEYS[1], ARGV[1] .. '-0', 'n', 0, 'l', '')
  redis.call('XTRIM', KEYS[1], 'MAXLEN', 0)
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
"""


@dataclass(frozen=True, slots=True)
class Keys:
    """The names of all keys."""

    prefix: str

    @property
    def jobs(self) -> str:
        """Stream of the jobs that began to publish."""
        return f"{self.prefix}:jobs"

    def lines(self, job_id: str) -> str:
        """Stream of a job's lines."""
        return f"{self.prefix}:lines:{job_id}"

    def events(self, job_id: str) -> str:
        """Stream of a job's events without a number."""
        return f"{self.prefix}:events:{job_id}"

    def streams(self, job_id: str) -> tuple[str, str]:
        """Both streams of a job."""
        return self.lines(job_id), self.events(job_id)

    def of(self, job_id: str) -> list[str]:
        """The keys of a job in the order that the scripts expect."""
        return [*self.streams(job_id), f"{self.prefix}:count:{job_id}", self.jobs]

    def job_of(self, stream: str) -> str:
        """The job that a stream belongs to."""
        return stream.removeprefix(f"{self.prefix}:").partition(":")[2]


class Scripts:
    """The scripts, each atomic in the server."""

    def __init__(self, client: Any) -> None:
        self._lines = client.register_script(_LINES)
        self._events = client.register_script(_EVENTS)
        self._newest = client.register_script(_NEWEST + "return (newest())")
        self._rewind = client.register_script(_REWIND)

    async def lines(self, keys: Sequence[str], arguments: Sequence[Any]) -> int:
        """Add the lines that are news; returns the number of the newest, which is less than wanted at a gap."""
        return int(await self._lines(keys=keys, args=arguments))

    async def events(self, keys: Sequence[str], arguments: Sequence[Any]) -> None:
        """Add events without a number."""
        await self._events(keys=keys, args=arguments)

    async def newest(self, keys: Sequence[str]) -> int:
        """Number of the newest line."""
        return int(await self._newest(keys=keys))

    async def rewind(self, keys: Sequence[str], arguments: Sequence[Any]) -> None:
        """Start the lines anew behind a number."""
        await self._rewind(keys=keys, args=arguments)


def seq_of(entry_id: bytes) -> int:
    """The number of the line with this id."""
    return int(entry_id.partition(b"-")[0])


def decode(job_id: str, entry_id: bytes, body: dict[bytes, bytes]) -> tuple[tuple[int, int, int], BusEvent]:
    """An entry's place among the job's entries of both kinds, and its event."""
    count = int(body[b"n"])
    if b"l" in body:
        seq = seq_of(entry_id)
        return (count, 1, seq), JournalLine(job_id, seq, body[b"l"])
    return (count, 0, 0), TrainingProgressEvent.from_dict(orjson.loads(body[b"e"]))


def streams_of(answer: Any) -> Iterator[tuple[str, list[tuple[bytes, dict[bytes, bytes]]]]]:
    """The streams and entries in the answer to XREAD, which redis-py gives in one form for RESP 2, in another for 3."""
    if isinstance(answer, dict):
        for name, batches in answer.items():
            yield name.decode(), [entry for batch in batches for entry in batch]
    else:
        for name, entries in answer or ():
            yield name.decode(), entries
