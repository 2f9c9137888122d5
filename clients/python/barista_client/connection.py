"""One replica over Thrift: framed transport, binary protocol, services multiplexed by name, as barista.thrift says."""

from __future__ import annotations

import re
import socket
import time
from typing import Any, Callable, NamedTuple, Optional, Tuple

from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.protocol.TMultiplexedProtocol import TMultiplexedProtocol
from thrift.protocol.TProtocol import TProtocolException
from thrift.Thrift import TApplicationException
from thrift.transport.TTransport import TFramedTransport, TTransportBase, TTransportException

from ._generated.barista.ttypes import Failure
from .errors import ADVICE, BaristaError, UnreachableError

#: A frame without its length prefix.
FRAME_BYTES_MAX = 16 * 1024 * 1024
#: Elements of a list.
LIST_SIZE_MAX = 65_536


class Endpoint(NamedTuple):
    """Where a replica listens."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Reads HOST:PORT, with an IPv6 address in brackets. ``ValueError`` says what is wrong."""
        match = re.fullmatch(r"(?:\[([^\[\]]+)\]|([^:\[\]\s]+)):([0-9]{1,5})", text)
        if match is None:
            raise ValueError(f"{text!r} is not an address: an address is written HOST:PORT")
        port = int(match.group(3))
        if not 1 <= port <= 65535:
            raise ValueError(f"{text!r} is not an address: ports go from 1 to 65535")
        return cls(match.group(1) or match.group(2), port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Connection:
    """A replica as its clients and operators reach it.

    One TCP connection, made at the first call and again at the next call after it was lost. Calls go one after the
    other; it is not safe to share among threads. A call that was sent and lost may have taken effect.
    """

    def __init__(self, endpoint: Endpoint, timeout: float) -> None:
        """``timeout`` is what a call may take, in seconds, from looking the host up to the end of the answer."""
        if not timeout > 0:
            raise ValueError(f"a timeout is a positive number of seconds, not {timeout!r}")
        self.endpoint = endpoint
        self.timeout = timeout
        self._socket = _DeadlineSocket(endpoint)

    def call(self, service: Any, method: str, request: Any) -> Any:
        """Calls a method of a generated service module, such as ``KeyValue`` or ``Admin``, and answers with its reply.

        Raises ``BaristaError``: what the replica said, or ERR_CONN, ERR_TIMEOUT, ERR_PROTOCOL, ERR_FRAME_TOO_LARGE.
        After a call that was not answered in order the connection is made anew.
        """
        name = service.__name__.rsplit(".", 1)[-1]
        keep = False
        try:
            self._socket.begin(self.timeout)
            # Not the accelerated one: what it skips it skips by recursion in C, as deep as who sends it likes.
            frames = TFramedTransport(self._socket)
            protocol = TBinaryProtocol(frames, strictRead=True, container_length_limit=LIST_SIZE_MAX)
            client = service.Client(TMultiplexedProtocol(protocol, name))
            getattr(client, f"send_{method}")(request)
            reply = self._received(getattr(client, f"recv_{method}"))
            keep = True
            return reply
        except Failure as failure:
            keep = True
            raise _told(failure) from None
        except TApplicationException as exception:
            raise _refused(exception) from exception
        except TTransportException as exception:
            raise self._lost(exception, f"{name}:{method}") from exception
        finally:
            if not keep:
                self._socket.close()

    def close(self) -> None:
        """Ends the connection. Idempotent; the next call makes another."""
        self._socket.close()

    def interrupt(self) -> None:
        """Ends the connection, and a call that another thread has under way there."""
        self._socket.interrupt()

    def _received(self, receive: Callable[[], Any]) -> Any:
        try:
            return receive()
        except (TProtocolException, EOFError, ValueError, TypeError, AttributeError, RecursionError) as exception:
            # All that Thrift's reader makes of bytes that are no reply.
            raise BaristaError("ERR_PROTOCOL", f"{self.endpoint} sent what is no reply: {exception}") from exception

    def _lost(self, exception: TTransportException, method: str) -> BaristaError:
        if exception.type == TTransportException.TIMED_OUT:
            return BaristaError("ERR_TIMEOUT", f"{self.endpoint} did not answer {method} within {self.timeout:g} s")
        if exception.type in (TTransportException.SIZE_LIMIT, TTransportException.NEGATIVE_SIZE):
            return BaristaError("ERR_PROTOCOL", f"{self.endpoint} sent what is no reply: {exception.message}")
        return UnreachableError(f"{self.endpoint}: {exception.message}")


def _told(failure: Failure) -> BaristaError:
    texts = (failure.code, failure.message, failure.advice)
    if not all(isinstance(text, str) for text in texts):
        return BaristaError("ERR_PROTOCOL", "the replica sent a failure that lacks a field")
    return BaristaError(*texts)


def _refused(exception: TApplicationException) -> BaristaError:
    """What fails before a method is found is Thrift's own exception, whose message begins with our code."""
    text = exception.message or f"a Thrift exception of type {exception.type}"
    match = re.fullmatch(r"(ERR_\w+): (.*)", text, re.DOTALL)
    if match is not None and match.group(1) in ADVICE:
        return BaristaError(match.group(1), match.group(2))
    if exception.type == TApplicationException.UNKNOWN_METHOD:
        return BaristaError("ERR_UNKNOWN_METHOD", text)
    return BaristaError("ERR_PROTOCOL", text)


class _DeadlineSocket(TTransportBase):  # type: ignore[misc]
    """A socket on which each call has until its deadline, however many reads and writes it takes, and one frame."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._handle: Optional[socket.socket] = None
        self._deadline = 0.0
        self._readable = 0

    def begin(self, timeout: float) -> None:
        """Begins a call: makes the connection unless there is one on which nothing is left from before."""
        self._deadline = time.monotonic() + timeout
        self._readable = 4 + FRAME_BYTES_MAX
        if not self.is_quiet:
            self.close()
        if self._handle is None:
            self._handle = self._open()

    @property
    def is_quiet(self) -> bool:
        """True if the connection stands, and nothing came that was not read."""
        if self._handle is None:
            return False
        self._handle.settimeout(0)
        try:
            self._handle.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def isOpen(self) -> bool:
        return self._handle is not None

    def close(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()

    def interrupt(self) -> None:
        handle = self._handle
        if handle is not None:
            try:
                handle.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # It was lost already.
        self.close()

    def read(self, size: int) -> bytes:
        if size > self._readable:
            what = f"{self._endpoint} sends a frame of {size} bytes, the limit is {FRAME_BYTES_MAX}"
            raise BaristaError("ERR_FRAME_TOO_LARGE", what)
        chunk: bytes = self._tried("recv", size)
        if not chunk:
            raise TTransportException(TTransportException.END_OF_FILE, "the connection was ended")
        self._readable -= len(chunk)
        return chunk

    def write(self, data: bytes) -> None:
        self._tried("sendall", data)

    def flush(self) -> None:
        pass

    def _tried(self, what: str, argument: Any) -> Any:
        handle = self._handle
        if handle is None:
            raise TTransportException(TTransportException.NOT_OPEN, "the connection was closed")
        try:
            handle.settimeout(self._left())
            return getattr(handle, what)(argument)
        except socket.timeout as error:
            raise _timed_out() from error
        except OSError as error:
            raise TTransportException(TTransportException.UNKNOWN, f"the connection was lost: {error}") from error

    def _open(self) -> socket.socket:
        reached: Tuple[str, int] = (self._endpoint.host, self._endpoint.port)
        try:
            handle = socket.create_connection(reached, self._left())
            handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return handle
        except socket.timeout as error:
            raise _timed_out() from error
        except (OSError, UnicodeError) as error:
            raise TTransportException(TTransportException.NOT_OPEN, f"no connection: {error}") from error

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise _timed_out()
        return left


def _timed_out() -> TTransportException:
    return TTransportException(TTransportException.TIMED_OUT, "timed out")
