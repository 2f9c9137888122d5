"""The bookkeeping of a session; the cases are those of tests/bayou/session.test.ts."""

from __future__ import annotations

import unittest

from barista_client import GUARANTEES, Operation, Origin, Stamp
from barista_client.guarantees import SessionState

A = Origin("a", 1)
B = Origin("b", 1)
PUT = Operation("put", b"")


class SessionStateTest(unittest.TestCase):
    def test_gives_each_operation_a_client_time_of_its_own(self) -> None:
        state = SessionState("c")
        self.assertEqual([state.next_write("k", PUT).client_time for _ in range(2)], [1, 2])

    def test_stamps_what_it_writes_after_all_it_has_read_and_written_whatever_it_guarantees(self) -> None:
        state = SessionState("c", [])
        state.wrote("k", Stamp(5, A))
        state.found("l", Stamp(9, B))
        state.wrote("m", Stamp(7, A))
        self.assertEqual(state.next_write("n", PUT).after, 9)

    def test_by_default_a_key_needs_the_last_value_written_or_read_there_and_no_other_key_does(self) -> None:
        state = SessionState("c")
        state.wrote("k", Stamp(1, A))
        self.assertEqual(state.needs_of("k"), {A: 1})
        state.found("k", Stamp(4, B))
        self.assertEqual(state.needs_of("k"), {B: 4})
        state.wrote("k", Stamp(5, A))
        self.assertEqual((state.needs_of("k"), state.needs_of("l")), ({A: 5}, {}))

    def test_each_read_guarantee_asks_only_for_its_own_half(self) -> None:
        own = SessionState("c", ["read-your-writes"])
        own.found("k", Stamp(4, B))
        self.assertEqual(own.needs_of("k"), {})
        seen = SessionState("c", ["monotonic-reads"])
        seen.found("k", Stamp(4, B))
        seen.wrote("k", Stamp(5, A))
        self.assertEqual(seen.needs_of("k"), {B: 4})

    def test_with_all_four_a_read_needs_what_the_session_has_read_and_written_under_any_key(self) -> None:
        state = SessionState("c", GUARANTEES)
        self.assertEqual(state.needs_of("k"), {})
        state.wrote("k", Stamp(1, A))
        state.found("l", Stamp(4, B))
        self.assertEqual([state.needs_of(key) for key in "klm"], [{A: 1, B: 4}] * 3)

    def test_the_write_guarantees_ask_for_the_whole_session(self) -> None:
        for guarantees, needs in (
            (["monotonic-writes"], {A: 3}),
            (["writes-follow-reads"], {B: 4}),
            (GUARANTEES, {A: 3, B: 4}),
            (["read-your-writes", "monotonic-reads"], {}),
        ):
            with self.subTest(guarantees=guarantees):
                state = SessionState("c", guarantees)
                state.wrote("k", Stamp(3, A))
                state.found("l", Stamp(4, B))
                state.wrote("k", Stamp(2, A))
                self.assertEqual(state.next_write("m", PUT).needs, needs)

    def test_an_operation_that_reads_its_key_adds_to_what_that_needs_and_so_does_a_value_of_several_writes(self) -> None:
        state = SessionState("c")
        state.wrote("k", Stamp(1, A), is_blind=False)
        state.wrote("k", Stamp(2, B), is_blind=False)
        self.assertEqual(state.needs_of("k"), {A: 1, B: 2})
        state.found("k", Stamp(3, A), {A: 3, B: 5})
        self.assertEqual(state.needs_of("k"), {A: 3, B: 5})
        self.assertEqual(state.next_write("n", PUT).after, 5)
        state.found("k", Stamp(7, B))
        self.assertEqual(state.needs_of("k"), {B: 7})

    def test_a_write_under_way_keeps_what_it_needs(self) -> None:
        state = SessionState("c", GUARANTEES)
        state.wrote("k", Stamp(1, A))
        write = state.next_write("k", PUT)
        state.wrote("k", Stamp(2, A))
        self.assertEqual(write.needs, {A: 1})

    def test_names_a_guarantee_that_there_is_not(self) -> None:
        with self.assertRaisesRegex(ValueError, "no such guarantee: read-my-mind; there are read-your-writes, "):
            SessionState("c", ["monotonic-reads", "read-my-mind"])
