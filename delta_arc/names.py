"""Qualified names by their ends, as people write them."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from delta_arc.keys import fold
from delta_arc.matching import AssetRow, parent_of
from delta_arc.patterns import NamePattern


class Names:
    """The qualified names of assets. Where an end is that of several, those of `rows` go before those of `others`."""

    def __init__(self, rows: Iterable[AssetRow], others: Iterable[AssetRow] = ()) -> None:
        self._preferred = {row[0]: row[1] for row in rows}
        self._own = {**{row[0]: row[1] for row in others}, **self._preferred}

    @cached_property
    def _by_end(self) -> dict[str, list[str]]:
        """By their last two segments, which nearly tell them apart."""
        return self._group("/".join(name.rsplit("/", 2)[-2:]) for name in self._sorted)

    @cached_property
    def _by_last(self) -> dict[str, list[str]]:
        return self._group(name.rpartition("/")[2] for name in self._sorted)

    @cached_property
    def _by_folded_end(self) -> dict[str, list[str]]:
        return self._group(fold("/".join(name.rsplit("/", 2)[-2:])) for name in self._sorted)

    @cached_property
    def _by_folded_last(self) -> dict[str, list[str]]:
        return self._group(fold(name.rpartition("/")[2]) for name in self._sorted)

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self._own)

    def _group(self, ends: Iterable[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for end, name in zip(ends, self._sorted, strict=True):
            found[end].append(name)
        return found

    def find(self, end: str) -> list[str]:
        """The names that are this, or else those that end with it."""
        if end in self._own:
            return [end]
        near = self._by_end if "/" in end else self._by_last
        return self._first(
            [name for name in near.get("/".join(end.rsplit("/", 2)[-2:]), ()) if name.endswith(f"/{end}")]
        )

    def find_in_any_case(self, end: str) -> list[str]:
        """The names that end with it, or else those that do so but for the case of its letters."""
        if found := self.find(end):
            return found
        folded = fold(end)
        near = self._by_folded_end if "/" in end else self._by_folded_last
        alike = near.get("/".join(folded.rsplit("/", 2)[-2:]), ())
        return self._first([name for name in alike if fold(name).endswith(f"/{folded}")])

    def _first(self, names: list[str]) -> list[str]:
        return [name for name in names if name in self._preferred] or names

    def near(self, pattern: NamePattern) -> Sequence[str]:
        """The names that begin as the last part of a pattern does, or the one before it: whichever are fewer."""
        parts = pattern.folded[::-1]
        found = self._beginning(self._by_part[0], parts[0].beginning)
        if len(parts) > 1 and parts[1].beginning:
            found = min(found, self._beginning(self._by_part[1], parts[1].beginning), key=len)
        return [name for _, name in found]

    @cached_property
    def _by_part(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """The names in the order of their (folded) last part, and in that of the one before it."""
        paths = [(self._path(name), name) for name in self._own]
        return sorted((path[-1], name) for path, name in paths), sorted((path[-2], name) for path, name in paths)

    @staticmethod
    def _beginning(named: Sequence[tuple[str, str]], start: str) -> Sequence[tuple[str, str]]:
        if not start:
            return named
        return named[bisect_left(named, (start,)) : bisect_left(named, (f"{start}\U0010ffff",))]

    def fitting(self, pattern: NamePattern, names: Iterable[str]) -> Iterator[tuple[str, list[str], dict[str, str]]]:
        """Those of the names that a pattern fits, with what its `*` and its captures stand for."""
        for name in names:
            if found := pattern.fit(self._path(name)):
                yield name, *found

    def _path(self, name: str) -> list[str]:
        """Its (folded) parts. An asset's own name may hold slashes."""
        own = self._own[name]
        return ["", *fold(parent_of(name, own)).split("/"), fold(own)]

    def shortest(self, name: str) -> str:
        """The shortest end, of two segments or more, that only this name has."""
        segments = name.split("/")
        ends = ("/".join(segments[-count:]) for count in range(2, len(segments)))
        return next((end for end in ends if self.find(end) == [name]), name)
