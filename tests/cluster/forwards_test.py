# SPDX-License-Identifier: AGPL-3.0-or-later
"""Many large writes through a follower: they wait or are refused, and nothing is lost on the way."""

import collections
import re
import socket
import threading

from harness import HOST, ClusterTest, wait_for

VALUE = b"x" * 1_000_000


class Writer(threading.Thread):
    """Compare-and-sets one document, by the revision that the last answer has named, until told."""

    def __init__(self, port, answers, is_enough):
        super().__init__(daemon=True)
        self.port, self.answers, self.is_enough = port, answers, is_enough
        self.failure = None

    def run(self):
        try:
            with socket.create_connection((HOST, self.port), timeout=120) as connection:
                rev = 0
                while not self.is_enough.is_set():
                    line = self.ask(connection, rev)
                    ends = line[:300] + line[-300:]
                    error = re.search(rb'"error":"(\w+)"', ends)
                    found = re.search(rb'"rev":(\d+)', ends)
                    rev = int(found.group(1)) if found else rev
                    kind = error.group(1).decode() if error else "ok"
                    self.answers.append(kind)
                    if kind not in ("ok", "condition_failed"):
                        self.is_enough.wait(0.2)  # refused: it tries again a little later
        except (OSError, EOFError) as failure:
            self.failure = failure

    @staticmethod
    def ask(connection, rev):
        connection.sendall(b'{"op":"set","key":"document","timeout_ms":60000,"if":{"rev":%d},'
                           b'"value":"%s"}\n' % (rev, VALUE))
        parts = []
        while not parts or not parts[-1].endswith(b"\n"):
            part = connection.recv(1 << 20)
            if not part:
                raise EOFError("the node has closed the connection")
            parts.append(part)
        return b"".join(parts)


class Forwards(ClusterTest):
    def test_a_hundred_clients_set_a_large_document_through_a_follower(self):
        # Patient: on a busy host a process may stand still for as long as a vote takes.
        cluster = self.cluster(settings={"election_timeout_ms": 3000}, flags=["--debug"]).start()
        leader = cluster.wait_leader(timeout_s=40)
        cluster.wait_serving()
        follower = cluster.followers()[0]
        connected = {node.id: node.log().count("is connected") for node in cluster}
        answers, is_enough = collections.deque(), threading.Event()
        writers = [Writer(follower.port, answers, is_enough) for _ in range(100)]
        for writer in writers:
            writer.start()
        try:
            # Answers of both kinds: the document changes, and who was late is told what it is now.
            self.wait_for_answers(answers, writers, ok=3, condition_failed=60)
        finally:
            is_enough.set()
            for writer in writers:
                writer.join(120)
        self.assertEqual([writer.failure for writer in writers if writer.failure], [])
        kinds = collections.Counter(answers)
        self.note(f"100 clients, a document of 1 MB, through a follower: {dict(kinds)}")
        self.assertLessEqual(set(kinds), {"ok", "condition_failed", "overloaded", "no_leader"})
        for node in cluster:
            self.assertEqual(node.log().count("is connected"), connected[node.id], node.id)
            self.assertNotIn("is disconnected", node.log())
        reply = self.assert_ok(leader.request({"op": "get", "key": "document", "timeout_ms": 60000},
                                              timeout_s=70))
        self.assertEqual(len(reply["value"]), len(VALUE))

    def wait_for_answers(self, answers, writers, **least):
        def is_there():
            kinds = collections.Counter(answers)
            return (all(kinds[kind] >= count for kind, count in least.items()) or
                    any(writer.failure for writer in writers))

        wait_for(is_there, f"{least} in {dict(collections.Counter(answers))}", timeout_s=120)
