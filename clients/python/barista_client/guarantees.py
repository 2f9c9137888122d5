"""What a session has seen and written, and so what a replica must hold to serve it (Terry et al., PDIS 1994)."""

from __future__ import annotations

from types import MappingProxyType
from typing import Dict, FrozenSet, Iterable, Mapping, Tuple

from .writes import Operation, Origin, Stamp, Write

READ_YOUR_WRITES = "read-your-writes"
MONOTONIC_READS = "monotonic-reads"
WRITES_FOLLOW_READS = "writes-follow-reads"
MONOTONIC_WRITES = "monotonic-writes"

#: All four: a session that asks for them is causal, also across keys.
GUARANTEES: Tuple[str, ...] = (READ_YOUR_WRITES, MONOTONIC_READS, WRITES_FOLLOW_READS, MONOTONIC_WRITES)

DEFAULT_GUARANTEES: Tuple[str, ...] = (READ_YOUR_WRITES, MONOTONIC_READS)


class SessionState:
    """The bookkeeping of a session, which speaks to nobody; the rules are those of src/bayou/session.ts.

    The read guarantees are kept per key, and only what that key needs; the write guarantees over the whole session.
    Reads of a session that asks for all four need all that it has read and written. Whatever the guarantees, a write is
    stamped after everything the session has read and written, so that its own order holds in every log.

    Needs are mappings from origin to accept time; one that was handed out never changes.
    """

    def __init__(self, client: str, guarantees: Iterable[str] = DEFAULT_GUARANTEES) -> None:
        """``ValueError`` names a guarantee that there is not."""
        self.client = client
        self.guarantees: FrozenSet[str] = frozenset([guarantees] if isinstance(guarantees, str) else guarantees)
        unknown = sorted(self.guarantees.difference(GUARANTEES))
        if unknown:
            raise ValueError(f"no such guarantee: {', '.join(unknown)}; there are {', '.join(GUARANTEES)}")
        self._needs: Dict[str, Mapping[Origin, int]] = {}
        # What writes need: the session's reads (writes-follow-reads) and writes (monotonic-writes), as asked for.
        self._write_needs: Dict[Origin, int] = {}
        self._client_time = 0
        self._highest = 0

    def next_write(self, key: str, operation: Operation) -> Write:
        """A new operation, under a client time of its own."""
        return self._next({key: operation}, False)

    def next_batch(self, operations: Mapping[str, Operation]) -> Write:
        """Several as one, likewise."""
        return self._next(operations, True)

    def _next(self, operations: Mapping[str, Operation], is_batch: bool) -> Write:
        self._client_time += 1
        needs = dict(self._write_needs)
        return Write(self.client, self._client_time, dict(operations), is_batch, self._highest, needs)

    def needs_of(self, key: str) -> Mapping[Origin, int]:
        """What a replica must hold to answer a read of the key."""
        if len(self.guarantees) == len(GUARANTEES):
            return dict(self._write_needs)
        return self._needs.get(key, {})

    def needs_under(self, prefix: str) -> Mapping[Origin, int]:
        """What a replica must hold to answer for every key that begins so."""
        if len(self.guarantees) == len(GUARANTEES):
            return dict(self._write_needs)
        return _together(needs for key, needs in self._needs.items() if key.startswith(prefix))

    def needs_of_all(self, keys: Iterable[str]) -> Mapping[Origin, int]:
        """What a replica must hold to answer for all of these keys."""
        return _together(self.needs_of(key) for key in keys)

    def wrote(self, key: str, stamp: Stamp, is_blind: bool = True) -> None:
        """A write was accepted. A blind one replaces what its key needs; one that reads what it changes adds to it."""
        self._observe(stamp, MONOTONIC_WRITES)
        if READ_YOUR_WRITES in self.guarantees:
            self._need(key, stamp, replaces=is_blind)

    def found(self, key: str, stamp: Stamp, basis: Mapping[Origin, int] = MappingProxyType({})) -> None:
        """A read returned the value that ``stamp`` wrote; or that several writes came to, of which ``basis`` has the last of
        each origin: that adds to what the key needs. A read that returned nothing changes nothing.
        """
        for write in [stamp, *(Stamp(time, origin) for origin, time in basis.items())]:
            self._observe(write, WRITES_FOLLOW_READS)
            if MONOTONIC_READS in self.guarantees:
                self._need(key, write, replaces=not basis)

    def _need(self, key: str, stamp: Stamp, replaces: bool) -> None:
        needs = {} if replaces else dict(self._needs.get(key, {}))
        needs[stamp.origin] = max(needs.get(stamp.origin, 0), stamp.accept_time)
        self._needs[key] = needs

    def _observe(self, stamp: Stamp, guarantee: str) -> None:
        self._highest = max(self._highest, stamp.accept_time)
        if guarantee in self.guarantees:
            known = self._write_needs.get(stamp.origin, 0)
            self._write_needs[stamp.origin] = max(known, stamp.accept_time)


def _together(all_needs: Iterable[Mapping[Origin, int]]) -> Mapping[Origin, int]:
    together: Dict[Origin, int] = {}
    for needs in all_needs:
        for origin, time in needs.items():
            together[origin] = max(together.get(origin, 0), time)
    return together
