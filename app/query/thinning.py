"""Thinning: few points of a line that keep its shape (LTTB). Pure; knows no Query."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# What `Any` is here: a number of any kind, or None.
Cells = Sequence[Any]


def thin(times: Sequence[float], values: Sequence[Cells], points: int) -> list[int]:
    """Choose points that keep the shape of several values over the same times; at least three.

    Gives their places: the first, the last, and between them one of each bucket, that which
    spans the largest triangle with the point chosen before and the middle of the next bucket
    (largest triangle, three buckets). Triangles of several values are added up, each value
    scaled by its range; where one is null it adds nothing, and its line goes on level.
    """
    count = len(times)
    if count <= points:
        return list(range(count))
    lines = [_line(times, each) for each in values]
    edges = [1 + place * (count - 2) // (points - 2) for place in range(points - 1)]
    chosen = [0]
    for start, end, beyond in zip(edges, edges[1:], [*edges[2:], count], strict=False):
        bucket, following = slice(start, end), slice(end, beyond)
        areas = [line.areas(chosen[-1], bucket, following) for line in lines]
        totals = areas[0] if len(areas) == 1 else [sum(each) for each in zip(*areas, strict=True)]
        chosen.append(start + totals.index(max(totals)))
    return [*chosen, count - 1]


@dataclass(frozen=True, slots=True)
class _Line:
    """One value over the times, between 0 and 1; ``known`` has null where it is not known."""

    times: Sequence[float]
    heights: Sequence[float]
    known: Cells

    def areas(self, before: int, bucket: slice, following: slice) -> list[float]:
        """Give for each point of a bucket twice its triangle with these two; 0 for null."""
        left, level = self.times[before], self.heights[before]
        width = left - _mean(self.times[following])
        rise = _mean(self.heights[following]) - level
        points = zip(self.times[bucket], self.heights[bucket], self.known[bucket], strict=True)
        return [
            0.0 if value is None else abs(width * (height - level) + (moment - left) * rise)
            for moment, height, value in points
        ]


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def _line(times: Sequence[float], values: Cells) -> _Line:
    numbers = [None if value is None else float(value) for value in values]
    known = [each for each in numbers if each is not None] or [0.0]
    # Halves, as the range of two numbers may be beyond all numbers.
    low = min(known) / 2
    span = max(known) / 2 - low or 1.0
    heights, last = [], (known[0] / 2 - low) / span
    for number in numbers:
        last = last if number is None else (number / 2 - low) / span
        heights.append(last)
    return _Line(times, heights, values)
