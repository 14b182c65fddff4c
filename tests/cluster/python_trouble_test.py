# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Python client while real nodes stop, hang and die."""

import signal
import threading

from harness import HOST, free_port, wait_for
from load import read_all
from python_test import PythonTest
from zatt.client import (Client, DistributedDict, NoLeader, OutcomeUnknown, TryAgain, Unreachable,
                         ZattError)

WRITES = 10000
WRITERS = 4  # threads, over one DistributedDict


class Trouble(PythonTest):
    def test_a_server_that_is_down(self):
        port = free_port()
        for call in (lambda: len(DistributedDict(HOST, port, timeout=0.3)), Client((HOST, port), timeout=0.3).ping,
                     lambda: Client((HOST, port), timeout=0.3).set("k", 1)):
            with self.assertRaisesRegex(ConnectionError, f"127.0.0.1:{port}: Connection refused") as caught:
                call()
            self.assertIsInstance(caught.exception, Unreachable)
            self.assertIsInstance(caught.exception, ZattError)

    def test_a_server_that_comes_back_is_used_again(self):
        node = self.alone()
        d = self.dict(node)
        d["k"] = 1
        node.kill()
        with self.assertRaises(ConnectionError):
            d.client.timeout = 0.3
            d["k"] = 2
        d.client.timeout = 15
        got = []
        reader = threading.Thread(target=lambda: got.append(d["k"]))
        reader.start()  # while nobody is there
        node.start()
        reader.join(20)
        self.assertEqual(got, [1])
        # A restart between two calls is nothing that the caller needs to see.
        node.kill()
        node.start().wait_up()
        d["k"] = 3
        self.assertEqual(d["k"], 3)

    def test_a_majority_is_away(self):
        cluster = self.cluster().start()
        leader = cluster.wait_leader()
        d = self.dict(leader, timeout=1.0, append_retry_attempts=2)
        d["k"] = 1
        followers = cluster.followers()
        for node in followers:
            node.kill()
        with self.assertRaises((OutcomeUnknown, NoLeader)):
            d["k"] = 2
        leader.wait_status(lambda s: s["leader"] is None, "no leader any more")
        with self.assertRaises(NoLeader) as caught:
            d["k"] = 3
        self.assertIsInstance(caught.exception, ConnectionError)
        self.assertIsInstance(caught.exception, TryAgain)
        self.assertEqual(d.client.get("k", stale=True).value, 1)
        for node in followers:
            node.start()
        d.client.timeout = 15
        d["k"] = 4
        self.assertEqual(d["k"], 4)

    def test_a_write_is_unknown_and_its_node_is_left(self):
        """A stopped process takes what is sent to it, and does not answer."""
        cluster = self.cluster().start()
        cluster.wait_leader()
        victim = cluster[0]
        d = self.dict(victim, timeout=1.0)
        d["k"] = 1
        victim.signal(signal.SIGSTOP)
        with self.assertRaises(OutcomeUnknown) as caught:
            d["k"] = 2
        self.assertNotIsInstance(caught.exception, ConnectionError)
        d.client.timeout = 15
        self.assertIn(d["k"], (1, 2))
        d["k"] = 3
        victim.signal(signal.SIGCONT)
        cluster.wait_leader()
        # Unknown was the word: now that its node goes on, it may even happen after a later one.
        self.assertIn(self.dict(victim)["k"], (2, 3))

    def test_a_read_goes_elsewhere(self):
        cluster = self.cluster().start()
        leader = cluster.wait_leader()
        victim = next(node for node in cluster if node is not leader)
        d = self.dict(victim, timeout=3.0)
        d["k"] = 1
        victim.signal(signal.SIGSTOP)
        self.assertEqual(d["k"], 1)
        victim.kill()
        self.assertEqual((d["k"], len(d)), (1, 1))

    def test_the_leader_is_killed_in_the_middle_of_many_writes(self):
        cluster = self.cluster().start()
        cluster.wait_leader()
        d = self.dict(cluster.wait_leader(), timeout=10.0)
        acked, unknown, failed = {}, {}, {}
        killed = []

        def write(writer):
            for n in range(writer, WRITES, WRITERS):
                key = f"w{n:05}"
                try:
                    d[key] = n
                    acked[key] = n
                except OutcomeUnknown:
                    unknown[key] = n
                except ConnectionError as e:
                    failed[key] = e

        writers = [threading.Thread(target=write, args=(n,)) for n in range(WRITERS)]
        for writer in writers:
            writer.start()
        for share in (0.25, 0.5, 0.75):
            wait_for(lambda s=share: len(acked) >= WRITES * s, "enough writes", 120)
            leader = cluster.wait_leader()
            leader.kill()
            killed.append(leader.id)
            cluster.wait_leader(among=[node for node in cluster if node is not leader])
            leader.start().wait_up()
        for writer in writers:
            writer.join(120)

        self.assertEqual(len(killed), 3)
        self.assertEqual(len(acked) + len(unknown) + len(failed), WRITES)
        self.assertGreater(len(acked), WRITES - 10 * WRITERS)
        found = {key: value for key, (value, _) in read_all(cluster[0], "w").items()}
        self.assertEqual({k: v for k, v in acked.items() if found.get(k) != v}, {}, "acknowledged and lost")
        self.assertEqual([k for k in failed if k in found], [], "failed for certain, and there")
        self.assertEqual(set(found) - set(acked) - set(unknown), set())
        self.assertEqual(d.copy(), found)
        self.note(f"{len(acked)} acknowledged, {len(unknown)} unknown, {len(failed)} failed; "
                  f"leaders killed: {', '.join(killed)}")
