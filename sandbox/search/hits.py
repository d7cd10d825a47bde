"""What was found: entities by their guids, so that a million of them take 36 MB, or entries of a log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar, overload

from sandbox.catalog import Catalog, Entity
from sandbox.messages import JsonObject
from sandbox.search.fields import Document

WIDTH = 36  # of a guid

Found = TypeVar("Found", bound="Documents")


class Documents(Protocol):
    """Documents in an order, each of which is read when it is asked for."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Document]: ...

    def at(self: Found, places: Iterable[int]) -> Found:
        """Those at these places, in this order."""


class Entries(list[JsonObject]):
    """Entries of a log."""

    def at(self, places: Iterable[int]) -> Entries:
        """Those at these places, in this order."""
        return Entries(self[place] for place in places)


class Hits(Sequence[Entity]):
    """Entities by their guids, each read from the catalog when it is asked for.

    `views` has those that the index has otherwise than the catalog. What is found is right as long as nothing changes.
    """

    def __init__(self, catalog: Catalog, guids: Iterable[str], views: Mapping[str, Entity] | None = None) -> None:
        self.guids = guids if isinstance(guids, Guids) else Guids("".join(guids))
        self._catalog = catalog
        self._views = views or {}

    def __len__(self) -> int:
        return len(self.guids)

    @overload
    def __getitem__(self, place: int) -> Entity: ...
    @overload
    def __getitem__(self, place: slice) -> Hits: ...
    def __getitem__(self, place: int | slice) -> Entity | Hits:
        if isinstance(place, slice):
            return Hits(self._catalog, self.guids[place], self._views)
        return self._entity(self.guids[place])

    def __iter__(self) -> Iterator[Entity]:
        return map(self._entity, self.guids)

    def at(self, places: Iterable[int]) -> Hits:
        """Those at these places, in this order."""
        return Hits(self._catalog, (self.guids[place] for place in places), self._views)

    def _entity(self, guid: str) -> Entity:
        return self._views.get(guid) or self._catalog.entities[guid]


class Guids(Sequence[str]):
    """Guids one behind the other in one text, or those at some places of it."""

    def __init__(self, text: str, places: range | None = None) -> None:
        self._text = text
        self._places = range(len(text) // WIDTH) if places is None else places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Guids: ...
    def __getitem__(self, place: int | slice) -> str | Guids:
        if isinstance(place, slice):
            return Guids(self._text, self._places[place])
        start = self._places[place] * WIDTH
        return self._text[start : start + WIDTH]

    def __iter__(self) -> Iterator[str]:
        return (self._text[place * WIDTH : (place + 1) * WIDTH] for place in self._places)
