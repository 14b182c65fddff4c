# SPDX-License-Identifier: AGPL-3.0-or-later
"""Servers that answer as a test tells them, and the base of the tests of the Python client against them."""

import contextlib
import json
import select
import socket
import sys
import threading
import time

from harness import HOST, ROOT, ClusterTest

sys.path.insert(0, str(ROOT / "tools" / "python"))

from zatt.client import Client  # pylint: disable=wrong-import-position

TIMEOUT_S = 1.5  # where it is waited for
SLACK_S = 20.0  # of a loaded machine

CLOSE = object()
SILENCE = object()


def status(**fields):
    """What a server says at the beginning of a connection."""
    return {"ok": True, "node": "0", "role": "leader", "members": {}, "cluster": "c", **fields}


def member(server):
    return {"address": [HOST, server.port], "voter": True}


def refused(code, **fields):
    return {"ok": False, "error": code, "message": "because", **fields}


def single(answer):
    return answer in (CLOSE, SILENCE) or isinstance(answer, (dict, bytes))


class FakeServer:
    """Answers as told: `answer(request)` gives a dict, bytes as they are, CLOSE, SILENCE, or many of these.

    A dict gets the request's id. A `status` is answered by `greet()` in the same way, a `ping` well.
    """

    def __init__(self, answer, greet=status):
        self.answer = answer
        self.greet = greet
        self.requests = []  # but status and ping
        self.greetings = 0
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        self.peers = []
        self.ended = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self.listener.accept()
                self.peers.append(peer)
                threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        with contextlib.suppress(OSError, ValueError), peer, peer.makefile("rb") as lines:
            for text in lines:
                request = json.loads(text)
                if request["op"] == "status":
                    self.greetings += 1
                    answer = self.greet()
                elif request["op"] == "ping":
                    answer = {"ok": True}
                else:
                    self.requests.append(request)
                    answer = self.answer(request)
                for part in [answer] if single(answer) else answer:
                    if part is CLOSE:
                        return
                    if part is SILENCE:
                        self.ended.wait()
                        return
                    if isinstance(part, dict):
                        own = {"id": request["id"]} if "id" in request else {}
                        part = json.dumps({**own, **part}).encode() + b"\n"
                    peer.sendall(part)

    def drop(self):
        """Ends all connections."""
        for peer in self.peers:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.ended.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # accept() returns, and nobody is let in any more
        self.listener.close()
        self.drop()


def ok(request):
    """A well-behaved answer."""
    found = {"found": True, "value": "v"} if request["op"] == "get" else {}
    return {"ok": True, **found, "rev": 1}


def drip(piece, every_s=0.05):
    while True:
        yield piece
        time.sleep(every_s)  # the hostile part itself: slowly, and without end


class HostileTest(ClusterTest):
    def server(self, answer=ok, greet=status):
        server = FakeServer(answer, greet)
        self.addCleanup(server.close)
        return server

    def client(self, *servers, **options):
        """For what is to succeed; where time is to run out, the test says timeout=TIMEOUT_S."""
        client = Client([(HOST, server.port) for server in servers], **{"timeout": SLACK_S, **options})
        self.addCleanup(client.close)
        return client

    def raised(self, call, timeout_s=TIMEOUT_S):
        """What a call raises, which must come within the timeout."""
        began = time.monotonic()
        try:
            result = call()
        except Exception as e:  # pylint: disable=broad-except
            self.assertLess(time.monotonic() - began, timeout_s + SLACK_S, e)
            return e
        self.fail(f"no error, but {result!r}")

    def wait_for_the_end(self, client):
        """Until the client's idle connections have seen that the server closed them."""
        for idle in client.servers._idle:  # pylint: disable=protected-access
            readable, _, _ = select.select([idle._socket], [], [], SLACK_S)  # pylint: disable=protected-access
            self.assertTrue(readable, "the connection is still open")
