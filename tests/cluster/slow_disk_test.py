# SPDX-License-Identifier: AGPL-3.0-or-later
"""A leader's disk that stalls, or hangs: only the second costs it the lead."""

from harness import ClusterTest, wait_for


class SlowDisk(ClusterTest):
    def test_a_stall_changes_nothing_and_a_disk_that_hangs_is_left(self):
        cluster = self.cluster().start(shim=True)
        leader = cluster.wait_leader()
        cluster.wait_serving()
        term = leader.status()["term"]
        for node in cluster:
            node.delay_syncs(2000)
        with leader.client() as client:
            self.assert_ok(client.request({"op": "set", "key": "k", "value": 1, "timeout_ms": 10_000}))
        self.assertEqual(leader.status()["term"], term)

        for node in cluster:
            node.delay_syncs(0)
        cluster.wait_serving()
        leader.delay_syncs(600_000)
        with cluster.followers()[0].client() as client:
            client.send({"op": "set", "key": "k", "value": 2, "timeout_ms": 10_000})
            others = [node for node in cluster if node is not leader]
            wait_for(lambda: any(n.status()["role"] == "leader" for n in others), "another leads", 15)
            self.assertGreater(others[0].status()["term"], term)
