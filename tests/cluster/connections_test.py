# SPDX-License-Identifier: AGPL-3.0-or-later
"""Many connections, idle ones, and ones that do not read."""

import json
import os
import resource
import socket
import time

from harness import SANITIZED, ClusterTest, wait_for
from load import Load

MIB = 1 << 20


class Connections(ClusterTest):
    def test_idle_connections_cost_little(self):
        count = 2000
        cluster = self.cluster().start()
        leader = cluster.wait_leader()
        with Load([leader.port], writers=2, pause_s=0.01) as load:
            load.wait_acks(300)
            before = leader.rss_bytes()
            idle = [leader.client(timeout_s=30) for _ in range(count)]
            try:
                # Each has spoken once, as real ones have.
                for client in idle:
                    client.send({"op": "ping"})
                for client in idle:
                    self.assert_ok(client.receive())
                load.wait_acks(100)
                growth = (leader.rss_bytes() - before) / count
                self.note(f"{count} idle connections: {growth:.0f} bytes each, of {before // 1024} KiB")
                if not SANITIZED:
                    self.assertLess(growth, 4096)
                self.assert_ok(idle[-1].request({"op": "get", "key": "load-0-0"}))
            finally:
                for client in idle:
                    client.close()
            load.wait_acks(20)
        self.assertEqual(load.refused, {})
        self.assertEqual(load.unknown, {})

    def test_a_client_that_does_not_read_is_closed(self):
        cluster = self.cluster().start()
        leader = cluster.wait_leader()
        self.assert_ok(leader.request({"op": "set", "key": "big", "value": "v" * 500_000}))
        before = leader.rss_bytes()
        greedy = leader.client(timeout_s=60)
        greedy.socket.setblocking(False)
        lines = (json.dumps({"op": "get", "key": "big"}) + "\n").encode() * 100
        sent = 0
        peak = before
        closed = None
        with Load([leader.port], writers=1, pause_s=0.005) as load:
            began = time.monotonic()
            # It sends as much as is taken and reads nothing.
            while closed is None:
                try:
                    sent += greedy.socket.send(lines)
                except BlockingIOError:
                    time.sleep(0.01)
                except ConnectionError as error:
                    closed = error
                peak = max(peak, leader.rss_bytes())
                self.assertLess(time.monotonic() - began, 90, "it is never closed")
            load.wait_acks(20)
        greedy.close()
        self.note(f"closed after {time.monotonic() - began:.1f} s and {sent} bytes of requests; "
                  f"the node grew by {(peak - before) // 1024} KiB meanwhile")
        if not SANITIZED:
            self.assertLess(peak - before, 64 * MIB)
        self.assertEqual(load.refused, {})
        load.check(self, leader)

    def test_a_slow_reader_gets_everything(self):
        """Slow is not dead: replies wait, requests wait, nothing is lost."""
        cluster = self.cluster().start()
        leader = cluster.wait_leader()
        self.assert_ok(leader.request({"op": "set", "key": "big", "value": "v" * 100_000}))
        with leader.client(timeout_s=60) as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            client.send("".join(json.dumps({"op": "get", "key": "big", "id": n}) + "\n" for n in range(200)))
            for n in range(200):
                reply = client.receive()
                self.assertEqual((reply["id"], len(reply["value"])), (n, 100_000))
                if n % 20 == 0:
                    time.sleep(0.05)

    def test_connections_that_come_and_go_leave_nothing(self):
        cluster = self.cluster(size=1).start()
        cluster.wait_serving()
        node = cluster[0]

        def open_files():
            return len(os.listdir(f"/proc/{node.pid}/fd"))
        before = open_files()
        for _ in range(20):
            clients = [node.client() for _ in range(50)]
            for n, client in enumerate(clients):
                client.send({"op": "ping"} if n % 2 else '{"op":"ge')
            for client in clients:
                client.close()
        wait_for(lambda: open_files() <= before, f"back to {before} open files")
        self.assert_ok(node.request({"op": "ping"}))

    def test_more_connections_than_open_files(self):
        cluster = self.cluster(size=1)
        node = cluster[0]
        node.start()
        # The node raises its soft limit to its hard one: so both are lowered, for it alone.
        node.wait_up()
        resource.prlimit(node.pid, resource.RLIMIT_NOFILE, (64, 64))
        clients = []
        try:
            for _ in range(200):
                clients.append(node.client(timeout_s=5))
            served = 0
            for client in clients:
                try:
                    client.send({"op": "ping"})
                    served += client.receive()["ok"]
                except OSError:
                    pass
            self.note(f"{served} of {len(clients)} served at a limit of 64 open files")
            self.assertGreater(served, 20)
            self.assertLess(served, 64)
            self.assertTrue(node.is_running())
        finally:
            for client in clients:
                client.close()
        wait_for(lambda: node.status(), "served again")
        node.wait_log("(?i)open files|EMFILE|too many")
        self.assertLess(len(node.log().splitlines()), 30)
