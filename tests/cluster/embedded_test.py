# SPDX-License-Identifier: AGPL-3.0-or-later
"""The tests of zattd once more, with nodes inside another program: embedded_node.c."""

import durability_test
import protocol_test
import stop_test
import walkthrough_test
from harness import BUILD, ClusterTest

ON_A_THREAD = (BUILD / "embedded_node",)
ON_A_LOOP = (BUILD / "embedded_node", "--loop")


class Protocol(protocol_test.Protocol):
    program = ON_A_THREAD


class ProtocolOnALoop(protocol_test.Protocol):
    program = ON_A_LOOP


class Garbage(protocol_test.Garbage):
    program = ON_A_THREAD


class Walkthrough(walkthrough_test.Walkthrough):
    program = ON_A_THREAD
    test_zattd_alone_is_a_working_store = None  # by a flag that only zattd has


class Lifetime(ClusterTest):
    """How it ends, and what it says until then."""

    def check_signals(self):
        stop_test.Stop.test_sigterm_finishes_what_is_in_flight(self)

    def check_failed_sync(self):
        durability_test.Durability.test_a_failed_sync_ends_the_node(self)

    said_nothing_after = durability_test.Durability.said_nothing_after

    def test_sigterm_on_a_thread(self):
        self.program = ON_A_THREAD
        self.check_signals()

    def test_sigterm_on_a_loop(self):
        self.program = ON_A_LOOP
        self.check_signals()

    def test_a_failed_sync_on_a_thread(self):
        self.program = ON_A_THREAD
        self.check_failed_sync()

    def test_a_failed_sync_on_a_loop(self):
        self.program = ON_A_LOOP
        self.check_failed_sync()
