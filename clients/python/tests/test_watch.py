"""Watches against two real replicas."""

from __future__ import annotations

import threading
import unittest
from itertools import islice
from typing import List

from barista_client import BaristaError, Change, MissingError, UnreachableError, Watch, connect
from pair import TIMEOUT, Pair

NOBODY = "127.0.0.1:1"


def told(watch: Watch, count: int) -> List[Change]:
    return list(islice(watch, count))


class WatchTest(Pair):
    def test_tells_of_what_comes_from_then_on_under_its_prefix(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as session, connect(self.a, timeout=TIMEOUT) as another:
            session.put("py/before", b"1")
            with session.watch("py/") as watch:
                session.put("else", b"1")
                stamp = session.put("py/k", b"1")
                another.delete("py/k")
                first, second = told(watch, 2)
        self.assertEqual((first.key, first.stamp, first.client), ("py/k", stamp, session.client))
        self.assertEqual((second.value, second.stands, second.reordered, second.lost), (None, True, False, None))

    def test_goes_on_from_a_cursor_without_a_gap_or_a_repeat(self) -> None:
        with connect(NOBODY, self.a, timeout=TIMEOUT) as session:
            with session.watch("cursor/") as watch:
                for i in range(4):
                    session.put(f"cursor/{i}", b"v")
                before = [change.key for change in told(watch, 1)]
                cursor = watch.cursor
            with session.watch("cursor/", cursor=cursor) as watch:
                before += [change.key for change in told(watch, 2)]
                cursor = watch.cursor
            session.put("cursor/4", b"v")
            with session.watch("cursor/", cursor=cursor) as watch:
                before += [change.key for change in told(watch, 2)]
        self.assertEqual(before, [f"cursor/{i}" for i in range(5)])

    def test_tells_what_is_there_first_if_that_is_asked_for(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as session:
            session.put("there/1", b"one")
            session.put("there/2", b"two")
            with session.watch("there/", start=True) as watch:
                self.assertEqual([change.value for change in told(watch, 2)], [b"one", b"two"])

    def test_a_replica_that_lacks_what_was_told_says_so_until_it_has_it(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as session, session.watch("roam/") as watch:
            session.put("roam/k", b"v")
            told(watch, 1)
            cursor = watch.cursor
        with connect(self.b, timeout=TIMEOUT) as elsewhere, elsewhere.watch("roam/", cursor=cursor) as watch:
            with self.assertRaises(MissingError):
                next(watch)
            self.exchange()
            elsewhere.put("roam/k", b"w")
            self.assertEqual(next(watch).value, b"w")
            # What it told is read.
            elsewhere.roam(self.a)
            with self.assertRaises(MissingError):
                elsewhere.get("roam/k")

    def test_tells_of_a_write_that_came_late_that_it_lost(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as first, connect(self.b, timeout=TIMEOUT) as second:
            self.exchange()
            first.put("late/k", b"early")
            with second.watch("late/") as watch:
                standing = second.put("late/k", b"later")
                told(watch, 1)
                self.exchange()
                late = next(watch)
        self.assertEqual((late.value, late.lost, late.standing), (b"later", b"early", standing))
        self.assertEqual((late.reordered, late.stands), (True, False))

    def test_ends_when_it_is_closed_while_it_waits(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as session:
            watch = session.watch("closed/")
            timer = threading.Timer(0.2, watch.close)
            timer.start()
            self.assertEqual(list(watch), [])
            timer.join()

    def test_refuses_what_cannot_be(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as session:
            with session.watch("this/") as watch:
                cursor = watch.cursor
            for prefix, wrong in (("that/", cursor), ("this/", cursor[:-4]), ("this/", "\u00e9"), ("this/", "")):
                with self.assertRaises(BaristaError) as raised:
                    session.watch(prefix, cursor=wrong)
                self.assertEqual(raised.exception.code, "ERR_TOKEN")
            with self.assertRaises(BaristaError) as raised:
                session.watch("x" * 4097)
            self.assertEqual(raised.exception.code, "ERR_INVALID_KEY")
        with connect(NOBODY, timeout=TIMEOUT) as session, self.assertRaises(UnreachableError):
            session.watch("k")


if __name__ == "__main__":
    unittest.main()
