# SPDX-License-Identifier: AGPL-3.0-or-later
"""A follower that comes back under load, far behind what its leader has in memory."""

import contextlib
import selectors
import socket
import threading

from harness import HOST, ClusterTest, wait_for

CLIENTS = 200
VALUE = "x" * 4096
FAR_BEHIND = 4000  # entries: 16 MB, four times what a leader keeps in memory


class Writers:
    """So many clients, each of which sends its next set when the last one was answered."""

    def __init__(self, port):
        self.port = port
        self.acks = 0
        self.errors = []
        self.stopping = False
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join()

    def run(self):
        with contextlib.ExitStack() as peers, selectors.DefaultSelector() as selector:
            for n in range(CLIENTS):
                peer = peers.enter_context(socket.create_connection((HOST, self.port), timeout=20))
                line = f'{{"op":"set","key":"key-{n}","value":"{VALUE}"}}\n'.encode()
                selector.register(peer, selectors.EVENT_READ, line)
                peer.sendall(line)
            while not self.stopping and not self.errors:
                for key, _ in selector.select(1):
                    reply = key.fileobj.recv(65536)
                    if b'"ok":true' not in reply:
                        self.errors.append(reply)
                    self.acks += 1
                    key.fileobj.sendall(key.data)


class CatchingUp(ClusterTest):
    def test_a_follower_restarted_under_load_is_level_while_it_lasts(self):
        cluster = self.cluster().start(shim=True)
        leader = cluster.wait_leader()
        cluster.wait_serving()
        term = leader.status()["term"]
        behind = cluster.followers()[0]
        for node in cluster:
            node.delay_syncs(20)  # what is read in the time of one sync is less than what is written
        with Writers(leader.port) as load:
            behind.kill()
            gone = leader.status()["applied"]
            wait_for(lambda: leader.status()["applied"] >= gone + FAR_BEHIND, "the log has grown", 60)
            behind.start(shim=True)
            behind.wait_up()

            def is_near():
                # What was asked of it after its leader: within what all clients have under way.
                end, reached = leader.status(), behind.status()
                return end and reached and reached["applied"] + 2 * CLIENTS >= end["applied"]
            wait_for(is_near, "the follower is near its leader", 30)
            acks = load.acks
            wait_for(lambda: load.acks >= acks + 10 * CLIENTS or load.errors, "the load goes on", 30)
            wait_for(is_near, "and it stays near", 30)
            self.assertEqual(load.errors, [])
        cluster.wait_level()
        self.assertEqual(leader.status()["term"], term)
