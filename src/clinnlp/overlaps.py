"""Looking up which of many stretches of a text overlap another one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any


class Overlaps:
    """Stretches of a text, from start to end, in an order in which those near a place are found at once.

    >>> Overlaps([(0, 4), (10, 12)]).of(3, 10)
    [(0, 4)]
    """

    def __init__(self, spans: Iterable[tuple[int, int]] = ()) -> None:
        self._spans = sorted(spans)
        self._longest = max((end - start for start, end in self._spans), default=0)

    def of(self, start: int, end: int) -> list[tuple[int, int]]:
        """Give the stretches that have a character in common with `start` to `end`."""
        first, last = (bisect_left(self._spans, (place,)) for place in (start - self._longest, end))
        return [span for span in self._spans[first:last] if span[1] > start]


def meet(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Say whether two rows with start and end have a character in common."""
    return bool(a["start"] < b["end"] and b["start"] < a["end"])


def find_inner(spans: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Find the stretches that lie within a longer one.

    >>> find_inner([(0, 4), (1, 4), (5, 6)])
    {(1, 4)}
    """
    reach, inner = 0, set()
    for start, end in sorted(set(spans), key=lambda span: (span[0], -span[1])):
        if end <= reach:
            inner.add((start, end))
        reach = max(reach, end)
    return inner
