# SPDX-License-Identifier: AGPL-3.0-or-later
"""The plain Python client against real nodes: the protocol as methods."""

import os
import threading

from harness import HOST
from python_test import PythonTest
from zatt.client import Client, ConditionFailed, Refused, TooLarge


class Plain(PythonTest):
    def test_conditions(self):
        self.node0 = self.alone()
        client = self.client(self.node0)
        first = client.set("k", {"a": 1.0}, if_absent=True)
        for condition in ({"if_absent": True}, {"if_rev": 0}, {"if_rev": first + 1}, {"if_value": {"a": 1}}):
            for write in (lambda c=condition: client.set("k", 9, **c),
                          lambda c=condition: client.delete("k", **c)):
                with self.assertRaises(ConditionFailed) as caught:
                    write()
                e = caught.exception
                self.assertEqual((e.code, e.found, e.value, e.rev),
                                 ("condition_failed", True, {"a": 1.0}, first))
                self.assertIsInstance(e, Refused)
                self.assertNotIsInstance(e, ConnectionError)
        with self.assertRaises(ConditionFailed) as caught:
            client.set("x", 1, if_exists=True)
        e = caught.exception
        self.assertEqual((e.found, e.value, e.rev), (False, None, 0))
        self.assertEqual(client.get("k"), ("k", {"a": 1.0}, first))
        second = client.set("k", None, if_value={"a": 1.0})
        third = client.set("k", 3, if_value=None)
        fourth = client.set("k", 4, if_rev=third)
        self.assertTrue(first < second < third < fourth)
        self.assertEqual(client.incr("k", if_exists=True), 5)
        self.assertEqual(client.set("new", 1, if_rev=0) and client.delete("new", if_exists=True) > 0, True)
        self.assertIsNone(client.delete("new"))
        self.assertIsNone(client.get("new"))
        self.assertRaises(TypeError, client.set, "k", 1, if_absent=True, if_rev=1)
        self.assertRaises(TypeError, client.set, "k", 1, unless=True)
        self.assertRaises(TypeError, client.set, "k", 1, if_rev="1")
        self.assertEqual(client.get("k").value, 5)

    def test_requests_as_they_are(self):
        client = self.client(self.alone())
        self.assertEqual(client.request({"op": "ping", "id": "mine"}), {"ok": True, "id": "mine"})
        self.assertEqual(client.request({"op": "get", "key": "k"})["found"], False)
        self.assert_error(client.request({"op": "nonsense"}), "bad_request")
        self.assert_error(client.request({}), "bad_request")
        self.assertEqual((client.ping(), client.status()["role"]), (True, "leader"))
        self.assertRaises(TypeError, client.request, [])

    def test_refusals_have_names(self):
        client = self.client(self.alone())
        with self.assertRaises(TooLarge) as caught:
            client.set("k", "x" * (2**20 + 2**17))
        self.assertEqual(caught.exception.code, "too_large")
        self.assertTrue(caught.exception.message)
        self.assertRaises(TooLarge, client.get, "k" * 4097)
        self.assertIsNone(client.get("k" * 4096))

    def test_servers_are_named_in_many_ways(self):
        node = self.alone()
        where = f"{HOST}:{node.port}"
        for servers in (where, (HOST, node.port), [where], [(HOST, node.port)], f"{HOST}:1, {where}",
                        [f"{HOST}:1,{where}", ("localhost", node.port)], f"localhost:{node.port}"):
            with Client(servers) as client:
                self.assertTrue(client.ping(), servers)
                self.assertIn(where, repr(client))
        for servers in ("", [], "host:port", "host:0", "host:65536", "::1:x", "::1", ":5254",
                        ("127.0.0.1", "5254"), (HOST, 0), ("", 5254)):
            self.assertRaises(ValueError, Client, servers)
        self.assertRaises(ValueError, Client, where, attempts=0)
        self.assertEqual(repr(Client("[::1]:7,name")), "Client('::1:7,name:5254')")

    def test_threads_share_one(self):
        client = self.client(self.alone())
        failures = []

        def work(n):
            try:
                for i in range(50):
                    client.set(f"t{n}-{i}", i)
                    if client.get(f"t{n}-{i}").value != i:
                        failures.append((n, i))
            except Exception as e:  # pylint: disable=broad-except
                failures.append(e)
        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual((failures, client.count("t")), ([], 400))

    def test_a_forked_child_has_connections_of_its_own(self):
        client = self.client(self.alone())
        client.set("parent", 1)
        children = []
        for n in range(3):
            pid = os.fork()
            if pid == 0:
                try:
                    good = all(client.incr(f"child{n}") == i and client.get("parent").value == 1
                               for i in range(1, 51))
                    os._exit(0 if good else 1)
                finally:
                    os._exit(2)
            children.append(pid)
        for i in range(1, 101):
            self.assertEqual(client.incr("mine"), i)
        self.assertEqual([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children], [0] * 3)
        self.assertEqual([client.get(f"child{n}").value for n in range(3)], [50] * 3)
