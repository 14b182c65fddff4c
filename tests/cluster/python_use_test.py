# SPDX-License-Identifier: AGPL-3.0-or-later
"""How the Python client is made, handed on and joined: addresses, timeouts, pickles, operators."""

import math
import os
import pickle
import subprocess
import sys

from fake_server import CLOSE, TIMEOUT_S, HostileTest, refused, status
from harness import HOST, free_port
from python_test import PYTHON, PythonTest
from zatt.client import Client, DistributedDict, OutcomeUnknown, Unreachable


class Use(PythonTest):
    def test_addresses(self):
        node = self.alone()
        port = node.port
        where = f"{HOST}:{port}"
        for n, servers in enumerate(((where,), (f"{HOST}:{free_port()},{where}",), ([where],), ([(HOST, port)],),
                                     ((HOST, port),), (HOST, port), (HOST, str(port)),
                                     ([f"{HOST}:{free_port()}", where],))):
            for made in (DistributedDict(*servers), Client(*servers)):
                with self.subTest(made=type(made).__name__, servers=servers), made:
                    client = getattr(made, "client", made)
                    self.assertGreater(client.set("k", n), 0)
                    self.assertIn(where, repr(client))
        for wrong, named in ((("a:1", 2), "'a:1' has its ports"), (("a:1,b:2", 3), "has its ports"),
                             (("a", "x"), "'x' is not a port"), (("a", 0), "0 is not a port"),
                             (("a", 5.0), "5.0 is not a port"), ((["a"], 1), r"\['a'\]"), ((None,), "None"),
                             ((7,), "not 7"), (("a", True), "True is not a port"), (([],), "no server")):
            for kind in (Client, DistributedDict):
                with self.subTest(kind=kind.__name__, wrong=wrong), \
                        self.assertRaisesRegex((TypeError, ValueError), named):
                    kind(*wrong)

    def test_nothing_is_dialled_before_the_first_use(self):
        port = free_port()
        d = DistributedDict(f"{HOST}:{port}", timeout=TIMEOUT_S)
        self.assertRaises(Unreachable, lambda: d["k"])
        node = self.node(port=port)
        node.flags = ["-p", str(port)]
        node.start().wait_up()
        self.assertEqual(d.get("k", 1), 1)

    def test_nonsense_is_refused_at_once_by_name(self):
        for option, wrong in (("timeout", (None, 0, -1, math.nan, math.inf, 1e300, "5", True, [])),
                              ("attempts", (0, -1, 1.5, "3", True))):
            client = Client(**{option: 3})
            for value in wrong:
                with self.subTest(option=option, value=value):
                    for call in (lambda o=option, v=value: Client(**{o: v}),
                                 lambda o=option, v=value: setattr(client, o, v)):
                        self.assertRaisesRegex((TypeError, ValueError), f"{option} is", call)
                    name = "append_retry_attempts" if option == "attempts" else option
                    self.assertRaises((TypeError, ValueError), DistributedDict, **{name: value})
        self.assertRaisesRegex(ValueError, "timeout is", Client().request, {"op": "ping"}, timeout=-1)
        for policy in (7, "always", type("Policy", (), {"can_update": lambda self: True})):
            self.assertRaisesRegex(TypeError, "refresh_policy", DistributedDict, refresh_policy=policy)
        self.assertRaisesRegex(TypeError, "retry_unknown", Client().set, "k", 1, retry_unknown=1)
        for condition in ({"if_absent": True}, {"if_rev": 0}, {"if_value": 1}):
            for write in (lambda c=condition: Client().set("k", 1, retry_unknown=True, **c),
                          lambda c=condition: Client().delete("k", retry_unknown=True, **c)):
                self.assertRaisesRegex(TypeError, "no condition", write)

    def test_a_pickle_opens_anew(self):
        d = self.store(timeout=4.0, codec="pickle")
        d["k"] = (1, 2)
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            again = pickle.loads(pickle.dumps(d, protocol))
            self.addCleanup(again.close)
            self.assertEqual((again["k"], again.client.timeout, again.append_retry_attempts), ((1, 2), 4.0, 3))
            self.assertIsNot(again.client, d.client)
        client = pickle.loads(pickle.dumps(Client("a:1,b:2", timeout=2.5, attempts=7)))
        self.assertEqual((repr(client), client.timeout, client.attempts), ("Client('a:1,b:2')", 2.5, 7))

        use = "import pickle, sys; d = pickle.load(sys.stdin.buffer); print(d['k']); d['k'] = 'from there'"
        done = subprocess.run([sys.executable, "-B", "-c", use], input=pickle.dumps(d), capture_output=True,
                              env={**os.environ, "PYTHONPATH": str(PYTHON)}, timeout=60, check=False)
        self.assertEqual((done.stdout, done.stderr, d["k"]), (b"(1, 2)\n", b"", "from there"))

    def test_operators(self):
        d = self.store()
        d.update(a=1, b=2)
        self.assertEqual((d | {"b": 3}, {"b": 3, "c": 4} | d, d | d),
                         ({"a": 1, "b": 3}, {"a": 1, "b": 2, "c": 4}, {"a": 1, "b": 2}))
        same = d
        d |= {"c": 3}
        self.assertIs(d, same)
        self.assertEqual(d, {"a": 1, "b": 2, "c": 3})
        d |= [("d", 4)]
        self.assertRaises(TypeError, lambda: d | [("d", 4)])
        self.assertRaises(TypeError, lambda: 7 | d)
        self.assertEqual((list(reversed(d)), list(reversed(d.keys())), list(reversed(d.values()))),
                         (list("dcba"), list("dcba"), [4, 3, 2, 1]))
        self.assertEqual(list(reversed(d.items())), [("d", 4), ("c", 3), ("b", 2), ("a", 1)])
        made = DistributedDict.fromkeys(["x", "y"], None, HOST, self.node0.port)
        self.addCleanup(made.close)
        self.assertEqual((type(made), made["x"], made["y"], made["a"]), (DistributedDict, None, None, 1))


class Late(HostileTest):
    def test_nothing_is_said_before_the_first_use(self):
        uses = []
        said = []  # at each greeting: the uses so far
        server = self.server(lambda request: {"ok": True, "count": 0, "found": False},
                             greet=lambda: said.append(list(uses)) or status())
        where = f"{HOST}:{server.port}"
        made = [DistributedDict(where), DistributedDict([where]), DistributedDict(HOST, server.port),
                pickle.loads(pickle.dumps(DistributedDict(where)))]
        for d in made:
            self.addCleanup(d.close)
            waiting = d.client.pipeline().get("k").delete("k")
            self.assertIn(where, repr(d.client))
            uses.append(len(waiting))
            self.assertEqual(waiting.execute(), [None, None])
        self.assertEqual(said, [[2] * n for n in range(1, len(made) + 1)])


class Unanswered(HostileTest):
    def test_retry_unknown(self):
        for write in (lambda c, **o: c.set("k", 1, **o), lambda c, **o: c.delete("k", **o)):
            for first in (CLOSE, refused("outcome_unknown")):
                answers = [first, {"ok": True, "found": True, "rev": 7}]
                server = self.server(lambda request, a=answers: a.pop(0))
                self.assertIsInstance(self.raised(lambda w=write, s=server: w(self.client(s))), OutcomeUnknown)
                self.assertEqual(len(server.requests), 1)
                answers.insert(0, first)
                self.assertEqual(write(self.client(server, timeout=10), retry_unknown=True), 7)
                self.assertEqual(len(server.requests), 3)

    def test_what_was_unknown_stays_so(self):
        for later in ("no_leader", "storage_full", "bad_request"):
            answers = [CLOSE]
            server = self.server(lambda request, a=answers, c=later: a.pop(0) if a else refused(c))
            client = self.client(server, timeout=TIMEOUT_S)
            e = self.raised(lambda c=client: c.set("k", 1, retry_unknown=True))
            self.assertIsInstance(e, OutcomeUnknown, later)
            self.assertGreater(len(server.requests), 1)
        one = self.server(lambda request: CLOSE)
        one.answer = lambda request: (one.listener.close(), CLOSE)[1]
        client = self.client(one, timeout=TIMEOUT_S)
        self.assertIsInstance(self.raised(lambda: client.set("k", 1, retry_unknown=True)), OutcomeUnknown)

    def test_only_what_may_be_repeated_is(self):
        for call in (lambda c: c.set("k", 1), lambda c: c.delete("k"), lambda c: c.incr("k"),
                     lambda c: c.request({"op": "unheard of"})):
            server = self.server(lambda request: CLOSE, greet=status)
            self.assertIsInstance(self.raised(lambda f=call, s=server: f(self.client(s))), OutcomeUnknown)
            self.assertEqual(len(server.requests), 1)
