# SPDX-License-Identifier: AGPL-3.0-or-later
"""kill -9 while clients write: nothing acknowledged is lost, and who is left goes on."""

import time

from harness import SOAK, ClusterTest
from load import Load

LEADER_KILLS = 20 if SOAK else 6
CLUSTER_KILLS = 20 if SOAK else 6


class Crash(ClusterTest):
    def test_kill_the_leader_under_load(self):
        cluster = self.cluster().start()
        cluster.wait_serving()
        gaps = []
        with Load([node.port for node in cluster], writers=4) as load:
            for _ in range(LEADER_KILLS):
                load.wait_acks(50)
                leader = cluster.wait_leader()
                killed_at = time.monotonic()
                leader.kill()
                others = [node for node in cluster if node is not leader]
                cluster.wait_leader(among=others)
                load.wait_acks(20)
                gaps.append(load.longest_gap_s(killed_at))
                leader.start()
                leader.wait_up()
        cluster.wait_leader()
        self.note(f"{len(load.acked)} acknowledged, {len(load.unknown)} unknown, "
                  f"{len(load.refused)} refused over {LEADER_KILLS} kills; without an acknowledgement "
                  f"after each: {' '.join(f'{gap:.2f}' for gap in gaps)} s")
        # Twice the longest election timeout, and time for a busy machine.
        self.assertLess(max(gaps), 8)
        for node in cluster:
            load.check(self, node)

    def test_kill_all_at_once(self):
        cluster = self.cluster().start()
        cluster.wait_serving()
        loads = []
        for round_number in range(CLUSTER_KILLS):
            load = Load([node.port for node in cluster], writers=4, name=f"round-{round_number}",
                        timeout_ms=1000)
            with load:
                load.wait_acks(40)
                cluster.kill()
            loads.append(load)
            began = time.monotonic()
            cluster.start()
            cluster.wait_serving()
            served_after = time.monotonic() - began
            self.assertLess(served_after, 10)
            load.check(self, cluster[round_number % 3])
        for load in loads:
            load.check(self, cluster.wait_leader())
        self.note(f"{sum(len(load.acked) for load in loads)} acknowledged over {CLUSTER_KILLS} kills "
                  f"of all; serving again after at most {served_after:.2f} s in the last round")

    def test_a_follower_answers_after_the_leader_died(self):
        cluster = self.cluster().start()
        leader = cluster.wait_leader()
        follower, other = cluster.followers()
        rev = self.assert_ok(leader.request({"op": "set", "key": "k", "value": "before"}))["rev"]
        with follower.client() as client:
            self.assert_ok(client.request({"op": "get", "key": "k"}))
            leader.kill()
            began = time.monotonic()
            # Sent while there is no leader: the election is waited out within timeout_ms.
            reply = client.request({"op": "get", "key": "k", "timeout_ms": 10000})
            self.note(f"the read after the leader's death took {time.monotonic() - began:.2f} s")
            self.assertEqual(reply, {"ok": True, "found": True, "value": "before", "rev": rev})
            new_rev = self.assert_ok(client.request({"op": "set", "key": "k", "value": "after"}))["rev"]
            self.assertGreater(new_rev, rev)
        self.assertEqual(other.request({"op": "get", "key": "k"})["value"], "after")
        leader.start()
        leader.wait_up()
        self.assertEqual(leader.request({"op": "get", "key": "k", "timeout_ms": 10000}),
                         {"ok": True, "found": True, "value": "after", "rev": new_rev})

    def test_incr_is_never_lost_nor_doubled(self):
        cluster = self.cluster().start()
        cluster.wait_serving()
        acked, unknown, values = 0, 0, []
        for round_number in range(LEADER_KILLS // 2):
            leader = cluster.wait_leader()
            asked = cluster.followers()[round_number % 2]
            with asked.client() as client:
                for n in range(40):
                    if n == 20:
                        leader.kill()
                    reply = client.request({"op": "incr", "key": "n", "timeout_ms": 8000})
                    if reply["ok"]:
                        acked += 1
                        values.append(reply["value"])
                    elif reply["error"] == "outcome_unknown":
                        unknown += 1
                    else:
                        self.assertIn(reply["error"], ("no_leader", "overloaded"), reply)
            leader.start()
            leader.wait_up()
        cluster.wait_leader()
        value = cluster[0].request({"op": "get", "key": "n"})["value"]
        self.note(f"{acked} acknowledged, {unknown} unknown, the counter is at {value}")
        self.assertEqual(len(set(values)), len(values), "one number given twice")
        self.assertEqual(values, sorted(values))
        self.assertGreaterEqual(value, acked)
        self.assertLessEqual(value, acked + unknown)

    def test_one_node_alone_survives_kills(self):
        cluster = self.cluster(size=1).start()
        cluster.wait_serving()
        loads = []
        for n in range(CLUSTER_KILLS // 2):
            load = Load([cluster[0].port], writers=2, name=f"alone-{n}", timeout_ms=1000)
            with load:
                load.wait_acks(40)
                cluster[0].kill()
            cluster.start()
            cluster.wait_serving()
            loads.append(load)
            for one in loads:
                one.check(self, cluster[0])
