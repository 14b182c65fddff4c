# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Python DistributedDict against real nodes: a dict in all it does."""

import collections
import decimal
import enum
import os
import subprocess
import sys
import threading

from harness import HOST, ROOT, ClusterTest, free_port

PYTHON = ROOT / "tools" / "python"
sys.path.insert(0, str(PYTHON))

# pylint: disable=wrong-import-position
from zatt.client import BadRequest, Client, ConditionFailed, DistributedDict, ZattError
from zatt.client.refresh_policies import (RefreshPolicyAlways, RefreshPolicyCount, RefreshPolicyLock,
                                          RefreshPolicyTime)


class Color(enum.IntEnum):
    RED = 1


class Name(str):
    pass


Point = collections.namedtuple("Point", "x y")


def nested(depth):
    value = 0
    for _ in range(depth):
        value = [value]
    return value


def inside_itself():
    value = []
    value.append({"again": value})
    return value


# Come back equal, of the same type, and written the same.
KEPT = [
    0, 1, -1, 2**31, 2**53 + 1, 2**63, -2**64, 10**400, 10**4300 - 1,
    0.0, -0.0, 1.0, 0.1, 1e16, 1.7976931348623157e308, 5e-324, -1.5e-7,
    "", "text", "\u00e9\u20ac\U0001f600", "\x00\x1f\x7f\u2028\ufeff\uffff", 'quo"te\\back/slash\n\r\t\b\f', "1",
    True, False, None,
    [], {}, [1, 1.0, True, None, "x", [], {}], {"": {"\u00e9": [{}]}, "b": 1, "a": 2}, nested(128),
]

# Refused before anything is sent.
CHANGED = [
    (1, 2), [(1,)], {"a": [()]}, b"bytes", bytearray(b"x"), {1: 2}, [{None: 1}], {"a": {True: 1}}, {("a",): 1},
    {1, 2}, frozenset(), 1j, decimal.Decimal(1), object(), range(3), Color.RED, [Color.RED], Name("x"),
    Point(1, 2), collections.OrderedDict(a=1), collections.Counter("a"), Ellipsis, type,
    float("nan"), float("inf"), [float("-inf")], {"a": float("nan")},
    "\ud800", "a\udfff", ["\ud83d"], {"\ud800": 1}, {Name("x"): 1},
]
TOO_MUCH = [nested(129), {"a": nested(128)}, inside_itself(), 10**4300, [-10**4300]]


class PythonTest(ClusterTest):
    def alone(self):
        """A started store with a single node."""
        node = self.node(port=free_port())
        node.flags = ["-p", str(node.port)]
        node.start().wait_up()
        return node

    def store(self, **options):
        """A DistributedDict on a node of its own, as self.node0."""
        self.node0 = self.alone()
        return self.dict(self.node0, **options)

    def dict(self, node, **options):
        d = DistributedDict(HOST, node.port, **options)
        self.addCleanup(d.close)
        return d

    def client(self, *nodes, **options):
        client = Client([(HOST, node.port) for node in nodes], **options)
        self.addCleanup(client.close)
        return client

    def applied(self):
        return self.node0.status()["applied"]


class Dict(PythonTest):
    def interpreter(self, lines):
        """What a person who types these lines at a python prompt is shown."""
        done = subprocess.run([sys.executable, "-i", "-q"], input="\n".join(lines) + "\n", text=True,
                              env={**os.environ, "PYTHONPATH": str(PYTHON), "PYTHONDONTWRITEBYTECODE": "1"},
                              capture_output=True, timeout=30, check=False)
        self.assertNotIn("Traceback", done.stderr)
        return done.stdout

    def test_the_session_of_the_original(self):
        cluster = self.cluster().start()
        cluster.wait_leader()
        begin = ["from zatt.client import DistributedDict",
                 f"d = DistributedDict('127.0.0.1', {cluster[0].port})"]
        self.assertEqual(self.interpreter(begin + ["d['key1'] = 0"]), "")
        for node in cluster:
            begin[1] = f"d = DistributedDict('127.0.0.1', {node.port})"
            self.assertEqual(self.interpreter(begin + ["d['key1']", "d"]), "0\n{'key1': 0}\n")

    def test_values_come_back_as_they_were(self):
        d = self.store()
        other = self.dict(self.node0)
        for value in KEPT:
            with self.subTest(str(value)[:60]):
                d["k"] = value
                back = other["k"]
                self.assertEqual(back, value)
                self.assertIs(type(back), type(value))
                # repr tells 1 from 1.0 and True, 0.0 from -0.0, and the order of names, at any depth.
                if value not in (10**4300 - 1,):
                    self.assertEqual(repr(back), repr(value))
        d["\u00e9\n\x00"] = 1
        self.assertEqual(list(d), ["k", "\u00e9\n\x00"])

    def test_strings_are_written_unescaped(self):
        d = self.store()
        d["\u00e9"] = {"\u20ac": "\U0001f600\x7f/", "a": [1, 2.0]}
        with self.node0.client() as plain:
            plain.send('{"op":"get","key":"\u00e9"}\n')
            self.assertIn('"value":{"\u20ac":"\U0001f600\x7f/","a":[1,2.0]}', plain.receive_line())
            plain.send('{"op":"delete","key":"\u00e9",'
                       '"if":{"value":{"\u20ac":"\U0001f600\x7f/","a":[1,2.0]}}}\n')
            self.assert_ok(plain.receive())

    def test_what_json_would_change_is_not_sent(self):
        d = self.store()
        d["k"] = "as it was"
        before = self.applied()
        for wrong, error in [(v, TypeError) for v in CHANGED] + [(v, ValueError) for v in TOO_MUCH]:
            with self.subTest(repr(wrong)[:60] if error is TypeError else "too much"):
                for write in (lambda w=wrong: d.__setitem__("k", w),
                              lambda w=wrong: d.setdefault("k", w),
                              lambda w=wrong: d.setdefault("new", w),
                              lambda w=wrong: d.update({"a": 1, "k": w}),
                              lambda w=wrong: d.client.set("k", 0, if_value=w),
                              lambda w=wrong: d.client.request({"op": "set", "key": "k", "value": w})):
                    with self.assertRaises(error) as caught:
                        write()
                    self.assertNotIsInstance(caught.exception, ZattError)
        for key in (0, None, b"k", ("k",), 1.5, Name("k"), Color.RED, "\ud800"):
            with self.subTest(f"key {key!r}"):
                for touch in (lambda k=key: d[k], lambda k=key: d.__setitem__(k, 1), lambda k=key: k in d,
                              lambda k=key: d.__delitem__(k), lambda k=key: d.get(k), lambda k=key: d.pop(k, 1),
                              lambda k=key: d.setdefault(k, 1), lambda k=key: d.incr(k),
                              lambda k=key: d.update([("a", 1), (k, 1)])):
                    self.assertRaises(TypeError, touch)
        self.assertEqual(d.copy(), {"k": "as it was"})
        self.assertEqual(self.applied(), before)

    def test_it_is_a_dict(self):
        d = self.store()
        self.assertEqual((len(d), list(d), dict(d), repr(d), bool(d)), (0, [], {}, "{}", False))
        d["b"], d["a"], d["c"] = 2, 1, [3]
        self.assertEqual((d["a"], d["b"], d["c"]), (1, 2, [3]))
        self.assertEqual(("a" in d, "x" in d, "x" not in d), (True, False, True))
        self.assertEqual((len(d), bool(d)), (3, True))
        self.assertEqual((list(d), list(d.keys()), list(d.values())), (["a", "b", "c"],) * 2 + ([1, 2, [3]],))
        self.assertEqual(list(d.items()), [("a", 1), ("b", 2), ("c", [3])])
        self.assertEqual(repr(d), "{'a': 1, 'b': 2, 'c': [3]}")
        self.assertTrue(d == {"c": [3], "b": 2, "a": 1} and d != {} and d == d.copy() and {"a": 1} != d)
        self.assertTrue(("a", 1) in d.items() and ("a", 2) not in d.items() and ("x", 1) not in d.items())
        self.assertTrue(2 in d.values() and [3] in d.values() and 9 not in d.values())
        self.assertEqual((d.keys() & {"a", "x"}, len(d.items()), len(d.values())), ({"a"}, 3, 3))
        self.assertEqual((d.get("a"), d.get("x"), d.get("x", 7)), (1, None, 7))
        for absent in (lambda: d["x"], lambda: d.__delitem__("x"), lambda: d.pop("x")):
            with self.assertRaises(KeyError) as caught:
                absent()
            self.assertEqual(caught.exception.args, ("x",))
        del d["c"]
        d["b"] = None
        self.assertEqual(d.copy(), {"a": 1, "b": None})
        self.assertEqual((d.get("b", 5), d.setdefault("b", 5), d.pop("b", 5)), (None, None, None))
        self.assertEqual((d.pop("b", 5), d.setdefault("b"), d["b"]), (5, None, None))
        self.assertEqual((d.setdefault("a", 9), d.setdefault("n", {"x": 1}), d["n"]), (1, {"x": 1}, {"x": 1}))
        d.update({"a": 10}, z=26)
        d.update([("y", 25)])
        d.update()
        self.assertEqual(d.popitem(), ("a", 10))
        self.assertEqual(d.copy(), {"b": None, "n": {"x": 1}, "y": 25, "z": 26})
        d.clear()
        self.assertEqual(len(d), 0)
        self.assertRaises(KeyError, d.popitem)
        self.assertRaises(TypeError, hash, d)

    def test_what_spans_many_pages(self):
        d = self.store()
        want = {}
        with self.node0.client() as plain:
            for n in range(2500):
                want[f"k{n:04}"] = n
                plain.send({"op": "set", "key": f"k{n:04}", "value": n})
            for _ in range(2500):
                self.assert_ok(plain.receive())
        self.assertEqual(list(d.items()), sorted(want.items()))
        self.assertEqual((list(d), len(d), d.copy()), (sorted(want), 2500, want))
        client = d.client
        self.assertEqual([i.key for i in client.scan("k1")], [k for k in sorted(want) if k.startswith("k1")])
        self.assertEqual([i.key for i in client.scan("k", after="k0010", limit=1500)], sorted(want)[11:1511])
        self.assertEqual(list(client.scan(limit=0)), [])
        self.assertEqual({i.value for i in client.scan(keys_only=True)}, {None})
        self.assertEqual((client.count(), client.count("k00"), client.count("x")), (2500, 100, 0))

    def test_pop_and_setdefault_are_atomic(self):
        d = self.store()
        rounds, threads = 25, 6

        def race(do):
            """What each thread got in each round."""
            barrier = threading.Barrier(threads)
            got = [[] for _ in range(threads)]

            def run(n):
                for r in range(rounds):
                    barrier.wait(20)
                    got[n].append(do(n, r))
            workers = [threading.Thread(target=run, args=(n,)) for n in range(threads)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join(60)
            return list(zip(*got))

        for r, got in enumerate(race(lambda n, r: d.setdefault(f"s{r}", n))):
            self.assertEqual(set(got), {d[f"s{r}"]})
        for r, got in enumerate(race(lambda n, r: d.pop(f"s{r}", None))):
            self.assertEqual(sum(g is not None for g in got), 1, f"round {r}: {got}")
        d.update({f"i{n:03}": n for n in range(rounds * threads)})
        self.assertEqual(sorted(sum((list(got) for got in race(lambda n, r: d.popitem()[1])), [])),
                         list(range(rounds * threads)))
        race(lambda n, r: d.incr("n"))
        self.assertEqual(d["n"], rounds * threads)

    def test_what_comes_between_is_not_lost(self):
        """Another client changes the key between the two halves of an operation."""
        d = self.store()
        other = self.dict(self.node0)

        def then(read, change):
            """`read`, and the change right after its first call."""
            changes = [change]

            def both(*arguments, **more):
                answer = read(*arguments, **more)
                answer = list(answer) if read is scan else answer
                if changes:
                    changes.pop()()
                return answer
            return both
        get, scan = d.client.get, d.client.scan

        d["k"] = "old"
        d.client.get = then(get, lambda: other.update(k="new"))
        self.assertEqual((d.pop("k"), "k" in other), ("new", False))
        d["k"] = "old"
        d.client.get = then(get, lambda: other.pop("k"))
        self.assertEqual(d.pop("k", "gone"), "gone")
        d.client.get = then(get, lambda: other.update(k="theirs"))
        self.assertEqual((d.setdefault("k", "ours"), other["k"]), ("theirs", "theirs"))
        d.client.scan = then(scan, lambda: other.update(k="newer"))
        self.assertEqual((d.popitem(), len(other)), (("k", "newer"), 0))
        other.update(a=1, b=2)
        d.client.scan = then(scan, lambda: other.pop("a"))
        self.assertEqual((d.popitem(), len(other)), (("b", 2), 0))

    def test_incr(self):
        d = self.store()
        self.assertEqual((d.incr("n"), d.incr("n", 5), d.incr("n", -7), d["n"]), (1, 6, -1, -1))
        for value in (1.0, "1", None, True, 2**63 - 1):
            d["x"] = value
            with self.assertRaises(ConditionFailed) as caught:
                d.incr("x")
            e = caught.exception
            self.assertEqual((e.code, e.found, e.value), ("condition_failed", True, value))
            self.assertEqual(e.rev, d.client.get("x").rev)
        self.assertRaises(TypeError, d.incr, "n", 1.5)
        self.assertRaises(TypeError, d.incr, "n", True)
        self.assertRaises(BadRequest, d.incr, "n", 2**63)

    def test_the_documented_traps_are_traps(self):
        d = self.store()
        d["l"] = []
        d["l"].append(1)
        self.assertEqual(d["l"], [])
        d["n"] = 1
        other = self.dict(self.node0)
        read = d["n"]
        other["n"] += 10
        d["n"] = read + 1  # what d['n'] += 1 does when another one comes between
        self.assertEqual(d["n"], 2)

    def test_numbers_that_python_does_not_have(self):
        d = self.store()
        with self.node0.client() as plain:
            for key, text in (("a", "1e400"), ("b", "[-1E+999]"), ("c", "7" * 5000), ("d", "1e-400")):
                plain.send('{"op":"set","key":"%s","value":%s}\n' % (key, text))
                self.assert_ok(plain.receive())
        self.assertEqual(d["a"], decimal.Decimal("1e400"))
        self.assertEqual(d["b"], [decimal.Decimal("-1e999")])
        self.assertEqual(d["c"], decimal.Decimal("7" * 5000))
        self.assertEqual((d["d"], len(d.copy())), (0.0, 4))
        with self.assertRaises(TypeError):
            d["a"] = d["a"]

    def test_refresh_policies(self):
        fresh = self.store()
        fresh["k"] = 0
        locked = self.dict(self.node0, refresh_policy=RefreshPolicyLock(False))
        counting = self.dict(self.node0, refresh_policy=RefreshPolicyCount(3))
        timed = self.dict(self.node0, refresh_policy=RefreshPolicyTime())
        for copied in (locked, counting, timed):
            copied.refresh(force=True)
        fresh["k"] = 1
        fresh["new"] = [1]
        self.assertEqual([locked["k"] for _ in range(5)], [0] * 5)
        self.assertEqual((len(locked), list(locked), repr(locked)), (1, ["k"], "{'k': 0}"))
        self.assertNotIn("new", locked)
        self.assertEqual(locked.get("new", "none"), "none")
        self.assertRaises(KeyError, lambda: locked["new"])
        locked.refresh_policy.lock = True
        self.assertEqual((locked["k"], len(locked)), (1, 2))
        locked.refresh_policy.lock = False

        self.assertEqual([counting["k"] for _ in range(4)], [0, 0, 1, 1])
        fresh["k"] = 2
        self.assertEqual([counting["k"] for _ in range(3)], [1, 2, 2])

        self.assertEqual(timed["k"], 2)  # the first read by the policy fetches
        fresh["k"] = 3
        self.assertEqual(timed["k"], 2)
        timed.refresh_policy.last_refresh -= 61
        self.assertEqual(timed["k"], 3)

        # A copy is not what a caller can change, and has the owner's own writes.
        locked.refresh(force=True)
        locked["new"].append("lost")
        for value in locked.values():
            if isinstance(value, list):
                value.append("lost")
        self.assertEqual(locked["new"], [1])
        mine = [1]
        locked["mine"] = mine
        mine.append("lost")
        self.assertEqual((locked["mine"], fresh["mine"]), ([1], [1]))
        self.assertEqual((locked.incr("n"), locked["n"]), (1, 1))
        del locked["mine"]
        self.assertEqual(("mine" in locked, locked.pop("n"), "n" in locked), (False, 1, False))
        self.assertEqual((locked.setdefault("s", 1), locked["s"]), (1, 1))
        # The store decides whether there is something to delete, not the copy.
        fresh.clear()
        self.assertRaises(KeyError, lambda: locked.__delitem__("k"))
        self.assertEqual(locked.pop("new", "gone"), "gone")

        always = self.dict(self.node0, refresh_policy=RefreshPolicyAlways())
        fresh["k"] = 4
        self.assertEqual(always["k"], 4)
        always.refresh_policy = RefreshPolicyLock(False)  # a first copy is needed all the same
        self.assertEqual(always["k"], 4)
        fresh["k"] = 5
        self.assertEqual(always["k"], 4)

        class Mine:
            answers = [False, True, False]

            def can_update(self):
                return self.answers.pop(0)
        mine = self.dict(self.node0, refresh_policy=Mine())
        mine.refresh(force=True)
        fresh["k"] = 6
        self.assertEqual([mine["k"] for _ in range(3)], [5, 6, 6])

    def test_any_object_with_pickle(self):
        d = self.store()
        objects = self.dict(self.node0, codec="pickle")
        for value in (b"bytes", (1, (2,)), {1, 2}, {1: 2}, 1j, Color.RED, Point(1, 2), float("inf"),
                      nested(129), "\ud800", {"pickle": "x"}, {"pickle": (1,)}, 10**4300,
                      collections.OrderedDict(a=(1,))):
            objects["o"] = value
            self.assertEqual(objects["o"], value)
            self.assertIs(type(objects["o"]), type(value))
            self.assertEqual(list(d["o"]), ["pickle"])
        self.assertEqual((objects.pop("o"), "o" in objects), (collections.OrderedDict(a=(1,)), False))
        # What JSON keeps is as without it, for others to read, count and compare.
        objects["n"] = 1
        self.assertEqual((d["n"], objects.incr("n"), objects.setdefault("t", (1,)), objects.setdefault("t", 0)),
                         (1, 2, (1,), (1,)))
        self.assertEqual(objects.copy(), {"n": 2, "t": (1,)})
        self.assertEqual(sorted(map(str, objects.values())), ["(1,)", "2"])
        # Who did not ask for it is handed the text, and nothing is run.
        self.assertIsInstance(d["t"]["pickle"], str)
        self.assertRaises(ValueError, DistributedDict, HOST, self.node0.port, codec="yaml")

    def test_diagnostic_and_config_cluster(self):
        d = self.store()
        d["k"] = 1
        status = d.diagnostic
        self.assertEqual((status["role"], status["node"], status["leader"]), ("leader", "0", "0"))
        self.assertEqual(status["members"]["0"]["address"], [HOST, self.node0.port])
        self.assertNotIn("ok", status)
        for call in (lambda: d.config_cluster("add", HOST, 5999),
                     lambda: d.config_cluster("delete", HOST, self.node0.port)):
            with self.assertRaisesRegex(BadRequest, "is not served by this version"):
                call()
        with self.assertRaisesRegex(ValueError, "no member has the address"):
            d.config_cluster("delete", HOST, 1)
        self.assertRaises(ValueError, d.config_cluster, "replace", HOST, 1)
