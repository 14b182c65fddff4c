# SPDX-License-Identifier: AGPL-3.0-or-later
"""Durable before said, and no more disk than that: zattd watched from below (tests/support/shim.c)."""

import contextlib
import pathlib
import time

from harness import SOAK, Client, ClusterTest, wait_for
from load import Load, closed_loop

IDLE_S = 60 if SOAK else 8


def syncs(node, since_ns=0):
    return [call for call in node.shim_calls() if call.is_sync and call.begin_ns >= since_ns]


def kept_between(node, sent_ns, answered_ns):
    """Whether `node` wrote something after sent_ns and had it synced before answered_ns."""
    calls = [call for call in node.shim_calls() if call.begin_ns >= sent_ns and call.end_ns <= answered_ns]
    return any(write.end_ns <= sync.begin_ns and write.fd == sync.fd
               for sync in calls if sync.is_sync and sync.result == 0
               for write in calls if write.is_file_write and write.result > 0)


class Durability(ClusterTest):
    def test_acknowledged_means_synced_on_two_of_three(self):
        """Every disk takes a time of its own, so that who speaks too early speaks alone."""
        cluster = self.cluster().start(shim=True)
        leader = cluster.wait_leader()
        cluster.wait_serving()
        followers = cluster.followers()
        for delays in ((120, 20, 60), (20, 60, 120), (60, 120, 20)):
            for node, delay in zip([leader, *followers], delays):
                node.delay_syncs(delay)
            times = []
            for asked in (leader, followers[0]):
                with asked.client() as client:
                    for n in range(8):
                        sent_ns = time.monotonic_ns()
                        self.assert_ok(client.request({"op": "set", "key": "k", "value": n}))
                        times.append((asked, sent_ns, time.monotonic_ns()))
            for asked, sent_ns, answered_ns in times:
                kept = [node.id for node in cluster if kept_between(node, sent_ns, answered_ns)]
                self.assertGreaterEqual(len(kept), 2, f"acknowledged by {asked.id} after "
                                        f"{(answered_ns - sent_ns) / 1e6:.1f} ms, synced only on {kept}")
            took = sorted((answered - sent) / 1e6 for _, sent, answered in times)
            self.note(f"the leader's sync takes {delays[0]} ms, the followers' {delays[1]} and "
                      f"{delays[2]}: a write {took[len(took) // 2]:.0f} ms, at most {took[-1]:.0f}")
        self.assertEqual(cluster.wait_leader(), leader)

    def test_one_slow_disk_does_not_slow_the_others(self):
        cluster = self.cluster().start(shim=True)
        leader = cluster.wait_leader()
        slow = cluster.followers()[0]
        term = leader.status()["term"]
        slow.delay_syncs(2000)
        with leader.client() as client:
            began = time.monotonic()
            for n in range(20):
                self.assert_ok(client.request({"op": "set", "key": "k", "value": n}))
            self.assertLess(time.monotonic() - began, 5)
        cluster.wait_level(30)
        self.assertEqual(leader.status()["term"], term, "a slow disk of a follower deposes nobody")

    def test_many_clients_share_a_sync(self):
        cluster = self.cluster().start(shim=True)
        leader = cluster.wait_leader()
        cluster.wait_serving()
        clients, writes_each = 64, 100 if SOAK else 50
        began_ns = time.monotonic_ns()
        took_s = closed_loop(leader.port, clients, writes_each)
        writes = clients * writes_each
        counts = {node.id: len(syncs(node, began_ns)) for node in cluster}
        self.note(f"{writes} writes by {clients} clients in {took_s:.2f} s ({writes / took_s:.0f}/s), "
                  f"syncs a node: {counts}")
        for node_id, count in counts.items():
            self.assertLessEqual(count * 4, writes, f"node {node_id}")

    def test_an_idle_cluster_writes_nothing(self):
        cluster = self.cluster().start(shim=True)
        leader = cluster.wait_leader()
        with leader.client() as client:
            for n in range(50):
                self.assert_ok(client.request({"op": "set", "key": f"k{n}", "value": n}))

        def file_calls(node):
            return [call for call in node.shim_calls() if call.is_sync or call.is_file_write]

        def is_quiet(node):
            """The log's end is noted once, and that is synced 5 s later; then nothing comes."""
            last_ns = max(call.end_ns for call in file_calls(node))
            return time.monotonic_ns() - last_ns > 6_000_000_000
        for node in cluster:
            wait_for(lambda node=node: is_quiet(node), f"node {node.id} falls quiet", 20)
        before = {node.id: (len(file_calls(node)), self.last_change(node), self.switches(node))
                  for node in cluster}
        # Nothing is to happen: this time must pass.
        end = time.monotonic() + IDLE_S
        with cluster.followers()[0].client() as client:
            while time.monotonic() < end:
                # Reads and statistics cost no write either.
                self.assert_ok(client.request({"op": "get", "key": "k1"}))
                self.assert_ok(client.request({"op": "status"}))
                time.sleep(0.5)
        for node in cluster:
            calls, changed, switches = before[node.id]
            self.assertEqual(file_calls(node)[calls:], [], f"node {node.id} wrote while idle")
            self.assertEqual(self.last_change(node), changed, f"node {node.id}")
            rate = (self.switches(node) - switches) / IDLE_S
            self.note(f"node {node.id}: {rate:.0f} wake-ups a second")
            self.assertLess(rate, 100)

    @staticmethod
    def last_change(node):
        return max(path.stat().st_mtime_ns for path in [node.storage, *node.storage.iterdir()])

    @staticmethod
    def switches(node):
        tasks = pathlib.Path(f"/proc/{node.pid}/task").iterdir()
        return sum(int(line.split()[1]) for task in tasks
                   for line in (task / "status").read_text().splitlines()
                   if line.startswith("voluntary_ctxt_switches"))

    def test_names_are_synced_before_anything_rests_on_them(self):
        """Between a rename and the first answer after it lies a sync of the directory: at a first start, at
        roll-overs, at a start."""
        node = self.node(flags=["--segment-bytes", "65536"])
        node.flags += ["-p", str(node.port)]
        for _ in range(2):
            node.start(shim=True).wait_up()
            with node.client() as client:
                for n in range(60):
                    self.assert_ok(client.request({"op": "set", "key": f"k{n}", "value": "x" * 8000}))
            self.assertEqual(node.terminate(), 0)
        calls = [call for call in node.shim_calls() if call.result >= 0]
        renames = [call for call in calls if call.call == "renameat"]
        named = [call.data for call in renames]
        self.assertIn("hard_state", named)
        self.assertGreater(sum(name.endswith(".seg") for name in named), 6, named)
        for rename in renames:
            # Nothing rests on a spare before it is in use: what is answered meanwhile was there already.
            rests = [call.begin_ns for call in renames if call.data.endswith(".seg")] \
                if rename.data.endswith(".spare") else [call.begin_ns for call in calls if call.kind == "socket"]
            answered = [begin for begin in rests if begin > rename.end_ns]
            if answered:
                self.assertTrue(any(rename.end_ns <= call.begin_ns and call.end_ns <= answered[0] for call in calls
                                    if call.is_sync and call.kind == "directory"), f"{rename} and no sync")

    def test_a_new_folder_s_name_is_synced_before_anything_is_written_in_it(self):
        """Whoever has made the folder; once."""
        for name, made in (("0", False), ("1", True)):
            node = self.node(name)
            node.flags = ["-p", str(node.port)]
            if made:
                node.storage.mkdir()
            node.start(shim=True).wait_up()
            self.assertEqual(node.terminate(), 0)
            calls = [call for call in node.shim_calls() if call.result >= 0]
            first_write = min(call.begin_ns for call in calls if call.is_file_write)
            self.assertTrue(any(call.is_sync and call.kind == "directory" and call.end_ns <= first_write
                                for call in calls), "the name of a new folder is not synced")
            started_ns = time.monotonic_ns()
            node.start(shim=True).wait_up()
            self.assertEqual(node.terminate(), 0)
            calls = [call for call in node.shim_calls() if call.result >= 0 and call.begin_ns > started_ns]
            first_write = min(call.begin_ns for call in calls if call.is_file_write)
            self.assertFalse(any(call.is_sync and call.end_ns <= first_write for call in calls), "synced again")

    def test_a_disk_as_slow_as_an_sd_card_is_not_one_that_hangs(self):
        """15 MB/s and 10 ms a sync, and many large values at once: no leader goes, and writes go on."""
        for size in (1, 3):
            with self.subTest(size=size):
                cluster = self.cluster(size).start(shim=True)
                leader = cluster.wait_leader()
                cluster.wait_serving()
                for node in cluster:
                    node.delay_syncs("10 15000")
                term = leader.status()["term"]
                with contextlib.ExitStack() as stack:
                    clients = [stack.enter_context(Client(leader.port, 60)) for _ in range(40)]
                    value = "x" * 1_000_000
                    for n, client in enumerate(clients):
                        client.send({"op": "set", "key": f"k{n}", "value": value, "timeout_ms": 60000})
                    for client in clients:
                        self.assert_ok(client.receive())
                self.assertEqual(leader.status()["term"], term, "a busy disk deposes nobody")

    def test_a_failed_sync_ends_the_node(self):
        for role in ("leader", "follower"):
            with self.subTest(role):
                cluster = self.cluster().start(shim=True)
                leader = cluster.wait_leader()
                victim = leader if role == "leader" else cluster.followers()[0]
                with Load([node.port for node in cluster], writers=3) as load:
                    load.wait_acks(30)
                    victim.break_disk()
                    self.assertEqual(victim.wait_exit(), 5, victim.log())
                    load.wait_acks(50)
                self.said_nothing_after(victim)
                self.assertRegex(victim.log(), "(?i)input/output error|EIO")
                others = [node for node in cluster if node is not victim]
                for node in others:
                    load.check(self, node)
                victim.mend_disk()
                victim.start()
                victim.wait_up()
                cluster.wait_leader()
                load.check(self, victim)
                cluster.kill()

    def said_nothing_after(self, node):
        """No client was told ok by this node once it can have learned that its disk had failed.

        Until then it may pass on what the two others have made durable without it.
        """
        calls = node.shim_calls()
        failed_ns = next(call.end_ns for call in calls if call.is_sync and call.result != 0)
        later = [call for call in calls if call.kind == "socket" and
                 call.begin_ns > failed_ns + 100_000_000 and
                 '"ok":true' in call.data and '"rev"' in call.data]
        self.assertEqual(later, [])

    def test_a_lone_node_acknowledges_after_its_own_sync(self):
        cluster = self.cluster(size=1).start(shim=True)
        cluster.wait_serving()
        cluster[0].delay_syncs(30)
        with cluster[0].client() as client:
            for n in range(10):
                sent_ns = time.monotonic_ns()
                self.assert_ok(client.request({"op": "set", "key": "k", "value": n}))
                self.assertTrue(kept_between(cluster[0], sent_ns, time.monotonic_ns()))
