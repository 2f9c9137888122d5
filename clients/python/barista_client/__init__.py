"""A client for Barista, a replicated key-value store: sessions over stock Apache Thrift.

    with connect("till-7:7070", "hub.example:7070") as session:
        session.put("table-4", b"two espressos")
        session.get("table-4")
"""

from .connection import Connection, Endpoint
from .errors import BaristaError, MissingError, UnreachableError
from .guarantees import DEFAULT_GUARANTEES, GUARANTEES
from .history import Conflict, Fate, PastWrite
from .session import Session, connect
from .watch import Change, Watch
from .writes import Operation, Origin, Stamp, Write

__all__ = [
    "DEFAULT_GUARANTEES",
    "GUARANTEES",
    "BaristaError",
    "Change",
    "Conflict",
    "Connection",
    "Endpoint",
    "Fate",
    "MissingError",
    "Operation",
    "Origin",
    "PastWrite",
    "Session",
    "Stamp",
    "UnreachableError",
    "Watch",
    "Write",
    "connect",
]
