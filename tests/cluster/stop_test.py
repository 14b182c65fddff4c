# SPDX-License-Identifier: AGPL-3.0-or-later
"""Stopping, pausing and continuing nodes while clients write."""

import json
import signal
import time

from harness import ClusterTest, wait_for
from load import Load


class Stop(ClusterTest):
    def test_sigterm_finishes_what_is_in_flight(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number.name):
                cluster = self.cluster().start()
                leader = cluster.wait_leader()
                cluster.wait_serving()
                with leader.client() as client:
                    lines = [json.dumps({"op": "set", "key": f"k{n}", "value": n, "id": n})
                             for n in range(200)]
                    client.send("\n".join(lines) + "\n")
                    # The first answer: some are done, the others are in flight or not yet read.
                    replies = [client.receive()]
                    leader.signal(number)
                    try:
                        while True:
                            replies.append(client.receive())
                    except ConnectionError:
                        pass
                self.assertEqual(leader.wait_exit(), 0, leader.log())
                self.assertEqual([reply["id"] for reply in replies], list(range(len(replies))))
                for reply in replies:
                    if not reply["ok"]:
                        self.assertIn(reply["error"], ("shutting_down",), reply)
                others = [node for node in cluster if node is not leader]
                cluster.wait_leader(among=others)
                for reply in replies:
                    got = others[0].request({"op": "get", "key": f'k{reply["id"]}'})
                    self.assertEqual(got["found"], reply["ok"], reply)
                cluster.kill()

    def test_a_disk_that_hangs_does_not_hold_up_the_end(self):
        cluster = self.cluster().start(shim=True)
        leader = cluster.wait_leader()
        cluster.wait_serving()
        leader.delay_syncs(60_000)
        with leader.client() as client:
            client.send(json.dumps({"op": "set", "key": "a", "value": 1, "timeout_ms": 200}) + "\n")
            client.receive()  # the others have it, or the time is up: the sync is under way
            began = time.monotonic()
            leader.signal(signal.SIGTERM)
            self.assertEqual(leader.wait_exit(), 0, leader.log())
        self.note(f"{time.monotonic() - began:.1f} s from SIGTERM to the end, with a disk that hangs")
        cluster.wait_leader(among=[node for node in cluster if node is not leader])

    def test_a_start_can_be_stopped(self):
        cluster = self.cluster(1)
        node = cluster[0]
        node.delay_syncs(60_000)
        node.start(shim=True)
        wait_for(lambda: node.storage.exists(), "it is starting")
        node.signal(signal.SIGTERM)
        self.assertEqual(node.wait_exit(), 0, node.log())
        self.assertIn("stopped while it was starting", node.log())

    def test_a_leader_that_stops_costs_little(self):
        cluster = self.cluster().start()
        leader = cluster.wait_leader()
        others = [node for node in cluster if node is not leader]
        with Load([node.port for node in others], writers=3) as load:
            load.wait_acks(50)
            began = time.monotonic()
            self.assertEqual(leader.terminate(), 0, leader.log())
            load.wait_acks(50)
            gap = load.longest_gap_s(began)
        self.note(f"{gap:.2f} s without an acknowledgement when the leader was stopped by SIGTERM")
        self.assertLess(gap, 5)
        for node in others:
            load.check(self, node)

    def test_a_follower_paused_for_three_seconds_changes_nothing(self):
        cluster = self.cluster().start()
        leader = cluster.wait_leader()
        paused = cluster.followers()[0]
        term = leader.status()["term"]
        with Load([leader.port], writers=2, pause_s=0.005) as load:
            load.wait_acks(50)
            paused.signal(signal.SIGSTOP)
            began = time.monotonic()
            # The pause is the test, so its length is waited for, by counting what goes on.
            while time.monotonic() - began < 3:
                load.wait_acks(5)
            paused.signal(signal.SIGCONT)
            wanted = leader.status()["commit"]
            paused.wait_status(lambda s: s["applied"] >= wanted, "has caught up")
            load.wait_acks(20)
        self.assertEqual({node.status()["term"] for node in cluster}, {term})
        self.assertEqual(cluster.wait_leader(), leader)
        self.assertEqual(load.refused, {})
        self.assertEqual(load.unknown, {})
        load.check(self, paused)

    def test_a_paused_leader_is_replaced_and_says_nothing_old(self):
        cluster = self.cluster().start()
        leader = cluster.wait_leader()
        others = [node for node in cluster if node is not leader]
        self.assert_ok(leader.request({"op": "set", "key": "k", "value": "old"}))
        with leader.client(timeout_s=30) as client:
            self.assert_ok(client.request({"op": "get", "key": "k"}))
            leader.signal(signal.SIGSTOP)
            cluster.wait_leader(among=others)
            self.assert_ok(others[0].request({"op": "set", "key": "k", "value": "new"}))
            client.send({"op": "get", "key": "k", "timeout_ms": 10000})
            leader.signal(signal.SIGCONT)
            self.assertEqual(client.receive()["value"], "new")
