"""The prefilter: one pass over a text that tells which rules could find something in it.

An Aho-Corasick automaton over the lower-cased literals of all rules. It may say yes too often, never no too often.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ahocorasick_rs import BytesAhoCorasick, Implementation

_MOST_FOR_DFA = 5_000
"""Literals beyond which the fastest automaton would take tens of megabytes and the compact one is built."""


class Prefilter:
    """Maps the literals that occur in a text to the rules that need to look at it.

    Args:
        literals: The literals of each rule, their ASCII letters lower case.
        besides: Literals of no rule, with which a text is not clean all the same.

    Attributes:
        misses_bytes: Whether no literal stands in some bytes, in any letter case. One call deep: every line asks.
        misses_text: The same of a text.
    """

    def __init__(self, literals: Sequence[tuple[str, ...]], besides: Sequence[str] = ()) -> None:
        owners: dict[str, set[int]] = {text: set() for text in besides}
        for index, texts in enumerate(literals):
            for text in texts:
                owners.setdefault(text, set()).add(index)
        self._owners = [tuple(rules) for rules in owners.values()]
        patterns = [text.encode("utf-8", "surrogatepass") for text in owners]
        compact = len(patterns) > _MOST_FOR_DFA
        kind = Implementation.ContiguousNFA if compact else Implementation.DFA
        self._find = BytesAhoCorasick(patterns, implementation=kind).find_matches_as_indexes
        self.misses_bytes = _search_bytes(self._find)
        self.misses_text = _search_text(self._find)

    def rules_for(self, text: str) -> list[int]:
        """The indices of the rules that have a literal in `text`, ascending."""
        matches = self._find(text.encode("utf-8", "surrogatepass").lower(), overlapping=True)
        literals = {match[0] for match in matches}
        return sorted({rule for literal in literals for rule in self._owners[literal]})


def _search_text(find: Callable[[bytes], list[object]]) -> Callable[[str], bool]:
    def misses(text: str) -> bool:
        try:
            return not find(text.encode().lower())
        except UnicodeEncodeError:  # lone surrogates, rare enough to be told by failing
            return not find(text.encode("utf-8", "surrogatepass").lower())

    return misses


def _search_bytes(find: Callable[[bytes], list[object]]) -> Callable[[bytes], bool]:
    def misses(data: bytes) -> bool:
        return not find(data.lower())

    return misses
