"""The words of the protocol that a program sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, NamedTuple, Optional, Union

from .checks import Operand, check_member, check_number, check_ttl, check_value


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
    #: The value or bytes, the number, the member, the fields of a merge or of what has a time to live; None for "remove".
    operand: Operand

    @classmethod
    def put(cls, value: Union[bytes, bytearray, memoryview], *, ttl_ms: Optional[int] = None) -> Operation:
        """As of ``Session.put``."""
        return cls("put", check_value(value)) if ttl_ms is None else cls("putFor", _lasting(value, ttl_ms))

    @classmethod
    def delete(cls) -> Operation:
        return cls("remove", None)

    @classmethod
    def increment(cls, by: int = 1) -> Operation:
        return cls("increment", check_number(by))

    @classmethod
    def append(cls, value: Union[bytes, bytearray, memoryview]) -> Operation:
        return cls("append", check_value(value))

    @classmethod
    def add_to_set(cls, member: str) -> Operation:
        return cls("setAdd", check_member(member))

    @classmethod
    def remove_from_set(cls, member: str) -> Operation:
        return cls("setRemove", check_member(member))

    @classmethod
    def put_if_absent(cls, value: Union[bytes, bytearray, memoryview], *, ttl_ms: Optional[int] = None) -> Operation:
        if ttl_ms is None:
            return cls("putIfAbsent", check_value(value))
        return cls("putIfAbsentFor", _lasting(value, ttl_ms))

    @classmethod
    def merge(
        cls,
        value: Union[bytes, bytearray, memoryview],
        procedure: str,
        *,
        expects: Union[bytes, bytearray, memoryview, None] = None,
        expects_absent: bool = False,
    ) -> Operation:
        """As of ``Session.merge``."""
        if expects is not None and expects_absent:
            raise ValueError("a merge expects a value or an absent key, not both")
        if not isinstance(procedure, str):
            raise TypeError(f"a merge procedure is named by a str, not a {type(procedure).__name__}")
        operand = {
            "procedure": procedure,
            "value": check_value(value),
            "expected": None if expects is None else check_value(expects),
            "expectsAbsent": True if expects_absent else None,
        }
        return cls("merge", operand)

    @property
    def is_blind(self) -> bool:
        """True if it does not read what it overwrites."""
        return self.kind in ("put", "putFor", "remove")


def _lasting(value: Union[bytes, bytearray, memoryview], ttl_ms: int) -> Mapping[str, Any]:
    return {"value": check_value(value), "ttlMs": check_ttl(ttl_ms)}


@dataclass(frozen=True)
class Write:
    """A write as a session sends it, again and again if need be: (client, client time) names it once and for all."""

    client: str
    client_time: int
    #: By key: one for a write of one key, any number of a batch.
    operations: Mapping[str, Operation]
    is_batch: bool
    #: The highest accept time the session had read or written; the write is stamped after it.
    after: int
    #: What a replica must hold before it may take the write.
    needs: Mapping[Origin, int]
