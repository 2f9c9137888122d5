"""Changes under a prefix, as they come to a replica, each once."""

from __future__ import annotations

import base64
import binascii
import threading
import uuid
from collections import deque
from typing import Any, Callable, Deque, Iterator, List, Mapping, NamedTuple, Optional
from zlib import crc32

from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TTransport import TMemoryBuffer

from ._generated.barista import KeyValue, ttypes
from .connection import LIST_SIZE_MAX, Connection
from .errors import BaristaError, MissingError, UnreachableError
from .replies import malformed, missing_of, one_of, stamp_of, times_of
from .writes import Origin, Stamp

#: Changes that are asked for at once.
CHANGES = 1_024
#: How long one request waits at a replica for a change, in seconds.
SLICE = 10.0

_TRY_NEXT = frozenset(["ERR_CONN", "ERR_TIMEOUT", "ERR_CLOSED", "ERR_OVERLOADED", "ERR_STORAGE"])


class Change(NamedTuple):
    """A write that takes effect, as a watch tells of it: once."""

    key: str
    #: What is under the key now; None if nothing.
    value: Optional[bytes]
    #: The write that is told of, and who wrote.
    stamp: Stamp
    client: str
    #: The write that the value comes from, or that deleted it; ``stamp``, unless another stands after that.
    standing: Stamp
    #: True if the value rests on this write; False if it lost to one that stands after it.
    stands: bool
    #: True if it came late, and stands before a write on its key that was told of already.
    reordered: bool
    #: What the write set, if it does not stand.
    lost: Optional[bytes]
    #: The accept time from which on the value is gone, which is not told; None if it stays.
    expires: Optional[int]


class Watch(Iterator[Change]):
    """Iterates over changes, and waits for the next. An error ends nothing: ``next`` asks again, from where it stands.

    Asks for more only when all that is at hand was taken. Its connections are its own, so that a session goes on
    meanwhile; ``close``, from another thread too, ends the iteration.
    """

    def __init__(
        self,
        connections: List[Connection],
        prefix: str,
        position: ttypes.WatchFrom,
        needs: Optional[List[ttypes.VectorEntry]],
        on_read: Callable[[str, Stamp, Mapping[Origin, int]], None],
    ) -> None:
        self._connections = connections
        self._prefix = prefix
        self._on_read = on_read
        self._name = str(uuid.uuid4())
        self._closed = threading.Event()
        self._changes: Deque[ttypes.WatchChange] = deque()
        #: What the session needs, until a replica has answered that holds it.
        self._needs = needs
        #: Behind all changes that are at hand.
        self._end: ttypes.WatchCursor = position.cursor or self._ask(position, 0).cursor
        #: Behind the last one that was taken.
        self._cursor: ttypes.WatchCursor = self._end

    @property
    def cursor(self) -> str:
        """Where it stands, behind the change that was taken last, for ``watch(prefix, cursor=...)`` in this language."""
        buffer = TMemoryBuffer()
        self._cursor.write(TBinaryProtocol(buffer))
        scope = self._prefix.encode() + b"\0" + buffer.getvalue()
        return base64.urlsafe_b64encode(crc32(scope).to_bytes(4, "big") + scope).decode()

    def __iter__(self) -> Watch:
        return self

    def __next__(self) -> Change:
        while not self._changes and not self._closed.is_set():
            try:
                reply = self._ask(ttypes.WatchFrom(cursor=self._end), SLICE)
            except BaristaError:
                if self._closed.is_set():
                    break
                raise
            self._cursor = self._end if reply.changes else reply.cursor
            self._end = reply.cursor
            self._changes.extend(reply.changes)
        if self._closed.is_set():
            raise StopIteration
        change = _change(self._changes[0])
        basis = times_of(self._changes[0].basis or [])
        self._cursor = self._behind(self._changes.popleft())
        self._on_read(change.key, change.standing, basis)
        return change

    def close(self) -> None:
        """Ends the iteration, and the connections. Idempotent."""
        self._closed.set()
        for connection in self._connections:
            connection.interrupt()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _behind(self, change: ttypes.WatchChange) -> ttypes.WatchCursor:
        """Where it stands behind a change of those that were at hand."""
        end = self._end
        if not self._changes:
            return end
        if end.base is not None:
            return ttypes.WatchCursor(told=end.told, target=end.target, base=end.base, after=change.key)
        name = (change.stamp.origin.id, change.stamp.origin.incarnation)
        others = [entry for entry in self._cursor.told if (entry.origin.id, entry.origin.incarnation) != name]
        told = ttypes.VectorEntry(origin=change.stamp.origin, acceptTime=change.stamp.acceptTime)
        return ttypes.WatchCursor(told=[*others, told], target=end.target)

    def _ask(self, position: ttypes.WatchFrom, wait: float) -> ttypes.WatchChanges:
        """The first answer of a replica that holds what was told."""
        request = ttypes.WatchRequest(
            prefix=self._prefix or None,
            position=position,
            needs=self._needs,
            changesMax=CHANGES,
            budgetMs=round(wait * 1000),
            name=self._name,
        )
        lacking: Optional[MissingError] = None
        last: Optional[BaristaError] = None
        for connection in self._connections:
            try:
                reply = one_of(connection.call(KeyValue, "watch", request), "changes", "missing")
            except BaristaError as error:
                if error.code not in _TRY_NEXT:
                    raise
                last = error
                continue
            if isinstance(reply, ttypes.WatchChanges):
                if reply.cursor is None or reply.changes is None:
                    raise malformed("a cursor is missing")
                self._needs = None
                return reply
            lacking = missing_of(connection, reply)
        if lacking is not None:
            raise lacking
        assert last is not None, "there is an endpoint, and it gave no answer"
        raise UnreachableError(f"no replica could be reached: {last.message}") from last


def position_of(prefix: str, cursor: Optional[str], start: bool) -> ttypes.WatchFrom:
    """Where a watch begins. ERR_TOKEN for a cursor that is damaged, or of another prefix."""
    if cursor is None:
        nothing = ttypes.WatchCursor(told=[], target=[])
        return ttypes.WatchFrom(cursor=nothing) if start else ttypes.WatchFrom(now=ttypes.FromNow())
    if start:
        raise ValueError("a watch begins at the start or at a cursor, not both")
    scope = prefix.encode() + b"\0"
    try:
        given = base64.b64decode(cursor, altchars=b"-_", validate=True)
        if given[:4] != crc32(given[4:]).to_bytes(4, "big") or not given[4:].startswith(scope):
            raise ValueError("its checksum or its prefix does not match")
        told = ttypes.WatchCursor()
        told.read(TBinaryProtocol(TMemoryBuffer(given[4 + len(scope) :]), container_length_limit=LIST_SIZE_MAX))
    except (binascii.Error, ValueError, EOFError, TypeError) as error:
        raise BaristaError("ERR_TOKEN", f"the watch cursor is not one of this prefix: {error}") from error
    return ttypes.WatchFrom(cursor=told)


def _change(change: ttypes.WatchChange) -> Change:
    stamp, standing = stamp_of(change.stamp), stamp_of(change.standing)
    if not isinstance(change.key, str) or not isinstance(change.client, str):
        raise malformed("a key or client is missing")
    if not isinstance(change.stands, bool) or not isinstance(change.reordered, bool):
        raise malformed("it does not say what came of a change")
    return Change(
        change.key,
        change.value,
        stamp,
        change.client,
        standing,
        change.stands,
        change.reordered,
        change.lost,
        change.expires,
    )
