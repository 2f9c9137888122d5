"""Sessions against two real replicas."""

from __future__ import annotations

import socket
import threading
import unittest
from typing import List

from barista_client import (
    GUARANTEES,
    BaristaError,
    Connection,
    Endpoint,
    MissingError,
    Operation,
    Origin,
    UnreachableError,
    Write,
    connect,
)
from barista_client._generated.barista import KeyValue, ttypes
from listeners import Listener, relaying, silent
from pair import TIMEOUT, Pair

NOBODY = "127.0.0.1:1"


class ValuesTest(Pair):
    def test_reads_what_was_written_until_it_is_deleted(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as session:
            self.assertIsNone(session.get("coffee"))
            first = session.put("coffee", b"two espressos")
            self.assertEqual(session.get("coffee"), b"two espressos")
            second = session.delete("coffee")
            self.assertIsNone(session.get("coffee"))
        self.assertEqual(first.origin, Origin("a", 1))
        self.assertGreater(second.accept_time, first.accept_time)

    def test_values_are_any_bytes_and_keys_any_text(self) -> None:
        values = {
            "values/empty": b"",
            "values/every byte": bytes(range(256)) * 3,
            "values/é ☕ \U0001f980 \n": "crème".encode("latin-1"),
            "k" * 4096: b"x" * 1024 * 1024,
        }
        with connect(self.a, timeout=TIMEOUT) as session:
            for key, value in values.items():
                session.put(key, value)
            session.put("values/view", memoryview(bytearray(b"view")))
            self.assertEqual({key: session.get(key) for key in values}, values)
            self.assertEqual(session.get("values/view"), b"view")


class OperationsTest(Pair):
    def test_change_the_value_that_stands_there(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as session:
            session.increment("operations/n")
            session.increment("operations/n", -43)
            session.append("operations/l", b"one")
            session.append("operations/l", bytearray(b", two"))
            for member in ("b", "", "é", "b"):
                session.add_to_set("operations/s", member)
            session.remove_from_set("operations/s", "")
            session.put_if_absent("operations/p", b"first")
            session.put_if_absent("operations/p", b"second")
            self.assertEqual(
                [session.get(f"operations/{key}") for key in "nlsp"],
                [b"-42", b"one, two", '["b","é"]'.encode(), b"first"],
            )

    def test_end_with_their_time_to_live(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as session:
            session.put("lasting/gone", b"soon", ttl_ms=1)
            session.put("lasting/there", b"long", ttl_ms=10 * 365 * 24 * 60 * 60 * 1_000)
            session.batch({"lasting/b": Operation.put(b"1", ttl_ms=1), "lasting/c": Operation.put(b"2")})
            # The replicas count accept times: each write is one.
            session.put_if_absent("lasting/gone", b"again", ttl_ms=3_600_000)
            self.assertEqual(
                session.get_many([f"lasting/{key}" for key in ("gone", "there", "b", "c")]),
                {"lasting/gone": b"again", "lasting/there": b"long", "lasting/c": b"2"},
            )
            (first, second) = session.history("lasting/gone")
            self.assertEqual((first.kind, first.operand, first.fate.what), ("putFor", b"soon", "expired"))
            self.assertEqual((second.kind, second.fate.what), ("putIfAbsentFor", "stands"))
            self.assertEqual(second.expires, second.stamp.accept_time + 3_600_000)
            session.restore("lasting/gone", first.stamp)
            self.assertEqual(session.get("lasting/gone"), b"soon")
            for ttl_ms in (0, -1, True, 1.5, 2**53):
                with self.assertRaises(BaristaError) as raised:
                    session.put("lasting/no", b"", ttl_ms=ttl_ms)
                self.assertEqual(raised.exception.code, "ERR_INVALID_VALUE")

    def test_merge_where_what_is_expected_is_not_there(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as session:
            session.merge("merges/k", b"12", "first-wins@1", expects_absent=True)
            session.merge("merges/k", b"11", "keep-both@1", expects=b"12")
            self.assertEqual(session.get("merges/k"), b"11")
            session.merge("merges/k", b"14", "keep-both@1", expects=b"12")
            self.assertEqual(session.get("merges/k"), b'{"kept":["11","14"]}')
            session.merge("merges/k", b"1", "highest@1")
            for procedure, code in {"guess@7": "ERR_PROCEDURE", "guess": "ERR_INVALID_VALUE"}.items():
                with self.assertRaises(BaristaError) as caught:
                    session.merge("merges/k", b"1", procedure)
                self.assertEqual(caught.exception.code, code)
            with self.assertRaises(ValueError):
                session.merge("merges/k", b"1", "highest@1", expects=b"2", expects_absent=True)
            with self.assertRaises(TypeError):
                session.merge("merges/k", b"1", 7)  # type: ignore[arg-type]

    def test_of_several_replicas_all_count_and_all_are_needed(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as session:
            session.increment("operations/both", 1)
            session.roam(self.b)
            session.increment("operations/both", 2)
            with self.assertRaises(MissingError):
                session.get("operations/both")
            self.exchange()
            self.assertEqual(session.get("operations/both"), b"3")
            with connect(self.b, timeout=TIMEOUT) as other:
                other.increment("operations/both", 4)
                session.get("operations/both")
            session.roam(self.a)
            with self.assertRaises(MissingError):
                session.get("operations/both")

    def test_what_they_carry_is_checked_before_it_leaves(self) -> None:
        wrong = [1.5, "1", True, None, 2**53, -(2**53)]
        with connect(NOBODY, timeout=TIMEOUT) as session:
            calls = [lambda number=number: session.increment("k", number) for number in wrong]
            calls += [lambda: session.append("k", "text"), lambda: session.put_if_absent("k", "text")]
            calls += [lambda: session.add_to_set("k", 12), lambda: session.remove_from_set("k", "x" * 4097)]
            calls += [lambda: session.add_to_set("k", "\ud800")]
            for call in calls:
                with self.assertRaises(BaristaError) as raised:
                    call()
                self.assertEqual(raised.exception.code, "ERR_INVALID_VALUE")


class BatchTest(Pair):
    def test_writes_several_keys_at_once_and_reads_them_in_one_state(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as session:
            session.put("batch/gone", b"here")
            stamp = session.batch(
                {
                    "batch/put": Operation.put(b"1"),
                    "batch/gone": Operation.delete(),
                    "batch/number": Operation.increment(-2),
                    "batch/line": Operation.append(b"one"),
                    "batch/set": Operation.add_to_set("b"),
                    "batch/none": Operation.remove_from_set("b"),
                    "batch/first": Operation.put_if_absent(b"1"),
                    "batch/merged": Operation.merge(b"7", "highest@1", expects_absent=True),
                }
            )
            self.assertEqual(stamp.origin.id, "a")
            keys = ["put", "gone", "number", "line", "set", "first", "merged"]
            self.assertEqual(
                session.get_many(f"batch/{key}" for key in keys),
                {
                    "batch/put": b"1",
                    "batch/number": b"-2",
                    "batch/line": b"one",
                    "batch/set": b'["b"]',
                    "batch/first": b"1",
                    "batch/merged": b"7",
                },
            )
            session.roam(self.b)
            for key in ("batch/put", "batch/number"):
                with self.assertRaises(MissingError):
                    session.get(key)
            with self.assertRaises(MissingError):
                session.get_many(["batch/put", "batch/other"])
            self.exchange()
            self.assertEqual(session.get_many(["batch/put", "batch/other"]), {"batch/put": b"1"})

    def test_sent_again_takes_effect_once(self) -> None:
        with connect(NOBODY, timeout=TIMEOUT) as session:
            with self.assertRaises(UnreachableError) as raised:
                session.batch({"batch/n": Operation.increment(5), "batch/again": Operation.put(b"v")})
            write = raised.exception.write
            session.roam(self.a)
            self.assertEqual(session.send(write), session.send(write))
            self.assertEqual(session.get("batch/n"), b"5")

    def test_what_is_no_batch_never_leaves(self) -> None:
        large = {str(i): Operation.put(bytes(600_000)) for i in range(2)}
        wrong = [{}, {str(i): Operation.delete() for i in range(129)}, large]
        with connect(NOBODY, timeout=TIMEOUT) as session:
            for operations in wrong:
                with self.assertRaises(BaristaError) as raised:
                    session.batch(operations)
                self.assertEqual(raised.exception.code, "ERR_BATCH")


class SessionTest(Pair):
    def test_a_replica_that_lacks_what_the_session_wrote_says_so_until_it_has_it(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as session:
            stamp = session.put("dep", b"mine")
            session.roam(self.b)
            with self.assertRaises(MissingError) as raised:
                session.get("dep")
            self.assertEqual(raised.exception.code, "ERR_DEP")
            self.assertEqual(raised.exception.missing, {stamp.origin: stamp.accept_time})
            self.assertIsNone(session.get("dep/other"), "another key needs nothing")
            self.exchange()
            self.assertEqual(session.get("dep"), b"mine")

    def test_what_it_writes_stands_after_all_it_has_seen_wherever_it_writes(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as other, connect(self.a, timeout=TIMEOUT) as session:
            for _ in range(100):
                read = other.put("order", b"theirs")
            self.assertEqual(session.get("order"), b"theirs")
            session.roam(self.b)
            written = session.put("order/other", b"mine")
            self.assertEqual(written.origin.id, "b")
            self.assertGreater(written.accept_time, read.accept_time)

    def test_so_does_one_that_lacks_what_it_read(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as other, connect(self.a, timeout=TIMEOUT) as session:
            stamp = other.put("read", b"theirs")
            self.assertEqual(session.get("read"), b"theirs")
            session.roam(self.b)
            with self.assertRaises(MissingError) as raised:
                session.get("read")
            self.assertEqual(raised.exception.missing, {stamp.origin: stamp.accept_time})
            self.exchange()
            self.assertEqual(session.get("read"), b"theirs")

    def test_a_session_without_the_guarantee_reads_whatever_is_there(self) -> None:
        with connect(self.a, guarantees=[], timeout=TIMEOUT) as session:
            session.put("none", b"mine")
            session.roam(self.b)
            self.assertIsNone(session.get("none"))

    def test_the_first_replica_that_can_serve_the_session_does(self) -> None:
        with connect(self.b, timeout=TIMEOUT) as session:
            session.put("both", b"mine")
            session.roam(self.a, self.b)
            self.assertEqual(session.get("both"), b"mine")
            session.roam(self.a, NOBODY)
            with self.assertRaises(MissingError):
                session.get("both")

    def test_the_write_guarantees_have_a_write_wait_for_what_the_session_has_seen(self) -> None:
        for guarantee in ("writes-follow-reads", "monotonic-writes"):
            with self.subTest(guarantee), connect(self.a, guarantees=[guarantee], timeout=TIMEOUT) as session:
                self.setUp()
                session.put(f"question/{guarantee}", b"tea?")
                self.assertEqual(session.get(f"question/{guarantee}"), b"tea?")
                session.roam(self.b)
                with self.assertRaises(MissingError) as raised:
                    session.put("answer", b"yes")
                self.assertEqual(self.log_of(self.b, session.client), [])
                self.exchange()
                write = raised.exception.write
                assert write is not None
                self.assertEqual(session.send(write).origin.id, "b")
                times = [entry.clientTime for entry in self.log_of(self.b, session.client)]
                self.assertEqual(times, [1, 2])

    def test_a_causal_session_needs_all_it_has_seen_under_any_key(self) -> None:
        with connect(self.a, guarantees=GUARANTEES, timeout=TIMEOUT) as session:
            session.put("causal", b"v")
            session.roam(self.b)
            with self.assertRaises(MissingError):
                session.get("causal/other")
            self.exchange()
            self.assertIsNone(session.get("causal/other"))

    def test_threads_share_a_session(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as session:
            threads = [threading.Thread(target=session.put, args=(f"thread/{i}", b"%d" % i)) for i in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual([session.get(f"thread/{i}") for i in range(16)], [b"%d" % i for i in range(16)])
            self.assertEqual([entry.clientTime for entry in self.log_of(self.a, session.client)], list(range(1, 17)))


class RetryTest(Pair):
    def test_a_write_whose_answer_was_lost_is_sent_again_and_takes_effect_once(self) -> None:
        gate = threading.Event()
        with Listener(relaying(self.a, gate.is_set)) as a, connect(a.at, timeout=TIMEOUT) as session:
            with self.assertRaises(UnreachableError) as raised:
                session.put("lost", b"mine")
            gate.set()
            write = raised.exception.write
            assert write is not None
            with connect(self.a, timeout=TIMEOUT) as other:
                other.put("lost", b"theirs, later")
            first = session.send(write)
            self.assertEqual(session.send(write), first)
            entries = self.log_of(self.a, session.client)
            self.assertEqual([(it.clientTime, it.stamp.acceptTime) for it in entries], [(1, first.accept_time)])
            self.assertEqual(session.get("lost"), b"theirs, later")
            self.assertEqual(session.put("lost", b"again").accept_time, first.accept_time + 2)

    def test_one_that_two_replicas_accepted_takes_effect_once(self) -> None:
        with connect(self.b, timeout=TIMEOUT) as other:
            # So that what b accepts would win.
            while other.put("twice/clock", b"tick").accept_time < 1000:
                pass
        with Listener(relaying(self.a, lambda: False)) as a, connect(a.at, self.b, timeout=TIMEOUT) as session:
            with connect(self.a, timeout=TIMEOUT) as other:
                accepted = session.put("twice", b"mine")
                self.assertEqual(accepted.origin.id, "b")
                other.put("twice", b"theirs, later")
        stamps = [self.log_of(at, session.client)[0].stamp for at in (self.a, self.b)]
        self.assertEqual([stamp.origin.id for stamp in stamps], ["a", "b"])
        self.assertLess(stamps[0].acceptTime, stamps[1].acceptTime)
        self.exchange()
        for at in (self.a, self.b):
            with connect(at, timeout=TIMEOUT) as reader:
                self.assertEqual(reader.get("twice"), b"theirs, later")

    def test_the_next_replica_is_asked_if_one_is_away_or_hangs(self) -> None:
        with Listener(silent) as hanging:
            with connect(NOBODY, self.b, timeout=TIMEOUT) as away, connect(hanging.at, self.b, timeout=1.0) as slow:
                for session in (away, slow):
                    session.put("failover", b"v")
                    self.assertEqual(session.get("failover"), b"v")

    def test_a_connection_that_was_lost_meanwhile_is_made_again(self) -> None:
        served: List[socket.socket] = []

        def serve(connection: socket.socket) -> None:
            served.append(connection)
            relaying(self.a, lambda: True)(connection)

        with Listener(serve) as a, connect(a.at, timeout=TIMEOUT) as session:
            session.put("reconnect", b"v")
            served[0].shutdown(socket.SHUT_RDWR)
            self.assertEqual(session.get("reconnect"), b"v")
            self.assertEqual(session.get("reconnect"), b"v")
            self.assertEqual(len(served), 2)


class ErrorsTest(Pair):
    def test_what_is_wrong_never_leaves_the_program(self) -> None:
        with connect(NOBODY) as session:
            for call, code in (
                (lambda: session.get(""), "ERR_INVALID_KEY"),
                (lambda: session.get("k" * 4097), "ERR_INVALID_KEY"),
                (lambda: session.delete("\ud800"), "ERR_INVALID_KEY"),
                (lambda: session.get(b"k"), "ERR_INVALID_KEY"),  # type: ignore[arg-type]
                (lambda: session.put("k", b"x" * (1024 * 1024 + 1)), "ERR_INVALID_VALUE"),
                (lambda: session.put("k", "text"), "ERR_INVALID_VALUE"),  # type: ignore[arg-type]
            ):
                with self.assertRaises(BaristaError) as raised:
                    call()
                self.assertEqual(raised.exception.code, code)
        for client in ("", "x" * 257, "a\nb", "\x85"):
            with self.assertRaises(BaristaError) as raised:
                connect(NOBODY, client=client)
            self.assertEqual(raised.exception.code, "ERR_INVALID_ID")

    def test_a_client_time_names_one_operation(self) -> None:
        with connect(self.a, timeout=TIMEOUT, client="forgetful") as session:
            session.put("client-time", b"v")
        with connect(self.a, timeout=TIMEOUT, client="forgetful") as session:
            with self.assertRaises(BaristaError) as raised:
                session.put("client-time", b"w")
        self.assertEqual(raised.exception.code, "ERR_CLIENT_TIME")
        self.assertIn("needs a new id", raised.exception.advice)

    def test_the_write_of_another_is_not_sent(self) -> None:
        with connect(self.a) as session, self.assertRaisesRegex(ValueError, "client other's"):
            session.send(Write("other", 1, {"k": Operation.put(b"v")}, False, 0, {}))

    def test_a_replica_that_knows_no_such_method_says_so(self) -> None:
        class Later:
            """A service that a later version may have."""

            __name__ = "barista.Later"
            Client = KeyValue.Client

        connection = Connection(Endpoint.parse(self.a), TIMEOUT)
        self.addCleanup(connection.close)
        with self.assertRaises(BaristaError) as raised:
            connection.call(Later(), "get", ttypes.GetRequest(key="k"))
        self.assertEqual(raised.exception.code, "ERR_UNKNOWN_METHOD")

    def test_a_session_that_was_closed_says_so(self) -> None:
        with connect(self.a) as session:
            session.get("k")
        session.close()
        session.roam(self.b)
        with self.assertRaises(BaristaError) as raised:
            session.get("k")
        self.assertEqual(raised.exception.code, "ERR_CLOSED")


if __name__ == "__main__":
    unittest.main()
