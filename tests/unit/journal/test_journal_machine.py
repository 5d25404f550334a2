"""A journal in the hands of writers, readers and power cuts, in any order, against a list of its lines.

The sizes at which the parts change their ways are made small, so that a few dozen lines reach all of them.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from isengard.events.models import EventName, Level
from isengard.journal import (
    JournalCursor,
    JournalReader,
    JournalWriter,
    digest,
    field_columns,
    filters,
    index_file,
    index_writer,
    locate,
    scan,
    search,
)
from isengard.journal.locate import offset_after
from isengard.journal.series import series
from standins.journals import line, new_job, writer
from standins.naive_journal import NaiveJournal

WORDS = ["Step", "üBER", 'say "no"', "back\\slash", "new\nline", "out of MEMORY", "\x00\u2028", "🦜", "1e-4"]
TEXTS = ["", "step", "über", 'say "NO"', "\\", "w\nl", "memory", "nothing", "n", "🦜", "\u2028", "a.b"]
EVENTS = [
    EventName.TRAINING_STEP,
    EventName.GPU_METRICS,
    EventName.JOB_STAGE,
    EventName.JOB_RESUMED,
    EventName.JOB_FAILED,
    EventName.LOG,
]
numbers = st.one_of(st.integers(-2, 40), st.floats(), st.none(), st.just(2**40), st.just("7"), st.booleans())
rare = st.sampled_from([1, 1, 1, 60])
fields = st.fixed_dictionaries(
    {},
    optional={
        "step": st.integers(0, 20) | numbers,
        "loss": st.floats(0, 1) | numbers,
        "lr": st.floats(0, 1) | numbers,
        "attempt": st.integers(1, 3) | numbers,
        "grad_norm": numbers,
        "metrics": st.dictionaries(st.sampled_from(["grad_norm", "a.b", "loss"]), numbers, max_size=3),
        "gpus": st.lists(st.fixed_dictionaries({"index": st.integers(0, 1), "power_w": numbers}), max_size=2),
        "fields": st.dictionaries(st.sampled_from(WORDS), st.sampled_from(WORDS), max_size=1),
    },
)
messages = st.one_of(
    st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join),
    st.just(""),
    st.integers(1, 200_000).map(lambda size: "x" * size),
)
moments = st.sampled_from([None, "2026-01-02T03:04:05.000000Z", "2019-01-02T03:04:05.000000Z", "yesterday"])
kinds = st.tuples(st.sampled_from(EVENTS), st.sampled_from(list(Level)))
SMALL: dict[Any, dict[str, int]] = {
    index_file: {"WORTH_KEEPING": 4},
    index_writer: {"PIECE": 2048},
    locate: {"_PIECE": 512},
    search: {"_PIECE": 1024, "_SHARE": 8192},
    filters: {"_PIECE": 16},
    field_columns: {"_BATCH": 8},
    scan: {"_FEW": 6},
    digest: {"_FEW": 20},
}


class JournalMachine(RuleBasedStateMachine):
    """The journal and the list of lines that it has to be."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="journal-"))
        self.paths = new_job(self.root)
        self.model = NaiveJournal()
        self.followed: list[bytes] = []
        self.journal: JournalWriter | None = None
        self.start()

    def start(self) -> None:
        """Readers of a process that begins."""
        self.reader = JournalReader(self.paths)
        self.cursor = JournalCursor(self.paths, len(self.followed))

    def teardown(self) -> None:
        self.stop()
        self.cursor.close()
        shutil.rmtree(self.root)

    def stop(self) -> None:
        if self.journal is not None:
            self.journal.close()
            self.journal = None

    def write(self, *args: Any, **more: Any) -> None:
        if self.journal is None:
            self.journal = writer(self.paths)
        before = self.paths.journal.stat().st_size
        assert self.journal.append(*args, **more) == len(self.model.lines) + 1
        with self.paths.journal.open("rb") as file:
            file.seek(before)
            self.model.lines.append(file.read()[:-1])

    @rule(kind=kinds, message=messages, some=fields, ts=moments, count=rare)
    def append(self, kind: tuple[EventName, Level], message: str, some: dict[str, Any], ts: Any, count: int) -> None:
        for number in range(count if len(message) < 1000 else 1):
            self.write(kind[0], message, {**some, "step": number} if number else some, level=kind[1], ts=ts)

    @rule(odd=st.integers(0, 6), count=rare)
    def another_version_appends(self, odd: int, count: int) -> None:
        """Lines that this version would not write; damaged ones have a good one behind them."""
        self.stop()
        for _ in range(count):
            seq = len(self.model.lines) + 1
            usual = line(seq, "training.step", "Step", step=seq % 7, loss=0.5, metrics={"a.b": seq})
            more = [
                [line(seq, "job.paused", "Step", "NOTICE", grad_norm=3)],
                [usual[:-1] + b',"newer":[1]}'],
                [orjson.dumps(dict(reversed(orjson.loads(usual).items())))],
                [b"garbage Step", line(seq + 1)],
                [b"", line(seq + 1)],
                [usual.replace(b'"level":"INFO"', b'"level":"\\u0049NFO"')],
                [usual[:-1] + b',"level":"ERROR","msg":"twice"}'],
            ][odd]
            self.model.lines += more
        self.paths.journal.write_bytes(self.model.data())

    @rule()
    def close(self) -> None:
        self.stop()

    @rule(keep=st.integers(0, 40), torn=st.integers(0, 300), junk=st.sampled_from([b"", b"\0" * 40, b"\0\n{}\n"]))
    def power_cut(self, keep: int, torn: int, junk: bytes) -> None:
        """So many of the last lines are lost, one of them in part; everybody begins anew. The index may know more."""
        self.stop()
        self.cursor.close()
        lines = self.model.lines
        lost = lines[max(0, len(lines) - keep) :]
        del lines[max(0, len(lines) - keep) :]
        self.paths.journal.write_bytes(self.model.data() + (lost[0][:torn] if lost else b"") + junk)
        while lines and not self.model.is_whole(len(lines)):
            lines.pop()  # what is damaged at the very end goes with the torn
        self.followed = self.followed[: len(lines)]
        self.journal = writer(self.paths)
        assert self.paths.journal.read_bytes() == self.model.data()
        self.start()

    @rule(what=st.sampled_from(["gone", "random", "other", "short", "half"]))
    def harm_index(self, what: str) -> None:
        self.stop()
        index = self.paths.index
        if what == "gone" or not index.exists():
            index.unlink(missing_ok=True)
        elif what == "other":
            other = new_job(self.root, "train-0ther")
            with writer(other) as journal:
                for _ in range(30):
                    journal.append(EventName.LOG, "of another journal")
            shutil.copy(other.index, index)
        else:
            data = index.read_bytes()
            index.write_bytes({"random": bytes(reversed(data)), "short": data[:-48], "half": data[:-7]}[what])

    @rule(limit=st.sampled_from([1, 100, 4096, 1 << 18]))
    def follow(self, limit: int) -> None:
        self.followed += self.cursor.read_new(limit)
        assert self.followed == self.model.lines[: len(self.followed)]
        if limit == 1 << 18:
            while more := self.cursor.read_new(limit):
                self.followed += more
            assert self.followed == self.model.lines

    @rule(
        levels=st.sets(st.sampled_from([*Level, "NOTICE"]), max_size=2),
        events=st.sets(st.sampled_from([*EVENTS, "job.paused", "never"]), max_size=2),
        text=st.sampled_from(TEXTS),
        limit=st.integers(1, 20),
        offset=st.integers(0, 30),
        order=st.sampled_from(["asc", "desc"]),
        fresh=st.booleans(),
    )
    def ask_for_a_page(
        self, levels: set[str], events: set[str], text: str, limit: int, offset: int, order: Any, fresh: bool
    ) -> None:
        reader = JournalReader(self.paths) if fresh else self.reader
        passing = self.model.passing(levels, events, text)
        page = reader.page(levels, events, text, limit, offset, order)
        wanted = passing if order == "asc" else passing[::-1]
        assert [entry.seq for entry in page.entries] == wanted[offset : offset + limit]
        assert (page.total, page.has_more) == (len(passing), offset + limit < len(passing))
        assert reader.offset_of(offset + 1, levels, events, text) == sum(seq <= offset for seq in passing) or not (
            levels or events or text
        )

    @rule(step=st.integers(0, 25), fresh=st.booleans())
    def jump(self, step: int, fresh: bool) -> None:
        reader = JournalReader(self.paths) if fresh else self.reader
        assert reader.seq_at_step(step) == self.model.seq_at_step(step)
        first = reader.first_error()
        assert (first.seq if first else None) == self.model.first_error()

    @rule(key=st.sampled_from(["loss", "lr", "grad_norm", "a.b", "metrics.a.b", "gpu.power_w", "gpu.1.power_w"]))
    def draw(self, key: str) -> None:
        for reader in (self.reader, JournalReader(self.paths)):
            points = series(reader, [key], 10**6).points[key]
            assert [(p.seq, p.step, p.value, p.attempt, p.ts) for p in points] == self.model.points(key)

    @rule(after=st.integers(0, 300), limit=st.integers(0, 50))
    def read(self, after: int, limit: int) -> None:
        after = min(after, len(self.model.lines))
        assert self.reader.lines(after, limit) == self.model.lines[after : after + limit]
        with JournalCursor(self.paths, after) as cursor:
            found = cursor.read_new(1 << 30)
        assert found == self.model.lines[after:]

    @precondition(lambda self: self.paths.journal.exists())
    @rule(seq=st.integers(0, 400))
    def locate(self, seq: int) -> None:
        seq = min(seq, len(self.model.lines))
        with self.paths.journal.open("rb") as file:
            found = offset_after(self.paths, file.fileno(), seq)
        assert found == (seq, sum(len(each) + 1 for each in self.model.lines[:seq]))

    @invariant()
    def counted(self) -> None:
        assert self.reader.last_seq() == len(self.model.lines)


def test_whatever_happens_to_a_journal_its_readers_tell_what_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, sizes in SMALL.items():
        for name, size in sizes.items():
            monkeypatch.setattr(module, name, size)
    run_state_machine_as_test(JournalMachine, settings=settings(max_examples=60, stateful_step_count=30, deadline=None))
