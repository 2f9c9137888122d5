"""The words of the protocol that a program sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, NamedTuple, Union


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


class Operation(NamedTuple):
    """What a write does to its key; docs/GUARANTEES.md, "Operations", says it of each kind."""

    #: The name of its field of ``Operation`` in barista.thrift: "put", "remove", "increment" and so on.
    kind: str
    #: The value or bytes, the number, the member; None for "remove".
    operand: Union[bytes, int, str, None]

    @property
    def is_blind(self) -> bool:
        """True if it does not read what it overwrites."""
        return self.kind in ("put", "remove")


@dataclass(frozen=True)
class Write:
    """A write as a session sends it, again and again if need be: (client, client time) names it once and for all."""

    client: str
    client_time: int
    key: str
    operation: Operation
    #: The highest accept time the session had read or written; the write is stamped after it.
    after: int
    #: What a replica must hold before it may take the write.
    needs: Mapping[Origin, int]
