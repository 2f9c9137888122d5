"""What a client makes of those that are no replica, or hang."""

from __future__ import annotations

import socket
import struct
import threading
import time
import unittest

from barista_client import BaristaError, Connection, Endpoint, UnreachableError, connect
from barista_client._generated.barista import KeyValue, ttypes
from barista_client.connection import FRAME_BYTES_MAX
from listeners import Behaviour, Listener, frame_of, framed, saying, silent

NOBODY = "127.0.0.1:1"


def reply_to_get(fields: bytes) -> bytes:
    """A reply to `get` whose result has these fields."""
    return framed(struct.pack("!I", 0x80010002) + struct.pack("!I3sI", 3, b"get", 0) + fields)


def deep(depth: int) -> bytes:
    """Structs in one another, under a field that no version knows."""
    return b"\x0c\x00\x63" * depth


class ConnectionTest(unittest.TestCase):
    def fails(self, behave: Behaviour, timeout: float = 20.0) -> BaristaError:
        with Listener(behave) as listener, connect(listener.at, timeout=timeout) as session:
            with self.assertRaises(BaristaError) as raised:
                session.get("k")
        return raised.exception

    def test_an_endpoint_where_nobody_listens(self) -> None:
        with connect(NOBODY) as session, self.assertRaises(UnreachableError) as raised:
            session.put("k", b"v")
        self.assertRegex(str(raised.exception), r"^ERR_CONN: no replica could be reached: 127\.0\.0\.1:1: .*\n  Check")
        self.assertEqual(raised.exception.write.client_time, 1)  # type: ignore[union-attr]

    def test_an_endpoint_that_has_no_address(self) -> None:
        for host in ("no-such-host.invalid", "a" * 70):
            with connect(f"{host}:7070") as session, self.assertRaises(UnreachableError):
                session.get("k")

    def test_one_that_hangs_or_dribbles_is_given_up_when_the_time_is_over(self) -> None:
        def dribbling(connection: socket.socket) -> None:
            frame_of(connection)
            connection.sendall((1_000_000).to_bytes(4, "big"))
            while True:
                connection.sendall(b"\x00")
                time.sleep(0.01)

        for behave in (silent, dribbling):
            error = self.fails(behave, timeout=0.2)
            self.assertEqual(error.code, "ERR_CONN")
            self.assertIn("did not answer KeyValue:get within 0.2 s", error.message)
            self.assertEqual(getattr(error.__cause__, "code", None), "ERR_TIMEOUT")

    def test_bytes_that_are_no_reply(self) -> None:
        unknown = framed(struct.pack("!I", 0x80010003) + struct.pack("!I3sI", 3, b"get", 0) + b"\x00")
        for answer, code in (
            (framed(b"\x80\x02\x00\x02"), "ERR_PROTOCOL"),
            (framed(b""), "ERR_PROTOCOL"),
            (framed(b"HTTP/1.1 200 OK"), "ERR_PROTOCOL"),
            (unknown, "ERR_PROTOCOL"),
            (b"\xff\xff\xff\xff", "ERR_PROTOCOL"),
            ((FRAME_BYTES_MAX + 5).to_bytes(4, "big"), "ERR_FRAME_TOO_LARGE"),
            (reply_to_get(b"\x00"), "ERR_PROTOCOL"),
            # Success, and in it: nothing; two fields; a value without its stamp; a list too long. Text that is none.
            (reply_to_get(b"\x0c\x00\x00\x00\x00"), "ERR_PROTOCOL"),
            (reply_to_get(b"\x0c\x00\x00" + b"\x0c\x00\x02\x00" + b"\x0c\x00\x03\x00" + b"\x00\x00"), "ERR_PROTOCOL"),
            (reply_to_get(b"\x0c\x00\x00\x0c\x00\x01\x0b\x00\x01\x00\x00\x00\x01v\x00\x00\x00"), "ERR_PROTOCOL"),
            (reply_to_get(b"\x0c\x00\x00\x0c\x00\x03\x0f\x00\x01\x0c\x7f\xff\xff\xff"), "ERR_PROTOCOL"),
            (reply_to_get(b"\x0c\x00\x01\x0b\x00\x01\x00\x00\x00\x01\xff\x00\x00"), "ERR_PROTOCOL"),
            # A failure without its fields; structs without end.
            (reply_to_get(b"\x0c\x00\x01\x00\x00"), "ERR_PROTOCOL"),
            (reply_to_get(deep(1_000_000)), "ERR_PROTOCOL"),
        ):
            with self.subTest(answer=answer[:32]):
                self.assertEqual(self.fails(saying(answer)).code, code)

    def test_what_comes_unasked_is_never_taken_for_an_answer(self) -> None:
        absent = reply_to_get(b"\x0c\x00\x00\x0c\x00\x02\x00\x00\x00")
        with Listener(saying(absent + absent)) as listener, connect(listener.at) as session:
            for _ in range(2):
                self.assertIsNone(session.get("k"))
            self.assertEqual(listener.connections, 2)

    def test_an_answer_that_comes_too_late_is_not_taken_for_the_next(self) -> None:
        absent, failed = reply_to_get(b"\x0c\x00\x00\x0c\x00\x02\x00\x00\x00"), reply_to_get(b"\x00")
        again = threading.Event()

        def late_at_first(connection: socket.socket) -> None:
            frame_of(connection)
            if listener.connections == 1:
                again.wait()
                time.sleep(0.1)
                connection.sendall(failed)
            connection.sendall(absent)
            frame_of(connection)

        with Listener(late_at_first) as listener:
            connection = Connection(Endpoint.parse(listener.at), 0.2)
            with self.assertRaises(BaristaError) as raised:
                connection.call(KeyValue, "get", ttypes.GetRequest(key="k"))
            self.assertEqual(raised.exception.code, "ERR_TIMEOUT")
            again.set()
            connection.timeout = 20.0
            self.assertIsNotNone(connection.call(KeyValue, "get", ttypes.GetRequest(key="k")).absent)
            connection.close()

    def test_addresses(self) -> None:
        self.assertEqual(Endpoint.parse("till-7:7070"), ("till-7", 7070))
        self.assertEqual(Endpoint.parse("[::1]:7070"), ("::1", 7070))
        self.assertEqual([str(Endpoint.parse(text)) for text in ("h:1", "[::1]:2")], ["h:1", "[::1]:2"])
        for text in ("h", "h:", ":1", "::1:7070", "h:0", "h:65536", "h:1 ", "h:-1"):
            with self.subTest(text), self.assertRaisesRegex(ValueError, "is not an address"):
                Endpoint.parse(text)
        with self.assertRaisesRegex(ValueError, "at least one"):
            connect()
        with self.assertRaisesRegex(ValueError, "positive"):
            connect("h:1", timeout=0)


if __name__ == "__main__":
    unittest.main()
