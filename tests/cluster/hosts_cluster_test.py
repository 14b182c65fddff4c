# SPDX-License-Identifier: AGPL-3.0-or-later
"""Clusters on hosts that turn bad while they run: what one node meets, the others get over."""

import ctypes
import fcntl
import os
import pathlib
import resource
import select
import signal
import socket
import struct
import subprocess
import threading
import unittest

from harness import BUILD, HOST, ROOT, ZATTD, ClusterTest, wait_for

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
VALUE = "x" * 60_000


class Crowd(threading.Thread):
    """Callers who keep whatever connection they get, and call again where it ends; each other one
    does not even say who it is."""

    size = 64

    def __init__(self, node):
        super().__init__(daemon=True)
        self.node = node
        self.held = []
        self.rounds = 0  # of calls, after which the node had no room for another
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(0.02):
            try:
                while len(self.held) < self.size:
                    peer = socket.create_connection((HOST, self.node.port), timeout=5)
                    self.held.append(peer)
                    if self.rounds + len(self.held) & 1:
                        peer.sendall(b"{")
            except OSError:
                continue
            ended = select.select(self.held, [], [], 0)[0]
            self.rounds += bool(ended)
            for peer in ended:
                self.held.remove(peer)
                peer.close()

    def wait_full(self):
        """No descriptor that was free when this began is free now."""
        until = self.rounds + 3
        wait_for(lambda: self.rounds >= until, f"node {self.node.id} has no room", 30)

    def stop(self):
        self.over.set()
        self.join()
        for peer in self.held:
            peer.close()


class HostsOfClusters(ClusterTest):
    def limit(self, node, which, soft):
        _, hard = resource.prlimit(node.pid, which)
        resource.prlimit(node.pid, which, (soft, hard))

    def fill(self, fifo):
        """A pipe in which there is no room, and which nobody reads."""
        os.mkfifo(fifo)
        pipe = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        self.addCleanup(os.close, pipe)
        try:
            while True:
                os.write(pipe, b"x" * 4096)
        except BlockingIOError:
            pass

    def sets(self, node, key, value=1, **more):
        return node.request({"op": "set", "key": key, "value": value, **more})

    def test_logs_that_nobody_reads_while_a_leader_dies(self):
        fifo = self.folder / "fifo"
        self.fill(fifo)
        self.program = ("/bin/sh", "-c", f'exec "$0" "$@" 2<>{fifo}', ZATTD)
        cluster = self.cluster(flags=["--debug"])
        cluster.start()
        cluster.wait_leader().kill()
        cluster.wait_leader()
        cluster.wait_serving()
        for node in cluster.running():
            node.signal(signal.SIGHUP)
        for node in cluster.running():
            self.assertEqual(node.terminate(), 0)

    def check_is_waited_out(self, role, begin, end, said, shim=False):
        """One node has no room: the others serve, it lives, and goes on after."""
        cluster = self.cluster(flags=["--segment-bytes", "1048576"])
        cluster.start(shim)
        leader = cluster.wait_leader()
        cluster.wait_serving()
        small = leader if role == "leader" else cluster.followers()[0]
        begin(small)
        others = [node for node in cluster if node is not small]
        done = 0

        def written():
            nonlocal done
            reply = self.sets(others[0], f"k{done}", VALUE, timeout_ms=4000)
            if not reply["ok"]:
                self.assertIn(reply["error"], ("storage_full", "no_leader", "outcome_unknown"), reply)
            done += reply["ok"]
            return done == 60
        wait_for(written, "60 values of 60 KB are written", 60, 0)
        self.assertTrue(small.is_running(), small.log())
        small.wait_log(rf"no room: .*\({said}\)")
        self.assertNotIn("disk is full", small.log())
        self.assertRegex(small.status()["notice"], said)
        end(small)
        small.wait_log("the disk has room again", 90)
        cluster.wait_level(60)
        for node in cluster.running():
            self.assertEqual(node.terminate(), 0, node.log())

    def check_limit_is_waited_out(self, size, role):
        """No file may grow beyond `size`."""
        self.check_is_waited_out(role, lambda node: self.limit(node, resource.RLIMIT_FSIZE, size),
                                 lambda node: self.limit(node, resource.RLIMIT_FSIZE, resource.RLIM_INFINITY),
                                 "ulimit -f, LimitFSIZE=")

    def check_files_are_waited_for(self, role):
        """The whole host has no open file left for whoever makes one."""
        self.check_is_waited_out(role, lambda node: node.no_file_path.touch(),
                                 lambda node: node.no_file_path.unlink(), "see sysctl fs.file-max", shim=True)

    def test_a_leader_on_a_host_without_open_files(self):
        self.check_files_are_waited_for("leader")

    def test_a_follower_on_a_host_without_open_files(self):
        self.check_files_are_waited_for("follower")

    def test_a_leader_whose_next_segment_may_not_be_made(self):
        self.check_limit_is_waited_out(512 << 10, "leader")

    def test_a_follower_none_of_whose_files_may_be_written(self):
        self.check_limit_is_waited_out(4096, "follower")

    def test_a_leader_none_of_whose_files_may_be_written(self):
        self.check_limit_is_waited_out(4096, "leader")

    def test_a_vote_that_cannot_be_written(self):
        """It is not given; nobody ends of it; and a stop does not wait for it."""
        cluster = self.cluster()
        cluster.start()
        leader = cluster.wait_leader()
        cluster.wait_serving()
        term = leader.status()["term"]
        mute, other = cluster.followers()
        self.limit(mute, resource.RLIMIT_FSIZE, 4096)
        leader.kill()
        mute.wait_log("no room: ")
        self.assertEqual([node.status()["role"] == "leader" for node in (mute, other)], [False] * 2)
        self.limit(mute, resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
        self.assertGreater(cluster.wait_leader(60).status()["term"], term)
        cluster.wait_serving()
        self.limit(mute, resource.RLIMIT_FSIZE, 4096)
        self.sets(cluster.wait_leader(), "k", timeout_ms=2000)
        self.assertEqual(mute.terminate(), 0, mute.log())

    def test_no_descriptor_is_left_at_a_roll_over(self):
        """The limit sinks below what is open already: no new file, nor any new connection."""
        cluster = self.cluster(flags=["--segment-bytes", "1048576"])
        cluster.start()
        leader = cluster.wait_leader()
        cluster.wait_serving()
        with leader.client() as client:
            client.request({"op": "ping"})  # so that it is in before there is no room
            self.limit(leader, resource.RLIMIT_NOFILE, 3)
            for n in range(60):
                reply = client.request({"op": "set", "key": f"k{n}", "value": VALUE})
                if not reply["ok"]:
                    self.assertIn(reply["error"], ("storage_full", "no_leader", "outcome_unknown"), reply)
            self.assertTrue(leader.is_running(), leader.log())
            self.limit(leader, resource.RLIMIT_NOFILE, 1024)
        cluster.wait_serving(60)
        for node in cluster.running():
            self.assertEqual(node.terminate(), 0, node.log())

    def test_clients_hold_all_descriptors(self):
        """Peers get in, segments are made, a stop is heeded."""
        self.program = ("/bin/sh", "-c", 'ulimit -n 64; exec "$0" "$@"', ZATTD)
        cluster = self.cluster(flags=["--segment-bytes", "1048576"])
        cluster.start()
        leader = cluster.wait_leader()
        follower = cluster.followers()[0]
        with leader.client() as own, follower.client() as theirs:
            own.request({"op": "ping"})
            theirs.request({"op": "ping"})
            crowds = [Crowd(leader), Crowd(follower)]
            for crowd in crowds:
                crowd.start()
                self.addCleanup(crowd.stop)
            leader.wait_log("too many connections")
            third = next(node for node in cluster if node not in (leader, follower))
            third.kill()
            self.assertTrue(own.request({"op": "set", "key": "alone", "value": 1})["ok"])
            for crowd in crowds:  # what its links had is anybody's now
                crowd.wait_full()
            third.start()
            third.wait_status(lambda status: status["leader"] == leader.id, "it has found its leader")
            for n in range(60):
                self.assertTrue(own.request({"op": "set", "key": f"k{n}", "value": VALUE})["ok"])
            self.assertTrue(theirs.request({"op": "get", "key": "k59"})["found"])
            for node in (leader, follower):
                self.assertEqual(node.terminate(), 0, node.log())


class Network(ClusterTest):
    def private(self, ports):
        """This process gets a network of its own: a loop, and `ports` for what calls out."""
        if os.geteuid() != 0 or ctypes.CDLL(None).unshare(CLONE_NEWNET) != 0:
            self.skipTest("no network of its own is to be had here")
        with socket.socket() as any_socket:
            fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", 0x41))
        self.outgoing(ports)

    @staticmethod
    def outgoing(ports):
        pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").write_text(ports)

    @staticmethod
    def calls():
        names, values = [line.split() for line in pathlib.Path("/proc/self/net/snmp").read_text().splitlines()
                         if line.startswith("Tcp:")]
        return int(values[names.index("ActiveOpens")])

    @staticmethod
    def lingering():
        """Connections of port 40000 to itself that have ended and still hold it."""
        lines = [line.split() for line in pathlib.Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
        return [line for line in lines if line[1].endswith(":9C40") and line[2] == line[1] and line[3] == "06"]

    def test_a_member_whose_port_others_may_take(self):
        """Whoever calls it while it is down is connected to itself, and lets go at once."""
        self.private("32768 60999")
        cluster = self.cluster()
        dead = cluster.by_id("2")
        text = cluster.config.read_text().replace(str(dead.port), "40000")
        cluster.config.write_text(text)
        dead.port = 40000
        cluster.start()
        cluster.wait_leader()
        dead.wait_log("port 40000 is one of those that this machine's outgoing connections take")
        ended = pathlib.Path("/proc/sys/net/ipv4/tcp_max_tw_buckets")
        many = ended.read_text()
        ended.write_text("0")  # its old connections do not keep the port from those who call
        dead.kill()
        cluster.wait_leader()
        cluster.wait_serving()
        ended.write_text(many)
        self.outgoing("40000 40000")  # every call of port 40000 now comes from there
        before = self.calls()
        wait_for(lambda: self.calls() > before + 10, "it was called in vain", 30)
        self.assertEqual(self.lingering(), [])
        dead.start()

        def is_back():
            self.assertTrue(dead.is_running(), dead.log())
            return "[2] node " in dead.log()
        wait_for(is_back, "it starts, and hears of a leader")
        self.outgoing("32768 60999")
        cluster.wait_level()
        for node in cluster:
            self.assertNotIn("called itself", node.log())

    def test_clients_that_would_call_themselves(self):
        self.private("40000 40000")
        for command in ([str(BUILD / "zatt"), "--servers", f"{HOST}:40000", "--timeout", "1", "get", "k"],
                        ["python3", "-c", "from zatt.client import DistributedDict as D\n"
                         f"D('{HOST}', 40000, timeout=1).get('k')"]):
            done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False,
                                  env={**os.environ, "PYTHONPATH": str(ROOT / "tools" / "python")})
            self.assertNotEqual(done.returncode, 0)
            self.assertEqual(self.lingering(), [])
            self.assertRegex(done.stderr, "nobody listens there|Connection refused")
        with socket.socket() as server:  # and nobody holds the port
            server.bind((HOST, 40000))

    def test_a_host_without_ipv6(self):
        self.private("32768 60999")
        pathlib.Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1")
        code, _, said = self.run_zattd("-a", "::1", "-p", "5254")
        self.assertEqual(code, 3, said)
        self.assertRegex(said, r"\[?::1\]?:5254 is no address of this machine")
        cluster = self.cluster()
        cluster.config.write_text(cluster.config.read_text().replace(f'"{HOST}"', '"localhost"'))
        cluster.start()
        cluster.wait_serving()


if __name__ == "__main__":
    unittest.main()
