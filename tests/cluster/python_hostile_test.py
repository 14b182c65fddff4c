# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Python client against servers that lie, stall and vanish: an error in time, nothing done twice."""

import concurrent.futures
import contextlib
import itertools
import json
import os
import signal
import socket
import threading
import time

from fake_server import CLOSE, SILENCE, TIMEOUT_S, HostileTest, drip, member, ok, refused, status
from harness import HOST, free_port
from zatt.client import (Client, ConditionFailed, DistributedDict, NoLeader, OutcomeUnknown, Overloaded,
                         Refused, ShuttingDown, StorageFull, Unavailable, Unreachable, connection)

# What is no answer to a get, nor to a set.
NO_ANSWERS = {
    "nothing": SILENCE,
    "the end": CLOSE,
    "an empty line": b"\n",
    "garbage": b"\x00\xff\xfe garbage\n",
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a line cut off": [b'{"ok":true,"found":true,"value":"v"', CLOSE],
    "a line without its end": [b'{"ok":true,"found":true,"value":"v","rev":1}', SILENCE],
    "no object": b"[true]\n",
    "two objects": b'{"ok":true} {"ok":true}\n',
    "nested too deep": b'{"ok":true,"value":' + b"[" * 200000 + b"]" * 200000 + b"}\n",
    "not UTF-8": b'{"ok":true,"value":"\xff"}\n',
    "NaN": [{"ok": True, "found": True, "value": float("nan"), "rev": 1}],
    "no ok": {"found": True, "value": 1, "rev": 1},
    "ok of another type": {"ok": 1, "found": True, "value": 1, "rev": 1},
    "no error": {"ok": False, "message": "no"},
    "an error of another type": {"ok": False, "error": 7},
    "another id": {"ok": True, "id": 12345, "found": True, "value": 1, "rev": 1},
    "no id": b'{"ok":true,"found":true,"value":1,"rev":1}\n',
    "no rev": {"ok": True, "found": True, "value": 1},
    "a rev of another type": {"ok": True, "found": True, "value": 1, "rev": "1"},
    "a rev that is true": {"ok": True, "found": True, "value": 1, "rev": True},
    "a condition that failed at what": refused("condition_failed"),
    "a byte at a time": lambda: drip(b"x"),
    "events without end": lambda: drip(b'{"watch":1,"event":"set"}\n' * 10),
    "events in a flood": lambda: itertools.repeat(b'{"watch":1,"event":"set"}\n' * 1000),
    "a line without end": lambda: itertools.repeat(b"x" * 65536),
}


class Hostile(HostileTest):
    def test_no_answer_is_an_error_in_time(self):
        def attempt(what, answer):
            make = answer if callable(answer) else lambda: answer
            reader = self.server(lambda request: make())
            error = self.raised(lambda: self.client(reader, timeout=TIMEOUT_S).get("k"))
            self.assertIs(type(error), Unreachable, error)
            self.assertIn(f"{HOST}:{reader.port}: ", str(error))

            writer = self.server(lambda request: make())
            error = self.raised(lambda: self.client(writer, timeout=TIMEOUT_S).set("k", 1))
            self.assertIs(type(error), OutcomeUnknown, error)
            self.assertEqual(len(writer.requests), 1, "a write is sent once")

            # Where already the greeting is no answer, no write is trusted to it.
            if "id" not in what and "rev" not in what and "condition" not in what:
                stranger = self.server(ok, greet=make)
                for call in (lambda: self.client(stranger, timeout=TIMEOUT_S).set("k", 1),
                             lambda: len(DistributedDict(HOST, stranger.port, timeout=TIMEOUT_S))):
                    error = self.raised(call)
                    self.assertIs(type(error), Unreachable, error)
                self.assertEqual(stranger.requests, [])

        with concurrent.futures.ThreadPoolExecutor(len(NO_ANSWERS)) as pool:
            attempts = {what: pool.submit(attempt, what, answer) for what, answer in NO_ANSWERS.items()}
        for what, done in attempts.items():
            with self.subTest(what):
                done.result()

    def test_an_endless_reply_takes_no_endless_memory(self):
        before = connection.MAX_REPLY_BYTES
        connection.MAX_REPLY_BYTES = 2**20
        self.addCleanup(setattr, connection, "MAX_REPLY_BYTES", before)
        server = self.server(lambda request: itertools.repeat(b"x" * 65536))
        error = self.raised(lambda: self.client(server, timeout=60).set("k", 1), 10)
        self.assertRegex(str(error), "its reply has no end")

    def test_scans_do_not_go_in_circles(self):
        def page(*keys, more=True):
            items = [{"key": key, "value": 1, "rev": 1} for key in keys]
            return {"ok": True, "items": items, "more": more, "at": 1}
        for name, answer in (("the same page", page("a", "b")),
                             ("nothing, and more", page()),
                             ("backwards", page("b", "a")),
                             ("no key", {**page(), "items": [{"value": 1, "rev": 1}]}),
                             ("no value", {**page(), "items": [{"key": "a", "rev": 1}]}),
                             ("no items", {"ok": True, "more": False}),
                             ("no more", {"ok": True, "items": []})):
            with self.subTest(name):
                client = self.client(self.server(lambda request, a=answer: a), timeout=0.3)
                self.assertIsInstance(self.raised(lambda c=client: list(c.scan())), Unreachable)
        # The order is that of bytes, not that of UTF-16.
        pages = [page("a", "b"), page("\uffff"), page("\U00010000", more=False)]
        server = self.server(lambda request: pages.pop(0))
        self.assertEqual([i.key for i in self.client(server).scan()], ["a", "b", "\uffff", "\U00010000"])
        self.assertEqual([r.get("after") for r in server.requests], [None, "b", "\uffff"])

    def test_refusals_with_nothing_done_are_tried_again(self):
        kinds = {"no_leader": NoLeader, "overloaded": Overloaded, "shutting_down": ShuttingDown}
        for code, kind in kinds.items():
            with self.subTest(code):
                server = self.server(lambda request, c=code: refused(c))
                d = DistributedDict(HOST, server.port, timeout=30)
                error = self.raised(lambda d=d: d.__setitem__("k", 1))
                self.assertEqual((type(error), error.code, error.message), (kind, code, "because"))
                self.assertIsInstance(error, ConnectionError)
                self.assertEqual(len(server.requests), 3)
                d.append_retry_attempts = 1
                self.assertIs(type(self.raised(lambda d=d: d.__delitem__("k"))), kind)
                self.assertEqual(len(server.requests), 4)
        answers = [refused(code) for code in kinds] + [{"ok": True, "rev": 9}]
        server = self.server(lambda request: answers.pop(0))
        self.assertEqual(self.client(server, timeout=10).set("k", 1), 9)
        # Reads are bounded by the time alone.
        reads = [refused("unavailable"), refused("no_leader"), ok({"op": "get"})]
        reader = self.client(self.server(lambda request: reads.pop(0)), timeout=10, attempts=1)
        self.assertEqual(reader.get("k").value, "v")
        without = self.client(self.server(lambda request: refused("unavailable")), timeout=TIMEOUT_S)
        error = self.raised(lambda: without.get("k"))
        self.assertIs(type(error), Unavailable)

    def test_other_refusals_are_not(self):
        for reply, kind in ((refused("outcome_unknown"), OutcomeUnknown),
                            (refused("storage_full"), StorageFull),
                            (refused("condition_failed", found=False), ConditionFailed),
                            (refused("a_new_code"), Refused)):
            with self.subTest(reply["error"]):
                server = self.server(lambda request, r=reply: r)
                error = self.raised(lambda s=server: self.client(s).set("k", 1))
                self.assertIs(type(error), kind)
                self.assertEqual(getattr(error, "reply", reply)["error"], reply["error"])
                self.assertEqual(len(server.requests), 1)
                self.assertNotIsInstance(error, ConnectionError)

    def test_another_server_is_asked(self):
        for name, answer, done in (("no leader", refused("no_leader"), True),
                                   ("stopping", refused("shutting_down"), True),
                                   ("closed", CLOSE, False),
                                   ("garbage", b"x\n", False),
                                   ("silent", SILENCE, False)):
            with self.subTest(name):
                bad, good = self.server(lambda request, a=answer: a), self.server()
                client = self.client(bad, good, timeout=4.0)
                self.assertEqual(client.get("k").value, "v")
                self.assertEqual((len(bad.requests), len(good.requests)), (1, 1))
                client.set("k", 1)  # and it is stayed with
                self.assertEqual((len(bad.requests), len(good.requests)), (1, 2))

                bad.requests.clear(), good.requests.clear()
                client = self.client(bad, good, timeout=4.0)
                if done:
                    self.assertEqual(client.set("k", 1), 1)
                else:
                    self.assertIs(type(self.raised(lambda c=client: c.set("k", 1))), OutcomeUnknown)
                    self.assertEqual(good.requests, [])
                    self.assertEqual(client.set("k", 2), 1)
                self.assertEqual((len(bad.requests), len(good.requests)), (1, 1))

    def test_no_unanswered_write_is_sent_twice(self):
        """Whatever may write is sent once; also an op that this client does not know."""
        requests = {"set": {"key": "k", "value": 1}, "delete": {"key": "k"}, "incr": {"key": "k", "by": 1},
                    "an_op_of_tomorrow": {}}
        for op, fields in requests.items():
            with self.subTest(op):
                bad, good = self.server(lambda request: CLOSE), self.server()
                client = self.client(bad, good, timeout=10)
                error = self.raised(lambda c=client, r={"op": op, **fields}: c.request(r))
                self.assertIs(type(error), OutcomeUnknown, error)
                self.assertEqual(([r["op"] for r in bad.requests], good.requests), ([op], []))

    def test_a_server_that_does_not_greet_leaves_time_for_the_others(self):
        mute, good = self.server(greet=lambda: SILENCE), self.server()
        client = self.client(mute, good, timeout=4.0)
        self.assertEqual(client.set("k", 1), 1)
        self.assertEqual((mute.greetings, len(mute.requests), len(good.requests)), (1, 0, 1))

    def test_the_others_are_learned(self):
        other = self.server()
        stranger = self.server(greet=lambda: status(cluster="another"))
        odd = {"x": {}, "y": {"address": 7}, "z": {"address": ["", 1]}, "w": {"address": [HOST, "1"]}, "v": 1,
               "u": {"address": [HOST, 99999]}, "t": {"address": [HOST, 1, 2]}}
        first = self.server(greet=lambda: status(members={**odd, "1": member(stranger), "2": member(other)}))
        client = self.client(first)
        self.assertEqual(client.set("k", 1), 1)
        first.close()
        self.wait_for_the_end(client)
        self.assertEqual(client.set("k", 2), 1)
        self.assertEqual((len(first.requests), len(stranger.requests), len(other.requests)), (1, 0, 1))
        for members in (None, [], 7, {"a": None}):
            self.assertTrue(self.client(self.server(greet=lambda m=members: status(members=m))).ping())
        many = {str(n): {"address": [HOST, n + 1]} for n in range(1000)}
        client = self.client(self.server(greet=lambda: status(members=many)))
        client.ping()
        self.assertLess(repr(client).count(","), 100)

    def test_a_connection_closed_while_idle_costs_nothing(self):
        server = self.server()
        client = self.client(server)
        for n in range(5):
            client.set("k", n)
            server.drop()
            for peer in server.peers:
                peer.close()
            self.wait_for_the_end(client)
        self.assertEqual([r["value"] for r in server.requests], list(range(5)))
        self.assertEqual(server.greetings, 5)

    def test_what_was_not_asked_for_answers_nothing(self):
        server = self.server(lambda request: (b'{"ok":true,"id":%d,"rev":1}\n{"ok":true,"id":%d,"rev":2}\n'
                                              % (request["id"], request["id"] + 1)))
        client = self.client(server)
        self.assertEqual((client.set("k", 1), client.set("k", 2)), (1, 1))
        pushed = [b'{"watch":1,"event":"set","key":"k","value":1,"rev":2}\n', {"ok": True, "rev": 3}]
        self.assertEqual(self.client(self.server(lambda request: pushed)).set("k", 1), 3)

    def test_an_interrupted_call_leaves_no_answer_behind(self):
        def interrupt(*_):
            raise KeyboardInterrupt
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(signal.SIGUSR1, interrupt))

        def answer(request):
            if request["key"] == "a":
                os.kill(os.getpid(), signal.SIGUSR1)
                return SILENCE
            return {"ok": True, "found": True, "value": request["key"], "rev": 1}
        client = self.client(self.server(answer), timeout=20)
        with self.assertRaises(KeyboardInterrupt):
            client.get("a")
        self.assertEqual(client.get("b").value, "b")

    def test_what_was_not_sent_whole_did_not_happen(self):
        """The server reads nothing, so that most of a long line stays here."""
        listener = socket.create_server((HOST, 0))
        self.addCleanup(listener.close)
        peers = []

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = listener.accept()
                    peers.append(peer)
                    peer.recv(1000)
                    peer.sendall(json.dumps(status()).encode() + b"\n")
        threading.Thread(target=serve, daemon=True).start()
        client = Client((HOST, listener.getsockname()[1]), timeout=TIMEOUT_S)
        error = self.raised(lambda: client.set("k", "x" * 2**24))
        self.assertIs(type(error), Unreachable, error)
        self.assertIs(type(self.raised(lambda: client.set("k", "short"))), OutcomeUnknown)
        for peer in peers:
            peer.close()

    def test_the_newline_is_what_may_be_missing(self):
        """Without it the end of the stream would end the line, which is whole then."""
        class Kernel:
            def __init__(self, takes):
                self.takes = takes

            def settimeout(self, _seconds):
                pass

            def send(self, data):
                taken = min(len(data), self.takes)
                self.takes -= taken
                if not taken:
                    raise ConnectionResetError()
                return taken
        line = b'{"op":"ping"}\n'
        for takes, kind in ((0, connection.NotSent), (len(line) - 2, connection.NotSent),
                            (len(line) - 1, connection.Broken)):
            peer = connection.Connection.__new__(connection.Connection)
            peer._socket = Kernel(takes)  # pylint: disable=protected-access
            with self.assertRaises(connection.Broken) as caught:
                peer.send(line, time.monotonic() + 9)
            self.assertIs(type(caught.exception), kind)

    def test_the_servers_are_told_to_give_up_before_we_do(self):
        server = self.server()
        self.client(server, timeout=10).set("k", 1)
        self.client(server, timeout=7200).set("k", 1)
        self.client(server, timeout=10).request({"op": "set", "key": "k", "value": 1, "timeout_ms": 77})
        first, second, third = [request["timeout_ms"] for request in server.requests]
        self.assertTrue(8000 < first < 9900, first)
        self.assertEqual((second, third), (600000, 77))

    def test_a_port_that_answers_itself(self):
        """A connection to a free local port can meet itself; the echo is no server."""
        port = free_port()
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            probe.connect((HOST, port))  # possible, then
        real = socket.socket

        def bound(*arguments):
            peer = real(*arguments)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            peer.bind((HOST, port))
            return peer
        connection.socket.socket = bound
        self.addCleanup(setattr, connection.socket, "socket", real)
        error = self.raised(lambda: Client((HOST, port), timeout=0.3).set("k", 1), 0.3)
        connection.socket.socket = real
        self.assertRegex(str(error), "nobody listens there|in use|Cannot assign")

    def test_members_are_changed_once_the_servers_can(self):
        def answer(request):
            return {"ok": True, "members": {"changed": request}}
        here = ["10.0.0.1", 5254]
        members = {"0": {"address": here}, "1": {"address": ["10.0.0.2", 5254]}, "x": {"address": ["h", 1]}}
        server = self.server(answer, greet=lambda: status(members=members))
        d = DistributedDict(HOST, server.port)

        def sent(*arguments, **more):
            request = d.config_cluster(*arguments, **more)["changed"]
            return {k: v for k, v in request.items() if k not in ("id", "timeout_ms")}
        self.assertEqual(sent("add", "h2", 2), {"op": "add_member", "member": "2", "address": ["h2", 2]})
        self.assertEqual(sent("add", "h2", 2, member="y")["member"], "y")
        self.assertEqual(sent("delete", "h", 1), {"op": "remove_member", "member": "x"})
        self.assertEqual(sent("delete", *here)["member"], "0")
