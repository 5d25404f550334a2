"""Figures that the index does not hold: any number in the fields of step and GPU lines, by its dotted name.

``metrics.grad_norm`` is what stands at that place in a step's fields; ``gpu.power_w`` is the first GPU's,
``gpu.1.power_w`` that of the GPU with index 1. A name is read from the lines when it is first asked for; after that
only new lines are looked at.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import orjson

from isengard.events.models import EventName
from isengard.journal.columns import Growing
from isengard.journal.filters import Filters, Kinds, Positions
from isengard.journal.index import Snapshot
from isengard.journal.scan_line import FIELDS

_KEPT = 32
_BATCH = 2048
_PLAIN = re.compile(r"[A-Za-z_][\w/-]*(\.[A-Za-z_][\w/-]*)*", re.ASCII)
"""Names that can be read without looking at every number of a line."""
_SAMPLE = 64
_NOT_SERIES = frozenset({"step", "steps_total", "attempt", "report", "sample_index", "sample_seed", "gpu.index"})

STEPS = Kinds.of((), (EventName.TRAINING_STEP,))
GPU = Kinds.of((), (EventName.GPU_METRICS,))
STEPS_AND_GPU = Kinds.of((), (EventName.TRAINING_STEP, EventName.GPU_METRICS))

Floats = npt.NDArray[np.float64]


def numbers(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """All numbers in the fields by their dotted names."""
    for name, value in fields.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield prefix + name, float(value)
        elif isinstance(value, Mapping):
            yield from _numbers_within(f"{prefix}{name}.", value)
        elif isinstance(value, list):
            one = "gpu" if name == "gpus" else name
            for number, item in enumerate(value):
                if isinstance(item, Mapping):
                    yield from _numbers_within(f"{prefix}{one}.", {"index": number, **item})


def _numbers_within(prefix: str, value: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Those of a nested object; what has an index stands under it, the first of such also without."""
    index = value.get("index")
    if index is not None:
        yield from numbers(value, f"{prefix}{index}.")
    if not index:
        yield from numbers(value, prefix)


class _Column:
    """The values of one name, up to a line."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._source = GPU if name.startswith("gpu.") else STEPS_AND_GPU
        self._rows = Growing(np.int32)
        self._values = Growing(np.float64)
        self._seen = 0
        self._is_plain = _PLAIN.fullmatch(name) is not None and not name.startswith("gpu.") and name != "metrics"
        self._decode = _decoder(name if self._is_plain else "unused")
        self._end = orjson.dumps(name.rpartition(".")[2])[1:] + b":"

    def upto(self, snapshot: Snapshot, filters: Filters) -> tuple[Positions, Floats]:
        rows = filters.positions(snapshot, self._source)
        fresh = rows[np.searchsorted(rows, self._seen) :]
        for first in range(0, len(fresh), _BATCH):
            some = fresh[first : first + _BATCH]
            values = self._read(snapshot, some)
            there = ~np.isnan(values)
            self._rows.extend(some[there])
            self._values.extend(values[there])
            self._seen = int(some[-1]) + 1  # should a later batch not be readable, this one is not looked at again
        self._seen = max(self._seen, len(snapshot))
        count = int(np.searchsorted(self._rows.view(), len(snapshot)))
        return self._rows.view()[:count], self._values.view()[:count]

    def _read(self, snapshot: Snapshot, rows: Positions) -> Floats:
        """The value at each row; NaN where there is none."""
        if self._is_plain and snapshot.rows.fields[rows].all():
            with contextlib.suppress(msgspec.MsgspecError):  # something odd among them: one by one then
                return self._read_plain(snapshot, rows)
        return np.array([self._value(snapshot.line(row)) for row in rows.tolist()])

    def _read_plain(self, snapshot: Snapshot, rows: Positions) -> Floats:
        begin = snapshot.start_of(int(rows[0]))
        data = snapshot.read(begin, snapshot.start_of(int(rows[-1]) + 1) - begin)
        starts = snapshot.rows.offset[rows].astype(np.int64) + snapshot.rows.fields[rows] + (len(FIELDS) - begin)
        ends = [snapshot.start_of(row + 1) - begin - 2 for row in rows.tolist()]
        texts = [data[start:end] for start, end in zip(starts.tolist(), ends, strict=True)]
        decoded = self._decode(b"[" + b",".join(texts) + b"]")
        if len(decoded) != len(texts):
            raise msgspec.DecodeError("not one object a line")
        values = np.array([_value_in(each) for each in decoded])
        if "." in self._name:  # it may also be a key with a dot in it: ``{"metrics": {"val.loss": 0.5}}``
            for place in np.flatnonzero(np.isnan(values)).tolist():
                values[place] = self._value(snapshot.line(int(rows[place])))
        return values

    def _value(self, line: bytes) -> float:
        found = dict(numbers(_fields(line))) if self._end in line else {}
        return found.get(self._name, found.get(f"metrics.{self._name}", math.nan))


def _decoder(name: str) -> Callable[[bytes], list[Any]]:
    """Decodes lists of fields objects into objects that hold the number of this name and nothing else."""
    *parents, leaf = name.split(".")
    number: tuple[str, Any, float] = ("value", float | None, math.nan)
    made = msgspec.defstruct("Leaf", [number], rename={"value": leaf}, gc=False)
    for parent in reversed(parents):
        made = msgspec.defstruct("Parent", [("inner", made | None, None)], rename={"inner": parent}, gc=False)
    if not parents:
        rename = {"value": leaf, "inner": "metrics"}
        made = msgspec.defstruct("Either", [number, ("inner", made | None, None)], rename=rename, gc=False)
    decode: Callable[[bytes], list[Any]] = msgspec.json.Decoder(list[made]).decode  # type: ignore[valid-type]
    return decode


def _value_in(decoded: Any) -> float:
    while decoded is not None:
        value = getattr(decoded, "value", math.nan)
        inner = getattr(decoded, "inner", None)
        if value is not None and not math.isnan(value):
            return float(value)
        decoded = inner
    return math.nan


def _fields(line: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(line).get("fields", {})
    except (orjson.JSONDecodeError, AttributeError):
        return {}
    return fields if isinstance(fields, dict) else {}


class Figures:
    """The names asked for last. Not to be shared between threads without a lock."""

    def __init__(self) -> None:
        self._columns: OrderedDict[tuple[int, str], _Column] = OrderedDict()

    def column(self, snapshot: Snapshot, filters: Filters, name: str) -> tuple[Positions, Floats]:
        """The rows that have a figure of this name, and its values."""
        key = snapshot.generation, name
        if key not in self._columns:
            self._columns[key] = _Column(name)
            if len(self._columns) > _KEPT:
                self._columns.popitem(last=False)
        self._columns.move_to_end(key)
        return self._columns[key].upto(snapshot, filters)

    def names(self, snapshot: Snapshot, filters: Filters) -> list[str]:
        """The names that series can be asked for, as far as a sample of the lines shows them."""
        found: dict[str, None] = {}
        for kinds in (STEPS, GPU):
            rows = filters.positions(snapshot, kinds)
            places = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _SAMPLE)).astype(np.int64))
            for row in rows[places].tolist():
                found.update(dict.fromkeys(name for name, _ in numbers(_fields(snapshot.line(row)))))
        return [name for name in found if name not in _NOT_SERIES and not name.endswith(".index")]


def finite(value: float) -> float | None:
    """`value`, or None if JSON cannot spell it."""
    return value if math.isfinite(value) else None
