# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Python client's pipeline: in order, in time, and no write done twice."""

from fake_server import CLOSE, SILENCE, HostileTest, ok, refused
from harness import HOST
from python_test import PythonTest
from zatt.client import ConditionFailed, DistributedDict, NoLeader, OutcomeUnknown, Pipeline, TryAgain


class Pipelined(PythonTest):
    def test_results_are_in_order(self):
        d = self.store()
        p = d.client.pipeline()
        self.assertIs(type(p), Pipeline)
        for n in range(1000):
            p.set("k", n).incr("k").get("k").delete("k").get("k")
        self.assertEqual(len(p), 5000)
        results = p.execute()
        self.assertEqual([r.value for r in results[2::5]], list(range(1, 1001)))
        self.assertEqual((results[1::5], set(results[4::5])), (list(range(1, 1001)), {None}))
        self.assertEqual((len(p), p.execute()), (0, []))
        p.set("a", 1, if_exists=True).set("a", 2).incr("a")
        first, *rest = p.execute(raise_first=False)
        self.assertIsInstance(first, ConditionFailed)
        self.assertEqual(rest[1], 3)
        self.assertRaises(ConditionFailed, p.set("a", 1, if_absent=True).execute)
        self.assertRaises(TypeError, p.set, "a", (1,))

    def test_replies_larger_than_all_buffers(self):
        d = self.store(timeout=30)
        d.client.set("big", "x" * 500000)
        p = d.client.pipeline()
        for n in range(60):
            p.get("big").set(f"b{n}", "y" * 50000)
        self.assertEqual({len(r.value) for r in p.execute()[::2]}, {500000})

    def test_update_clear_and_delete_many(self):
        d = self.store(timeout=30)
        new = {f"k{n:05}": n for n in range(2500)}
        d.update(new)
        self.assertEqual(d, new)
        self.assertEqual(d.delete_many(["k00000", "absent", "k00001"]), 2)
        self.assertEqual(len(d), 2498)
        d.clear()
        self.assertEqual(len(d), 0)


class AtOnce(HostileTest):
    def test_none_waits_for_the_answer_to_the_one_before(self):
        """A server that says nothing before it has been told everything."""
        waiting = []

        def answer(request):
            if request["op"] == "scan":
                items = [{"key": f"k{n}", "rev": 1} for n in range(6)]
                return {"ok": True, "items": items, "more": False}
            waiting.append({**ok(request), "found": True, "id": request["id"]})
            if len(waiting) < 6:
                return []
            told, waiting[:] = list(waiting), []
            return told
        server = self.server(answer)
        d = DistributedDict(HOST, server.port, timeout=20)
        self.addCleanup(d.close)
        keys = [f"k{n}" for n in range(6)]
        d.update(dict.fromkeys(keys, 1))
        self.assertEqual(d.delete_many(keys), 6)
        d.clear()
        p = d.client.pipeline()
        for key in keys:
            p.set(key, 1)
        self.assertEqual(p.execute(), [1] * 6)
        told = [r["op"] for r in server.requests if r["op"] != "scan"]
        self.assertEqual(told, ["set"] * 6 + ["delete"] * 12 + ["set"] * 6)


class Unanswered(HostileTest):
    def run_pipeline(self, server, writes=6, **options):
        client = self.client(server, **{"timeout": 5, **options})
        p = client.pipeline()
        for n in range(writes):
            p.set("k", n)
        return p.execute(raise_first=False)

    def test_an_unanswered_write_is_unknown_and_the_last(self):
        for end in (CLOSE, SILENCE, refused("outcome_unknown")):
            server = self.server(lambda request, e=end: e if request["value"] == 300 else ok(request))
            results = self.run_pipeline(server, 1000, timeout=4)
            kinds = [type(r) for r in results]
            # A close with unread requests is a reset, which can take earlier answers along.
            self.assertLessEqual(set(kinds[:300]), {int, OutcomeUnknown} if end is CLOSE else {int})
            self.assertIs(kinds[300], OutcomeUnknown)
            sent = [r["value"] for r in server.requests]
            self.assertEqual(len(sent), len(set(sent)), "none is sent twice")
            self.assertFalse(any(issubclass(kinds[n], TryAgain) for n in sent), "what was sent is not 'not done'")
            self.assertTrue(issubclass(kinds[-1], TryAgain))
        d = DistributedDict(HOST, self.server(lambda request: CLOSE).port, timeout=20)
        self.assertRaises(OutcomeUnknown, d.update, a=1, b=2)
        self.assertRaises(OutcomeUnknown, d.delete_many, ["a", "b"])

    def test_reads_go_on_elsewhere(self):
        answers = [CLOSE]
        server = self.server(lambda request: answers.pop() if answers else ok(request))
        results = self.client(server, timeout=5).pipeline().get("a").get("b").execute()
        self.assertEqual([r.value for r in results], ["v", "v"])

    def test_a_refused_tail_is_sent_again_in_order(self):
        full = [3]

        def answer(request):
            if request["value"] >= 2 and full[0]:
                full[0] -= request["value"] == 5
                return refused("overloaded")
            done.append(request["value"])
            return ok(request)
        done = []
        self.assertEqual(self.run_pipeline(self.server(answer)), [1] * 6)
        self.assertEqual(done, list(range(6)))

    def test_a_refused_one_stays_behind_none(self):
        server = self.server(lambda request: refused("no_leader") if request["value"] == 2 else ok(request))
        results = self.run_pipeline(server)
        self.assertIsInstance(results.pop(2), NoLeader)
        self.assertEqual((results, len(server.requests)), ([1] * 5, 6))
        server = self.server(lambda request: refused("no_leader"))
        results = self.run_pipeline(server, attempts=2)
        self.assertEqual([isinstance(r, TryAgain) for r in results], [True] * 6)
        self.assertEqual([r["value"] for r in server.requests].count(0), 2)
