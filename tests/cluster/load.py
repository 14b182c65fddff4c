# SPDX-License-Identifier: AGPL-3.0-or-later
"""Clients that write while a test does harm, and what they were promised meanwhile.

Every write has a key of its own, so that afterwards each acknowledged one must be found with its
value and revision, each refused one must be absent, and each unknown one may be either.
"""

import collections
import json
import selectors
import socket
import threading
import time

from harness import HOST, Client

DEFINITE = {"no_leader", "overloaded", "shutting_down", "storage_full", "bad_request"}


class Load:
    """`writers` threads, each with one connection at a time and one write at a time."""

    def __init__(self, ports, writers=4, name="load", timeout_ms=3000, pause_s=0.0):
        self.ports = list(ports)
        self.name = name
        self.timeout_ms = timeout_ms
        self.pause_s = pause_s
        self.acked = {}      # key -> (value, rev)
        self.refused = {}    # key -> error
        self.unknown = {}    # key -> value
        self.ack_times = []  # monotonic seconds
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.write, args=(n,), daemon=True)
                        for n in range(writers)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(30)

    def acks(self):
        with self.lock:
            return len(self.acked)

    def wait_acks(self, more, timeout_s=20.0):
        """Until `more` further writes were acknowledged."""
        want = self.acks() + more
        deadline = time.monotonic() + timeout_s
        while self.acks() < want:
            if time.monotonic() > deadline:
                raise AssertionError(f"only {self.acks()} of {want} acknowledgements; "
                                     f"refused: {collections.Counter(self.refused.values())}")
            time.sleep(0.01)

    def write(self, writer):
        client = None
        number = 0
        while not self.stopping.is_set():
            key, value = f"{self.name}-{writer}-{number}", number
            if client is None:
                try:
                    client = Client(self.ports[(writer + number) % len(self.ports)], timeout_s=20)
                except OSError:
                    number += 1
                    time.sleep(0.01)
                    continue
            number += 1
            try:
                reply = client.request({"op": "set", "key": key, "value": value, "id": number,
                                        "timeout_ms": self.timeout_ms})
            except (OSError, ConnectionError, ValueError):
                with self.lock:
                    self.unknown[key] = value
                client.close()
                client = None
                continue
            self.record(key, value, number, reply)
            if self.pause_s:
                self.stopping.wait(self.pause_s)
        if client:
            client.close()

    def record(self, key, value, number, reply):
        with self.lock:
            if reply.get("id") != number:
                self.refused[key] = f"the reply of another request: {reply}"
            elif reply["ok"]:
                self.acked[key] = (value, reply["rev"])
                self.ack_times.append(time.monotonic())
            elif reply["error"] in DEFINITE:
                self.refused[key] = reply["error"]
            else:
                self.unknown[key] = value

    def longest_gap_s(self, since):
        times = [t for t in sorted(self.ack_times) if t >= since]
        return max((b - a for a, b in zip([since] + times, times)), default=float("inf"))

    def check(self, test, node):
        """What `node` answers now holds against all that was promised."""
        found = read_all(node, self.name)
        lost = {k: v for k, v in self.acked.items() if found.get(k) != v}
        test.assertEqual(lost, {}, f"acknowledged, and lost or changed on node {node.id}")
        ghosts = {k: e for k, e in self.refused.items() if k in found}
        test.assertEqual(ghosts, {}, f"refused for certain, and there on node {node.id}")
        wrong = {k: found[k] for k, v in self.unknown.items() if k in found and found[k][0] != v}
        test.assertEqual(wrong, {}, "another value than the one sent")
        strangers = set(found) - set(self.acked) - set(self.unknown)
        test.assertEqual(strangers, set(), "keys that nobody wrote")


def read_all(node, prefix):
    """key -> (value, rev), by linearizable scans, page by page."""
    items = {}
    after = None
    with node.client() as client:
        while True:
            request = {"op": "scan", "prefix": prefix, "limit": 1000}
            if after is not None:
                request["after"] = after
            reply = client.request(request)
            if not reply["ok"]:
                raise AssertionError(f"node {node.id} refused a scan: {reply}")
            for item in reply["items"]:
                items[item["key"]] = (item["value"], item["rev"])
                after = item["key"]
            if not reply["more"]:
                return items


def closed_loop(port, clients, writes):
    """`clients` connections, each sending its next set when the last was answered: seconds taken."""
    selector = selectors.DefaultSelector()
    left = {}
    sockets = []
    for n in range(clients):
        peer = socket.create_connection((HOST, port), timeout=20)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets.append(peer)
        left[peer] = [writes, b"", n]
        selector.register(peer, selectors.EVENT_READ)

    def send(peer):
        state = left[peer]
        state[0] -= 1
        request = {"op": "set", "key": f"loop-{state[2]}", "value": state[0]}
        peer.sendall(json.dumps(request).encode() + b"\n")

    began = time.monotonic()
    for peer in sockets:
        send(peer)
    active = clients
    while active:
        for key, _ in selector.select(20):
            peer = key.fileobj
            state = left[peer]
            data = peer.recv(65536)
            if not data:
                raise ConnectionError("closed by the node")
            state[1] += data
            if not state[1].endswith(b"\n"):
                continue
            reply = json.loads(state[1])
            if not reply["ok"]:
                raise AssertionError(reply)
            state[1] = b""
            if state[0]:
                send(peer)
            else:
                selector.unregister(peer)
                peer.close()
                active -= 1
    return time.monotonic() - began
