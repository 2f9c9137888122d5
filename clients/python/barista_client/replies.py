"""What replies say, checked: the generated code reads whatever fields come."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, Optional

from ._generated.barista import ttypes
from .checks import TIME_MAX
from .connection import Connection
from .errors import BaristaError, MissingError
from .writes import Origin, Stamp


def one_of(union: Any, *fields: str) -> Any:
    """The one field of a union that is set."""
    given = [value for value in (getattr(union, field) for field in fields) if value is not None]
    if len(given) != 1:
        raise malformed(f"{len(given)} of {', '.join(fields)} are set, not one")
    return given[0]


def stamp_of(stamp: Optional[ttypes.AcceptStamp]) -> Stamp:
    if stamp is None:
        raise malformed("a stamp is missing")
    return Stamp(time_of(stamp.acceptTime), origin_of(stamp.origin))


def origin_of(origin: Optional[ttypes.Origin]) -> Origin:
    if origin is None or not isinstance(origin.id, str):
        raise malformed("an origin is missing")
    return Origin(origin.id, time_of(origin.incarnation))


def time_of(time: Optional[int]) -> int:
    if time is None or not 0 <= time <= TIME_MAX:
        raise malformed(f"{time} is no time")
    return time


def times_of(vector: Iterable[ttypes.VectorEntry]) -> Dict[Origin, int]:
    return {origin_of(entry.origin): time_of(entry.acceptTime) for entry in vector}


def missing_of(connection: Connection, reply: ttypes.MissingReply) -> MissingError:
    if reply.missing is None:
        raise malformed("it does not say what is missing")
    missing = times_of(reply.missing)
    told = ", ".join(f"{origin}:{time}" for origin, time in missing.items())
    return MissingError(f"the replica at {connection.endpoint} lacks {told}", missing)


def malformed(what: str) -> BaristaError:
    return BaristaError("ERR_PROTOCOL", f"the reply is not what barista.thrift says: {what}")


def vector_of(needs: Mapping[Origin, int]) -> Optional[List[ttypes.VectorEntry]]:
    """As requests carry it; None if it is empty."""
    if not needs:
        return None
    return [
        ttypes.VectorEntry(origin=ttypes.Origin(id=origin.id, incarnation=origin.incarnation), acceptTime=time)
        for origin, time in needs.items()
    ]
