"""Two real replicas, a and b, whose addresses the environment has: tests/clients/python.test.ts starts them."""

from __future__ import annotations

import os
import unittest
from typing import Any, List

from barista_client import Connection, Endpoint
from barista_client._generated.barista import Admin, ttypes

TIMEOUT = 20.0


class Pair(unittest.TestCase):
    """Each test begins with the two not linked; they exchange writes only when ``exchange`` asks them to."""

    a: str
    b: str

    @classmethod
    def setUpClass(cls) -> None:
        cls.a, cls.b = os.environ["BARISTA_A"], os.environ["BARISTA_B"]

    def setUp(self) -> None:
        for at, peer in ((self.a, "b"), (self.b, "a")):
            self.ask(at, "unlink", ttypes.UnlinkRequest(peer=peer))

    def exchange(self) -> None:
        """Links the two, and has each take from the other what it lacks."""
        for at, peer, address in ((self.a, "b", self.b), (self.b, "a", self.a)):
            host, port = Endpoint.parse(address)
            self.ask(at, "link", ttypes.LinkRequest(peer=peer, host=host, port=port))
        for at in (self.a, self.b):
            reply = self.ask(at, "stabilize", ttypes.StabilizeRequest(budgetMs=10_000, compact=False))
            self.assertEqual([(it.done, it.errorMessage) for it in reply.outcomes], [(True, None)])

    def log_of(self, at: str, client: str) -> List[Any]:
        """The client's writes in the replica's log."""
        reply = self.ask(at, "log", ttypes.LogRequest(writesMax=65_536))
        self.assertFalse(reply.more)
        return [entry for entry in reply.entries if entry.client == client]

    def ask(self, at: str, method: str, request: Any) -> Any:
        connection = Connection(Endpoint.parse(at), TIMEOUT)
        self.addCleanup(connection.close)
        return connection.call(Admin, method, request)
