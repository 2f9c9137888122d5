"""The words of the protocol that a program sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, NamedTuple, Optional


class Origin(NamedTuple):
    """A replica in one life of its storage."""

    id: str
    #: From 1; never repeats for that id.
    incarnation: int

    def __str__(self) -> str:
        return f"{self.id}#{self.incarnation}"


class Stamp(NamedTuple):
    """Orders a write the same everywhere: by accept time, then by origin as the cluster breaks ties."""

    #: The origin's clock reading given to the write; strictly increasing per origin.
    accept_time: int
    origin: Origin

    def __str__(self) -> str:
        return f"{self.accept_time}@{self.origin}"


@dataclass(frozen=True)
class Write:
    """A write as a session sends it, again and again if need be: (client, client time) names it once and for all."""

    client: str
    client_time: int
    key: str
    #: None deletes the key.
    value: Optional[bytes]
    #: The highest accept time the session had read or written; the write is stamped after it.
    after: int
    #: What a replica must hold before it may take the write.
    needs: Mapping[Origin, int]
