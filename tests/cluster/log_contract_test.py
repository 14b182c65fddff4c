# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the README says of the log, line by line: each change of state is one line, and no more.

What lasts for hours is in tests/node/health_test.cc, on a clock of its own; that the log never
blocks in hosts_test.py.
"""

import contextlib
import json
import re
import shutil
import socket
import struct

from harness import HOST, ClusterTest, Node, free_port, wait_for

# Long enough that nobody stands for election because the machine is busy.
CALM = {"election_timeout_ms": 2500}
REASON = r"(it closed the connection|connection reset by peer|nothing listens there)"
LISTENING = r"zattd [\d.]+: node \w+ of .* listening on .*"
LEADS = r"(this node|node \w+) leads, term \d+"
SLOW = "the disk is slow: a write takes longer than a second"
MAGIC = b"\0zat"  # what members begin with
WELL = r"the disk keeps up again, after \d+ s"


def messages(node, start=0):
    """What this start of a node said, without times and its name."""
    lines = node.log().splitlines()[start:]
    return [re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d \[\w+\] (.*)", line)[1]
            for line in lines]


class Marks:
    """Where the logs of some nodes were, and what came since."""

    def __init__(self, test, nodes):
        self.test = test
        self.at = {node: len(messages(node)) for node in nodes}

    def since(self, node):
        return messages(node, self.at[node])

    def wait(self, node, *patterns):
        """Until each pattern has a line."""
        for pattern in patterns:
            wait_for(lambda: any(re.fullmatch(pattern, text) for text in self.since(node)),
                     f"node {node.id} says {pattern!r}", 30)

    def check(self, node, *patterns):
        """A line for each pattern, and no other."""
        left = self.since(node)
        for pattern in patterns:
            found = next((text for text in left if re.fullmatch(pattern, text)), None)
            self.test.assertIsNotNone(found, (node.id, pattern, self.since(node)))
            left.remove(found)
        self.test.assertEqual(left, [], (node.id, self.since(node)))


class LogContract(ClusterTest):
    def calm(self, size=3, shim=False, flags=()):
        """A cluster in which nothing happens, and its leader."""
        cluster = self.cluster(size, settings=CALM, flags=flags).start(shim)
        cluster.wait_serving()
        leader = cluster.wait_leader()
        for node in cluster:
            node.wait_log(LEADS)
            node.wait_status(lambda status: all(m["connected"] for m in status["members"].values()),
                             "all are connected")
        return cluster, leader

    def double(self, cluster, node_id, name):
        """A second process of that id, from a folder of its own."""
        port = free_port()
        folder = self.folder / name
        folder.mkdir()
        node = Node(folder, node_id, port, str(cluster.config), ["-p", str(port)])
        self.started.append(node)
        return node

    def test_a_start(self):
        cluster, _ = self.calm()
        for node in cluster:
            self.from_start(node).check(node, LISTENING, "cluster [0-9a-f]+ of 3 members",
                                        "no leader is known, term 0", LEADS)

    def from_start(self, *nodes):
        marks = Marks(self, nodes)
        marks.at = dict.fromkeys(nodes, 0)
        return marks

    def test_peers_majority_and_leader(self):
        cluster, leader = self.calm()
        one, two = [node for node in cluster if node is not leader]
        marks = Marks(self, [leader, one])
        gone = [rf"node {node.id} is gone: {REASON}" for node in (one, two)]
        back = [rf"node {node.id} is back after \d+ s" for node in (one, two)]
        two.kill()
        for node in (leader, one):
            marks.wait(node, gone[1])
        two.start().wait_up()
        for node in (leader, one):
            marks.wait(node, back[1])
        two.wait_log(LEADS)
        marks.check(leader, gone[1], back[1])
        marks.check(one, gone[1], back[1])
        # No majority, and again.
        marks = Marks(self, [leader])
        one.kill()
        marks.wait(leader, gone[0])
        two.kill()
        lost = [gone[0], gone[1], r"no leader is known, term \d+",
                rf"no majority is connected: node {min(one.id, two.id)} at {HOST}:\d+ \(last seen \d+ s ago: "
                rf"{REASON}\), node {max(one.id, two.id)} at {HOST}:\d+ \(last seen .*\)"]
        marks.wait(leader, *lost)
        one.start().wait_up()
        found = [back[0], r"a majority is connected again, after \d+ s", LEADS]
        marks.wait(leader, *found)
        marks.check(leader, *lost, *found)

    def test_a_leader_is_lost(self):
        cluster, leader = self.calm()
        others = [node for node in cluster if node is not leader]
        marks = Marks(self, others)
        leader.kill()
        said = [rf"node {leader.id} is gone: {REASON}", LEADS]  # an election that passes is worth none
        for node in others:
            marks.wait(node, *said)
        cluster.wait_serving()
        for node in others:
            marks.check(node, *said)

    def test_a_slow_disk(self):
        cluster, leader = self.calm(1, shim=True)
        marks = Marks(self, [leader])
        leader.delay_syncs(1500)
        self.assert_ok(leader.request({"op": "set", "key": "k", "value": 1, "timeout_ms": 60_000}, 60))
        marks.wait(leader, SLOW)
        leader.delay_syncs(0)
        marks.wait(leader, WELL)  # though nothing is written any more
        marks.check(leader, SLOW, WELL)

    def test_a_full_disk(self):
        cluster, leader = self.calm(1, shim=True, flags=["--segment-bytes", "65536"])
        marks = Marks(self, [leader])
        leader.fill_disk()
        refused = 0
        for n in range(100):
            refused += not leader.request({"op": "set", "key": f"k{n}", "value": "x" * 20_000})["ok"]
        self.assertGreater(refused, 50)
        full = rf"{leader.storage.name}: the disk is full; writes that need more room are refused until there is some"
        marks.wait(leader, full)
        status = leader.status()
        self.assertRegex(status["notice"], "the disk is full; make room there: ")
        for n in range(5000):  # what the reserve has room for
            if not leader.request({"op": "delete", "key": f"k{n}"})["ok"]:
                break
        used_up = rf"{leader.storage.name}: the disk is full and its reserve is used up; all writes are refused .*"
        marks.wait(leader, used_up)
        leader.give_room()
        room = rf"{leader.storage.name}: the disk has room again, after \d+ s"
        wait_for(lambda: any(re.fullmatch(room, text) for text in marks.since(leader)), "room again", 90)
        self.assert_ok(leader.request({"op": "set", "key": "again", "value": "x" * 20_000}))
        self.assertNotIn("notice", leader.status())
        marks.check(leader, full, used_up, room)

    def test_a_member_far_behind(self):
        cluster, leader = self.calm(shim=True)
        behind, other = [node for node in cluster if node is not leader]
        marks = Marks(self, cluster)
        behind.delay_syncs(6000)
        lines = "".join(json.dumps({"op": "set", "key": "k", "value": n, "timeout_ms": 60_000}) + "\n"
                        for n in range(250))
        with contextlib.ExitStack() as open_clients:
            clients = [open_clients.enter_context(leader.client(60)) for _ in range(4)]
            for _ in range(15):
                for client in clients:
                    client.send(lines)
                for client in clients:
                    for _ in range(250):
                        self.assert_ok(client.receive())
        far = rf"node {behind.id} is far behind, by \d{{5,}} entries"
        marks.wait(leader, far)
        self.assertRegex(leader.status()["notice"],
                         rf"^node {behind.id} is far behind, by \d+ entries: look at its disk and the network to it$")
        behind.delay_syncs(0)
        level = rf"node {behind.id} has caught up after \d+ s"
        marks.wait(leader, level)
        marks.wait(behind, SLOW, WELL)
        marks.check(leader, far, level)
        marks.check(behind, SLOW, WELL)
        marks.check(other)

    def test_probes_and_scanners(self):
        cluster, _ = self.calm()
        marks = Marks(self, cluster)
        said = [b"", b"", b"\n", b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
                b"*1\r\n$4\r\nPING\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"EHLO x\r\n", bytes(range(256)),
                b"\x00" * 300, b"help\n", b"{}\n", b'{"op":"status"', b"zatt"]
        said += [MAGIC, MAGIC + b"\x00" * 4, MAGIC + b"\xff" * 64, MAGIC + b"\x10\x00\x00\x00" + b"x" * 16]
        for n in range(1000):
            for node in cluster:
                with contextlib.suppress(ConnectionError), socket.create_connection((HOST, node.port), 10) as probe:
                    probe.sendall(said[n % len(said)])
                    if n % 3 == 0:  # ends with a reset
                        probe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for node in cluster:
            self.assert_ok(node.request({"op": "get", "key": "serving"}))
            marks.check(node)

    def test_the_same_id_twice(self):
        cluster, _ = self.calm()
        marks = Marks(self, cluster)
        twice = self.double(cluster, "0", "twice").start()
        self.assertEqual(twice.wait_exit(90), 6)
        why = "node 0 is connected already, from another storage directory: was it started twice\\?"
        self.from_start(twice).check(
            twice, LISTENING, r"this directory is new, and cluster [0-9a-f]+ lives: .*",
            f"node 1 refuses this node: {why}", f"node 2 refuses this node: {why}",
            "this storage directory is new, and the cluster knows node 0 by another: .*",
            rf"error: a majority of the members refuses this node: {why}\. Look at its configuration .*")
        marks.check(cluster[0])
        for node in (cluster[1], cluster[2]):
            marks.check(node, f"node 0 is refused: {why}")

    def test_a_node_of_another_cluster(self):
        cluster, _ = self.calm()
        foreign, _ = self.calm()
        foreign.kill()
        node = cluster[0]
        others = [cluster[1], cluster[2]]
        node.kill()
        cluster.wait_leader()
        for other in others:
            other.wait_log(r"node 0 is gone")
        marks = Marks(self, others)
        shutil.rmtree(node.storage)
        shutil.copytree(foreign[0].storage, node.storage)
        node.start()
        self.assertEqual(node.wait_exit(), 6)
        self.from_start(node).check(
            node, LISTENING, r"error: a majority of the members refuses this node: node \d belongs to cluster .*")
        refused = r"node 0 is still gone, after \d+ s: it is refused: node 0 belongs to cluster .*"
        for other in others:
            marks.wait(other, refused)
            marks.check(other, refused)
