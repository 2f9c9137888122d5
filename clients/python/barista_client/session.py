"""A session over one or several replicas."""

from __future__ import annotations

import threading
import uuid
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Type, TypeVar, Union
from types import TracebackType

from ._generated.barista import KeyValue
from ._generated.barista import ttypes
from .checks import check_batch, check_id, check_key
from .connection import Connection, Endpoint
from .errors import BaristaError, MissingError, UnreachableError
from .guarantees import DEFAULT_GUARANTEES, SessionState
from .history import (
    CONFLICTS,
    HISTORY_WRITES,
    Conflict,
    PastWrite,
    conflict_of,
    newest,
    read_conflicts,
    read_history,
    restoring,
)
from .replies import malformed, missing_of, one_of, stamp_of, times_of, vector_of
from .watch import SLICE, Watch, position_of
from .writes import Operation, Origin, Stamp, Write

_Answer = TypeVar("_Answer")

# After these the next replica may still serve the request; a write then goes there under the same client time.
_TRY_NEXT = frozenset(
    ["ERR_CONN", "ERR_TIMEOUT", "ERR_CLOSED", "ERR_OVERLOADED", "ERR_STORAGE", "ERR_PROCEDURE", "ERR_BEHIND"]
)
# A replica that answers so is there, and says more than that none could be reached.
_REFUSALS = frozenset(["ERR_OVERLOADED", "ERR_STORAGE", "ERR_PROCEDURE", "ERR_BEHIND"])


def connect(
    *endpoints: Union[str, Endpoint],
    guarantees: Iterable[str] = DEFAULT_GUARANTEES,
    timeout: float = 5.0,
    client: Optional[str] = None,
) -> Session:
    """A session over the replicas at these endpoints (``"host:port"``), which are asked in this order.

    ``guarantees`` is any of ``GUARANTEES``. ``timeout`` is what a call to one replica may take, in seconds. ``client``
    names who writes; unless given, a random id that never comes back. Give one only if no session wrote under it
    before: a client that has lost its counter must take a new id.

    Nothing is sent yet; a replica is connected with at the first call that needs it.
    """
    return Session(endpoints, guarantees=guarantees, timeout=timeout, client=client)


class Session:
    """What one client reads and writes, with the guarantees it asked for, over the replicas it may reach.

    Replicas are asked in order, and the first answer that meets the session is taken; ``MissingError`` (ERR_DEP) only
    if some answered and none could serve, ``UnreachableError`` (ERR_CONN) if none answered. Methods raise
    ``BaristaError`` with a code of docs/ERRORS.md. It may be shared among threads: calls go one after the other.
    """

    def __init__(
        self,
        endpoints: Iterable[Union[str, Endpoint]],
        *,
        guarantees: Iterable[str] = DEFAULT_GUARANTEES,
        timeout: float = 5.0,
        client: Optional[str] = None,
    ) -> None:
        self._timeout = timeout
        self._connections: List[Connection] = self._connections_to(endpoints)
        self._state = SessionState(check_id(client) if client is not None else str(uuid.uuid4()), guarantees)
        self._lock = threading.Lock()
        self._closed = False

    @property
    def client(self) -> str:
        """Names who writes."""
        return self._state.client

    def roam(self, *endpoints: Union[str, Endpoint]) -> None:
        """Asks these replicas from now on, in this order, and holds them to what the session has seen so far."""
        connections = self._connections_to(endpoints)
        with self._lock:
            for connection in self._connections:
                connection.close()
            self._connections = connections

    def get(self, key: str) -> Optional[bytes]:
        """The value, or None if there is none (ERR_KEY)."""
        check_key(key)
        with self._lock:
            needs = vector_of(self._state.needs_of(key))
            request = ttypes.GetRequest(key=key, needs=needs)
            found = self._first(lambda connection: _read(connection, request))
            if found is None:
                return None
            value, stamp, basis = found
            self._state.found(key, stamp, basis)
            return value

    def put(self, key: str, value: Union[bytes, bytearray, memoryview], *, ttl_ms: Optional[int] = None) -> Stamp:
        """Sets the key. The replica whose stamp it has keeps the write: on its disk, flushed, if it has one.

        With ``ttl_ms`` for so many milliseconds, up to ten years: what is left of that ends everywhere by the stamp.
        """
        return self._write(key, Operation.put(value, ttl_ms=ttl_ms))

    def delete(self, key: str) -> Stamp:
        """Makes the key absent. Deleting what is absent is a write like any other."""
        return self._write(key, Operation.delete())

    # What follows reads the value that stands where the write has its place in the order of all writes. Each counts once; where
    # it cannot it takes no effect, and is accepted all the same.

    def increment(self, key: str, by: int = 1) -> Stamp:
        """Adds to a number, in decimal digits; what is absent counts as 0."""
        return self._write(key, Operation.increment(by))

    def append(self, key: str, value: Union[bytes, bytearray, memoryview]) -> Stamp:
        """Puts bytes after those of the value."""
        return self._write(key, Operation.append(value))

    def add_to_set(self, key: str, member: str) -> Stamp:
        """Adds to a set, which is a JSON array of strings: ascending, each once."""
        return self._write(key, Operation.add_to_set(member))

    def remove_from_set(self, key: str, member: str) -> Stamp:
        """Removes from a set."""
        return self._write(key, Operation.remove_from_set(member))

    def put_if_absent(
        self, key: str, value: Union[bytes, bytearray, memoryview], *, ttl_ms: Optional[int] = None
    ) -> Stamp:
        """Sets the key if it is absent, or has expired. Which of several takes effect only their order decides."""
        return self._write(key, Operation.put_if_absent(value, ttl_ms=ttl_ms))

    def batch(self, operations: Mapping[str, Operation]) -> Stamp:
        """Several keys as one atomic write, each with its operation: who reads them in one state sees all of it or nothing.

        Of 1 to 128 keys, and 1 MiB together; raises ERR_BATCH.
        """
        check_batch({check_key(key): operation.operand for key, operation in operations.items()})
        with self._lock:
            return self._send(self._state.next_batch(operations))

    def get_many(self, keys: Iterable[str]) -> Dict[str, bytes]:
        """The values of several keys as they are in one state, by key; what is absent is not in it. At most 1,024 keys.

        Raises ERR_BEHIND if no replica can, since each that answers takes over what it missed.
        """
        asked = [check_key(key) for key in keys]
        with self._lock:
            needs = vector_of(self._state.needs_of_all(asked))
            request = ttypes.GetManyRequest(keys=asked, needs=needs)
            found = self._first(lambda connection: _read_many(connection, request))
            for key, (_, stamp, basis) in found.items():
                self._state.found(key, stamp, basis)
            return {key: value for key, (value, _, _) in found.items()}

    def merge(
        self,
        key: str,
        value: Union[bytes, bytearray, memoryview],
        procedure: str,
        *,
        expects: Union[bytes, bytearray, memoryview, None] = None,
        expects_absent: bool = False,
    ) -> Stamp:
        """Sets the key if under it is what is expected, where the write stands; else to what a merge procedure makes of both.

        ``procedure`` is one that the replica has, as ``"keep-both@1"``. With nothing expected it decides always. Raises
        ERR_PROCEDURE if no replica that was reached has it.
        """
        operation = Operation.merge(value, procedure, expects=expects, expects_absent=expects_absent)
        return self._write(key, operation)

    def send(self, write: Write) -> Stamp:
        """Sends a write of this session again, under its own client time: it takes effect once.

        For a write whose call failed, which is at hand as ``error.write``. Within the cluster's retry window, ten
        minutes by default; later it may take effect a second time.
        """
        if write.client != self.client:
            raise ValueError(f"the write is client {write.client}'s, and the session client {self.client}'s")
        with self._lock:
            return self._send(write)

    def history(self, key: str) -> Iterator[PastWrite]:
        """The writes on the key that the replica still holds, in their order, and what became of each; what was folded comes
        first, as one. Asked for as the iteration goes, and then read by the session.
        """
        check_key(key)
        after: Optional[ttypes.AcceptStamp] = None
        while True:
            with self._lock:
                needs = vector_of(self._state.needs_of(key))
                request = ttypes.HistoryRequest(key=key, after=after, writesMax=HISTORY_WRITES, needs=needs)
                page, after = self._first(lambda connection: read_history(connection, request))
                if page:
                    self._state.found(key, page[-1].stamp, newest(page))
            yield from page
            if after is None:
                return

    def restore(self, key: str, stamp: Stamp) -> Stamp:
        """Writes anew what an earlier write on the key would have done, and was lost, as ``history`` and ``conflicts`` tell it.

        What sets a value is put, whatever it was conditional on; what changes one is made again, unless it still counts
        (ERR_OPTION). ERR_GONE if the log has it no more; ``MissingError`` if no replica that answers holds it yet.
        """
        check_key(key)
        origin = ttypes.Origin(id=stamp.origin.id, incarnation=stamp.origin.incarnation)
        only = ttypes.AcceptStamp(acceptTime=stamp.accept_time, origin=origin)
        with self._lock:
            needs = dict(self._state.needs_of(key))
            needs[stamp.origin] = max(needs.get(stamp.origin, 0), stamp.accept_time)
            request = ttypes.HistoryRequest(key=key, only=only, writesMax=1, needs=vector_of(needs))
            past, _ = self._first(lambda connection: read_history(connection, request))
            operation = restoring(key, stamp, past)
            # It is to stand after what it lost to, wherever it is accepted.
            by = past[0].fate.by
            for shown in [stamp] if by is None else [stamp, by]:
                self._state.found(key, shown, {shown.origin: shown.accept_time})
            return self._send(self._state.next_write(key, operation))

    def conflicts(self, prefix: str = "") -> Iterator[Conflict]:
        """The writes that lost to others, to keys that begin so, as the log has them. Asked for as the iteration goes, and then
        read by the session.
        """
        if prefix:
            check_key(prefix)
        position = ttypes.ConflictsFrom(start=ttypes.FromStart())
        more = True
        while more:
            with self._lock:
                needs = vector_of(self._state.needs_under(prefix))
                request = ttypes.ConflictsRequest(prefix=prefix or None, position=position, needs=needs, conflictsMax=CONFLICTS)
                reply = self._first(lambda connection: read_conflicts(connection, request))
                told = [conflict_of(conflict) for conflict in reply.conflicts]
                for conflict in told:
                    shown = [conflict.stamp] if conflict.winner is None else [conflict.stamp, conflict.winner]
                    for stamp in shown:
                        self._state.found(conflict.key, stamp, {stamp.origin: stamp.accept_time})
            yield from told
            position, more = ttypes.ConflictsFrom(cursor=reply.cursor), reply.more

    def watch(self, prefix: str = "", *, cursor: Optional[str] = None, start: bool = False) -> Watch:
        """Changes to keys that begin with ``prefix``, as they come, each once: from now on, or with ``start`` all that
        is there first, or on from the ``cursor`` of a watch of that prefix, here or at another replica.

        It has begun when this returns: what is written from then on is told. Raises ERR_FOLDED, here or later, if it
        goes on so late that what was deleted meanwhile can no longer be told. What it tells was read by the session.
        """
        if prefix:
            check_key(prefix)
        position = position_of(prefix, cursor, start)
        with self._lock:
            if self._closed:
                raise BaristaError("ERR_CLOSED", "the session was closed")
            connections = [Connection(other.endpoint, self._timeout + SLICE) for other in self._connections]
            needs = vector_of(self._state.needs_under(prefix))
        return Watch(connections, prefix, position, needs, self._saw)

    def _saw(self, key: str, stamp: Stamp, basis: Mapping[Origin, int]) -> None:
        with self._lock:
            self._state.found(key, stamp, basis)

    def close(self) -> None:
        """Ends the connections. Idempotent; what is called afterwards raises ERR_CLOSED."""
        with self._lock:
            self._closed = True
            for connection in self._connections:
                connection.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def _connections_to(self, endpoints: Iterable[Union[str, Endpoint]]) -> List[Connection]:
        parsed = [Endpoint.parse(endpoint) if isinstance(endpoint, str) else endpoint for endpoint in endpoints]
        if not parsed:
            raise ValueError("a session needs at least one endpoint")
        return [Connection(endpoint, self._timeout) for endpoint in parsed]

    def _write(self, key: str, operation: Operation) -> Stamp:
        with self._lock:
            return self._send(self._state.next_write(check_key(key), operation))

    def _send(self, write: Write) -> Stamp:
        common = {
            "client": write.client,
            "clientTime": write.client_time,
            "after": write.after,
            "needs": vector_of(write.needs),
        }
        method, request = _request(write, common)
        try:
            stamp = self._first(lambda connection: _accepted(connection, method, request))
        except BaristaError as error:
            error.write = write
            raise
        for key, operation in write.operations.items():
            self._state.wrote(key, stamp, operation.is_blind)
        return stamp

    def _first(self, ask: Callable[[Connection], _Answer]) -> _Answer:
        """The first answer that meets the session."""
        if self._closed:
            raise BaristaError("ERR_CLOSED", "the session was closed")
        lacking: Optional[MissingError] = None
        refusal: Optional[BaristaError] = None
        last: Optional[BaristaError] = None
        for connection in self._connections:
            try:
                return ask(connection)
            except MissingError as error:
                lacking = error
            except BaristaError as error:
                if error.code not in _TRY_NEXT:
                    raise
                if error.code in _REFUSALS:
                    refusal = error
                else:
                    last = error
        if lacking is not None:
            raise lacking
        if refusal is not None:
            raise refusal
        assert last is not None, "there is an endpoint, and it gave no answer"
        raise UnreachableError(f"no replica could be reached: {last.message}") from last


# Of each kind: its struct, and the field of that.
_OPERATIONS: Mapping[str, tuple[Any, Optional[str]]] = {
    "put": (ttypes.PutOperation, "value"),
    "remove": (ttypes.DeleteOperation, None),
    "increment": (ttypes.IncrementOperation, "by"),
    "append": (ttypes.AppendOperation, "bytes"),
    "setAdd": (ttypes.SetAddOperation, "member"),
    "setRemove": (ttypes.SetRemoveOperation, "member"),
    "putIfAbsent": (ttypes.PutIfAbsentOperation, "value"),
}


# Of each kind that carries more: its struct, whose fields are the operand.
_OF_FIELDS: Mapping[str, Any] = {
    "merge": ttypes.MergeOperation,
    "putFor": ttypes.PutForOperation,
    "putIfAbsentFor": ttypes.PutIfAbsentForOperation,
}


def _request(write: Write, common: Mapping[str, Any]) -> tuple[str, Any]:
    """The method that makes the write, and what it takes."""
    if write.is_batch:
        parts = [ttypes.BatchPart(key=key, operation=_union(operation)) for key, operation in write.operations.items()]
        return "batch", ttypes.BatchRequest(parts=parts, **common)
    ((key, operation),) = write.operations.items()
    if operation.kind == "put":
        return "put", ttypes.PutRequest(key=key, value=operation.operand, **common)
    if operation.kind == "remove":
        return "remove", ttypes.DeleteRequest(key=key, **common)
    return "write", ttypes.WriteRequest(key=key, operation=_union(operation), **common)


def _union(operation: Operation) -> Any:
    kind, operand = operation
    if kind in _OF_FIELDS:
        return ttypes.Operation(**{kind: _OF_FIELDS[kind](**operand)})
    struct, field = _OPERATIONS[kind]
    return ttypes.Operation(**{kind: struct() if field is None else struct(**{field: operand})})


def _read_many(
    connection: Connection, request: ttypes.GetManyRequest
) -> Dict[str, tuple[bytes, Stamp, Dict[Origin, int]]]:
    reply = one_of(connection.call(KeyValue, "getMany", request), "values", "missing")
    if isinstance(reply, ttypes.MissingReply):
        raise missing_of(connection, reply)
    lookups = reply.lookups
    if not isinstance(lookups, list) or len(lookups) != len(request.keys):
        raise malformed("there is not one answer for each key")
    found = {}
    for key, lookup in zip(request.keys, lookups):
        one = one_of(lookup, "found", "absent")
        if not isinstance(one, ttypes.AbsentReply):
            found[key] = _found(one)
    return found


def _read(
    connection: Connection, request: ttypes.GetRequest
) -> Optional[tuple[bytes, Stamp, Dict[Origin, int]]]:
    reply = one_of(connection.call(KeyValue, "get", request), "found", "absent", "missing")
    if isinstance(reply, ttypes.MissingReply):
        raise missing_of(connection, reply)
    if isinstance(reply, ttypes.AbsentReply):
        return None
    return _found(reply)


def _found(reply: ttypes.FoundReply) -> tuple[bytes, Stamp, Dict[Origin, int]]:
    if not isinstance(reply.value, bytes):
        raise malformed("a value is missing")
    return reply.value, stamp_of(reply.stamp), times_of(reply.basis or [])


def _accepted(connection: Connection, method: str, request: Any) -> Stamp:
    reply = one_of(connection.call(KeyValue, method, request), "accepted", "missing")
    if isinstance(reply, ttypes.MissingReply):
        raise missing_of(connection, reply)
    return stamp_of(reply)
