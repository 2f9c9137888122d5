"""What became of writes, as two real replicas tell it."""

from __future__ import annotations

from unittest.mock import patch

from barista_client import BaristaError, MissingError, connect
from pair import TIMEOUT, Pair


class HistoryTest(Pair):
    def test_tells_who_wrote_what_and_what_became_of_it(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as ana, connect(self.a, timeout=TIMEOUT) as ben:
            first = ana.put("past/k", b"espresso")
            second = ben.put("past/k", b"ristretto")
            ana.increment("past/k", 2)
            one, two, three = ben.history("past/k")
        self.assertEqual((one.stamp, one.client, one.kind, one.operand), (first, ana.client, "put", b"espresso"))
        self.assertEqual(one.fate, ("overwritten", second, ben.client))
        self.assertEqual((two.fate.what, two.stage), ("stands", "accepted"))
        self.assertEqual((three.kind, three.operand, three.fate), ("increment", 2, ("inapplicable", second, ben.client)))

    def test_tells_every_kind_and_a_key_that_has_none(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as session:
            session.put_if_absent("past/kinds", b"1")
            session.append("past/kinds", b"2")
            session.increment("past/kinds", -3)
            session.delete("past/kinds")
            session.add_to_set("past/kinds", "m")
            session.remove_from_set("past/kinds", "n")
            told = [(write.kind, write.operand, write.fate.what) for write in session.history("past/kinds")]
            self.assertEqual(list(session.history("past/nothing")), [])
        self.assertEqual(
            told,
            [
                ("putIfAbsent", b"1", "overwritten"),
                ("append", b"2", "overwritten"),
                ("increment", -3, "overwritten"),
                ("remove", None, "stands"),
                ("setAdd", "m", "stands"),
                ("setRemove", "n", "met"),
            ],
        )

    def test_comes_page_by_page(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as session, patch("barista_client.session.HISTORY_WRITES", 3):
            written = [session.increment("past/pages") for _ in range(7)]
            self.assertEqual([write.stamp for write in session.history("past/pages")], written)

    def test_keeps_what_the_session_was_promised(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as session:
            session.put("past/roam", b"v")
            session.roam(self.b)
            with self.assertRaises(MissingError):
                next(session.history("past/roam"))
        with connect(self.a, timeout=TIMEOUT) as reader:
            list(reader.history("past/roam"))
            reader.roam(self.b)
            with self.assertRaises(MissingError):
                reader.get("past/roam")
            self.exchange()
            self.assertEqual(reader.get("past/roam"), b"v")

    def test_refuses_a_key_that_cannot_be(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as session, self.assertRaises(BaristaError) as caught:
            next(session.history(""))
        self.assertEqual(caught.exception.code, "ERR_INVALID_KEY")


class ConflictsTest(Pair):
    def test_tell_which_write_lost_to_which_and_by_what_rule(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as ana, connect(self.a, timeout=TIMEOUT) as ben:
            lost = ana.put("conflict/k", b"espresso")
            winner = ben.put("conflict/k", b"ristretto")
            late = ana.increment("conflict/k")
            ben.put("else", b"v")
            one, two = ben.conflicts("conflict/")
        self.assertEqual((one.key, one.stamp, one.client), ("conflict/k", lost, ana.client))
        self.assertEqual((one.kind, one.operand, one.rule), ("put", b"espresso", "overwritten"))
        self.assertEqual((one.winner, one.winning_client, one.concurrent), (winner, ben.client, False))
        self.assertEqual((two.stamp, two.kind, two.rule, two.winner), (late, "increment", "inapplicable", winner))

    def test_come_a_few_at_a_time(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as session, patch("barista_client.session.CONFLICTS", 2):
            with connect(self.a, timeout=TIMEOUT) as other:
                written = [other.increment("many/k") for _ in range(5)]
            session.put("many/k", b"0")
            self.assertEqual([conflict.stamp for conflict in session.conflicts("many/k")], written)

    def test_keep_what_the_session_was_promised(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as session:
            session.put("conflicting", b"v")
            session.roam(self.b)
            with self.assertRaises(MissingError):
                list(session.conflicts("conflicting"))
            with connect(self.b, timeout=TIMEOUT) as other:
                other.put("conflicting", b"w")
            self.exchange()
            (conflict,) = session.conflicts("conflicting")
        self.assertIn(conflict.concurrent, (True, None))


class RestoreTest(Pair):
    def test_puts_back_what_was_lost_as_a_write_of_its_own(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as ana, connect(self.a, timeout=TIMEOUT) as ben:
            lost = ana.put("restore/k", b"espresso")
            counted = ana.increment("restore/n", 2)
            ben.put("restore/k", b"ristretto")
            ben.put("restore/n", b"40")
            stamp = ben.restore("restore/k", lost)
            ben.restore("restore/n", counted)
            self.assertEqual((ana.get("restore/k"), ana.get("restore/n")), (b"espresso", b"42"))
            past = list(ana.history("restore/k"))[-1]
        self.assertEqual((past.stamp, past.client, past.operand), (stamp, ben.client, b"espresso"))

    def test_refuses_what_is_gone_what_still_counts_and_what_is_not_here(self) -> None:
        with connect(self.a, timeout=TIMEOUT) as session:
            gone = session.put("restore/gone", b"1")
            session.put("restore/gone", b"2")
            counts = session.increment("restore/counts")
            for key, stamp, code in (("restore/gone", gone, "ERR_GONE"), ("restore/counts", counts, "ERR_OPTION")):
                with self.assertRaises(BaristaError) as caught:
                    session.restore(key, stamp)
                self.assertEqual(caught.exception.code, code)
        with connect(self.b, timeout=TIMEOUT) as elsewhere, self.assertRaises(MissingError):
            elsewhere.restore("restore/counts", counts)
