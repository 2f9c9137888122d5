"""What became of writes."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

from ._generated.barista import KeyValue, ttypes
from .connection import Connection
from .errors import BaristaError
from .replies import malformed, missing_of, one_of, stamp_of
from .writes import Operation, Origin, Stamp

#: Writes that are asked for at once.
HISTORY_WRITES = 1_024

#: Conflicts that are asked for at once.
CONFLICTS = 1_024

_STAGES = {ttypes.Stage.RECEIVED: "received", ttypes.Stage.ACCEPTED: "accepted", ttypes.Stage.STABLE: "stable"}
_RULES = {
    ttypes.NoEffectRule.REPEAT: "repeat",
    ttypes.NoEffectRule.OUTDATED: "outdated",
    ttypes.NoEffectRule.ANEW: "anew",
    ttypes.NoEffectRule.MET: "met",
    ttypes.NoEffectRule.INAPPLICABLE: "inapplicable",
}
_LOSSES = {ttypes.LossRule.OVERWRITTEN: "overwritten", ttypes.LossRule.INAPPLICABLE: "inapplicable"}
_CONCURRENT = {ttypes.Concurrent.YES: True, ttypes.Concurrent.NO: False, ttypes.Concurrent.UNKNOWN: None}
#: Of each kind of operation: the field that has what it carries; None if it carries nothing.
_CARRIED = {
    "put": "value",
    "remove": None,
    "increment": "by",
    "append": "bytes",
    "setAdd": "member",
    "setRemove": "member",
    "putIfAbsent": "value",
    "total": "value",
    "merge": "value",
    "putFor": "value",
    "putIfAbsentFor": "value",
    "totalUntil": "value",
}

Operand = Union[bytes, str, int, None]


class Fate(NamedTuple):
    """What became of a write, among all that the replica holds of its key."""

    #: "stands"; "expired"; "overwritten"; why it changed nothing: "repeat", "outdated", "anew", "met", "inapplicable"; or "unknown", if the
    #: replica has not the merge procedure that it takes.
    what: str
    #: By which write, and whose; None if it stands, or nothing was there before.
    by: Optional[Stamp]
    client: Optional[str]


class PastWrite(NamedTuple):
    """A write on a key that the replica still holds."""

    stamp: Stamp
    client: str
    #: "put", "remove", "increment", "append", "setAdd", "setRemove", "putIfAbsent", "merge"; "total": sets what several came to;
    #: "putFor", "putIfAbsentFor", "totalUntil": the same with a time to live.
    kind: str
    operand: Operand
    fate: Fate
    #: "received", "accepted", "stable"; "base" for what the folded writes come to.
    stage: str
    #: The accept time from which on what it sets is gone; None if that stays.
    expires: Optional[int] = None


class Conflict(NamedTuple):
    """A write that lost to another."""

    key: str
    #: The loser, who wrote it, and what it would have done.
    stamp: Stamp
    client: str
    kind: str
    operand: Operand
    #: "overwritten" by a put or a delete of another client; "inapplicable" to what it found, as the winner had left it.
    rule: str
    #: None only where an operation does not apply to a key that nobody ever wrote.
    winner: Optional[Stamp]
    winning_client: Optional[str]
    #: True if the replica that accepted the later of the two did not claim the other then; False if it had accepted that
    #: itself; None if it cannot be told.
    concurrent: Optional[bool]


def read_conflicts(connection: Connection, request: ttypes.ConflictsRequest) -> ttypes.Conflicts:
    """The next of them."""
    reply = one_of(connection.call(KeyValue, "conflicts", request), "conflicts", "missing")
    if isinstance(reply, ttypes.MissingReply):
        raise missing_of(connection, reply)
    if reply.conflicts is None or reply.cursor is None or reply.more is None:
        raise malformed("it does not say where to go on")
    return reply


def conflict_of(conflict: ttypes.Conflict) -> Conflict:
    lost, winner = conflict.lost, conflict.winner
    if lost is None or not isinstance(lost.client, str) or not isinstance(conflict.key, str):
        raise malformed("a loser is missing")
    kind, operand = operation_of(conflict.operation)
    rule = _known(_LOSSES, conflict.rule)
    if conflict.concurrent not in _CONCURRENT:
        raise malformed("it does not say whether a conflict was concurrent")
    by = None if winner is None else stamp_of(winner.stamp)
    client = None if winner is None else winner.client
    concurrent = _CONCURRENT[conflict.concurrent]
    return Conflict(conflict.key, stamp_of(lost.stamp), lost.client, kind, operand, rule, by, client, concurrent)


def read_history(
    connection: Connection, request: ttypes.HistoryRequest
) -> Tuple[List[PastWrite], Optional[ttypes.AcceptStamp]]:
    """A page, its base first; and where the next one goes on, if there is one."""
    reply = one_of(connection.call(KeyValue, "history", request), "page", "missing")
    if isinstance(reply, ttypes.MissingReply):
        raise missing_of(connection, reply)
    if reply.writes is None or reply.more is None or (reply.more and not reply.writes):
        raise malformed("it does not say whether writes are left")
    page = [] if reply.base is None else [_past(reply.base, "base")]
    page += [_past(write, _known(_STAGES, write.stage)) for write in reply.writes]
    return page, reply.writes[-1].stamp if reply.more else None


def restoring(key: str, stamp: Stamp, past: List[PastWrite]) -> Operation:
    """What puts the write back: ERR_GONE if it is not there, ERR_OPTION if it would count twice."""
    if not past:
        raise BaristaError("ERR_GONE", f"the log has no write {stamp} on {key!r}, or no more")
    (write,) = past
    if _CARRIED[write.kind] == "value":
        return Operation("put", write.operand)
    if write.kind != "remove" and write.fate.what not in ("overwritten", "expired", "met", "inapplicable"):
        raise BaristaError("ERR_OPTION", f"the {write.kind} {stamp} is not lost: made again it would count twice")
    return Operation(write.kind, write.operand)


def newest(writes: List[PastWrite]) -> Dict[Origin, int]:
    """Of each origin, the last of the writes."""
    times: Dict[Origin, int] = {}
    for write in writes:
        times[write.stamp.origin] = max(times.get(write.stamp.origin, 0), write.stamp.accept_time)
    return times


def _past(write: Any, stage: str) -> PastWrite:
    if not isinstance(write.client, str):
        raise malformed("a client is missing")
    kind, operand = operation_of(write.operation)
    expires = getattr(getattr(write.operation, kind), "expires", None)
    return PastWrite(stamp_of(write.stamp), write.client, kind, operand, _fate(write.fate), stage, expires)


def operation_of(operation: Optional[ttypes.Operation]) -> Tuple[str, Operand]:
    """Its kind, and what it carries."""
    if operation is None:
        raise malformed("an operation is missing")
    given = one_of(operation, *_CARRIED)
    kind = next(kind for kind in _CARRIED if getattr(operation, kind) is given)
    field = _CARRIED[kind]
    return kind, None if field is None else getattr(given, field)


_PLAIN_FATES = {ttypes.Stands: "stands", ttypes.Expired: "expired", ttypes.UnknownFate: "unknown"}


def _fate(fate: Optional[ttypes.Fate]) -> Fate:
    if fate is None:
        raise malformed("it does not say what became of a write")
    given = one_of(fate, "stands", "overwritten", "noEffect", "unknown", "expired")
    if type(given) in _PLAIN_FATES:
        return Fate(_PLAIN_FATES[type(given)], None, None)
    what = "overwritten" if isinstance(given, ttypes.Overwritten) else _known(_RULES, given.rule)
    if given.by is None:
        return Fate(what, None, None)
    return Fate(what, stamp_of(given.by.stamp), given.by.client)


def _known(names: Dict[int, str], number: Optional[int]) -> str:
    if number not in names:
        raise malformed(f"{number} is a word that is not known here")
    return names[number]
