# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a node holds for its clients stays within its budget, whatever they do."""

import concurrent.futures
import json
import selectors
import socket
import time

from harness import HOST, SANITIZED, ClusterTest

MIB = 1 << 20
BUDGET = 8 * MIB
CROWD = 400


def line(request):
    return (json.dumps(request) + "\n").encode()


class Crowd:
    """Connections that send the same, as much as is taken, and read nothing."""

    def __init__(self, port, size, sends):
        self.selector = selectors.DefaultSelector()
        self.sockets = []
        for _ in range(size):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect((HOST, port))
            connection.setblocking(False)
            self.sockets.append(connection)
            self.selector.register(connection, selectors.EVENT_WRITE, memoryview(sends))

    def push(self):
        for key, _ in self.selector.select(0.02):
            try:
                rest = key.data[key.fileobj.send(key.data[:65536]):]
            except BlockingIOError:
                continue
            except OSError:
                rest = b""  # it was closed
            if rest:
                self.selector.modify(key.fileobj, selectors.EVENT_WRITE, rest)
            else:
                self.selector.unregister(key.fileobj)

    def close(self):
        self.selector.close()
        for connection in self.sockets:
            connection.close()


class Memory(ClusterTest):
    def crowd_of(self, sends, served):
        """Has a crowd send that, until an honest client was served so often meanwhile."""
        node = self.cluster(1, settings={"max_buffer_bytes": BUDGET}).start().wait_leader()
        self.assert_ok(node.request({"op": "set", "key": "large", "value": "v" * 900_000}))
        self.assert_ok(node.request({"op": "set", "key": "small", "value": 1}))
        term = node.status()["term"]
        before = peak = node.rss_bytes()
        crowd = Crowd(node.port, CROWD, sends)
        began = time.monotonic()
        got = 0
        try:
            while got < served or time.monotonic() < began + 3:
                self.assertLess(time.monotonic(), began + 60, "nobody else is served")
                crowd.push()
                peak = max(peak, node.rss_bytes())
                if not crowd.selector.get_map() or got < served:
                    got += node.request({"op": "get", "key": "small"})["ok"]
        finally:
            crowd.close()
        self.note(f"{CROWD} connections: {(peak - before) / MIB:.1f} MiB above rest, budget "
                  f"{BUDGET // MIB} MiB; somebody else was answered {got} times")
        if not SANITIZED:
            self.assertLess(peak - before, 2 * BUDGET)
        node.wait_status(lambda status: status["term"] == term, "the same term")
        self.assert_ok(node.request({"op": "set", "key": "after", "value": 1}))

    def test_answers_that_nobody_reads(self):
        self.crowd_of(line({"op": "get", "key": "large"}) * 4, served=5)

    def test_pages_that_nobody_reads(self):
        self.crowd_of(line({"op": "scan", "prefix": ""}) * 4, served=5)

    def test_refusals_that_tell_a_large_value(self):
        self.crowd_of(line({"op": "set", "key": "large", "value": 1, "if": {"rev": 1}}) * 200, served=1)

    def test_lines_that_never_end(self):
        self.crowd_of(b'{"op":"set","key":"k","value":"' + b"v" * 1_000_000, served=5)

    def test_many_small_requests(self):
        self.crowd_of(line({"op": "set", "key": "k", "value": 1}) * 1024, served=1)

    def test_long_lines_take_turns(self):
        """More at once than there is room for: all come through."""
        node = self.cluster(1, settings={"max_buffer_bytes": BUDGET}).start().wait_leader()
        before = peak = node.rss_bytes()

        def ask(n):
            with node.client(timeout_s=60) as client:
                while True:
                    answer = client.request({"op": "set", "key": f"long-{n % 3}",
                                             "value": "v" * 1_000_000, "timeout_ms": 50_000})
                    if answer["ok"] or answer["error"] != "overloaded":
                        return answer

        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            answers = [pool.submit(ask, n) for n in range(80)]
            while concurrent.futures.wait(answers, timeout=0.01).not_done:
                peak = max(peak, node.rss_bytes())
        refused = [answer.result() for answer in answers if not answer.result()["ok"]]
        self.assertEqual(refused, [])
        self.note(f"40 clients x 1 MB: {(peak - before) / MIB:.1f} MiB above rest")


if __name__ == "__main__":
    import unittest

    unittest.main()
