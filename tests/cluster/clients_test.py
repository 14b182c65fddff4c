# SPDX-License-Identifier: AGPL-3.0-or-later
"""Programs of users, in C and C++, against real nodes: what they are told is so."""

import subprocess

from harness import BUILD, HOST, SANITIZED, SOAK, ClusterTest
from load import read_all

WRITES = 10000
# What a write may be told while a leader dies (include/zatt/zatt.h).
DOCUMENTED = {"ok", "outcome_unknown", "no_leader", "no_server", "overloaded", "unavailable",
              "shutting_down"}


def servers(cluster):
    return ",".join(f"{HOST}:{node.port}" for node in cluster)


class Writer:
    """A program that writes NAME0, NAME1, ... and prints a line `N OUTCOME` for each."""

    def __init__(self, test, command, prefix, count):
        self.test = test
        self.prefix = prefix
        self.count = count
        self.outcomes = {}
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                        text=True)
        test.addCleanup(self.end)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def read(self, until=None):
        """Its lines, until so many were acknowledged, or all."""
        while until is None or len(self.acknowledged()) < until:
            line = self.process.stdout.readline()
            if not line:
                break
            number, outcome = line.split()
            self.test.assertNotIn(int(number), self.outcomes)
            self.outcomes[int(number)] = outcome
        return self

    def acknowledged(self):
        return {number for number, outcome in self.outcomes.items() if outcome == "ok"}

    def check(self, node):
        """Everything was answered, in documented words, and what was acknowledged is there."""
        self.test.assertEqual(self.process.wait(30), 0)
        self.test.assertEqual(set(self.outcomes), set(range(self.count)))
        self.test.assertLessEqual(set(self.outcomes.values()), DOCUMENTED)
        there = read_all(node, self.prefix)
        missing = [n for n in self.acknowledged() if there.get(f"{self.prefix}{n}", (None, 0))[0] != n]
        self.test.assertEqual(missing, [])
        strangers = [n for n, outcome in self.outcomes.items()
                     if outcome not in ("ok", "outcome_unknown") and f"{self.prefix}{n}" in there]
        self.test.assertEqual(strangers, [], "of these it was said that they never happen")


class Clients(ClusterTest):
    def kill_the_leader_under(self, command, sync_ms):
        cluster = self.cluster().start(shim=True)
        cluster.wait_serving()
        for node in cluster:  # so that the leader dies in the middle, and not behind the end
            node.delay_syncs(sync_ms)
        kills = 3 if SOAK else 1
        writer = Writer(self, [*command, servers(cluster), "w", str(WRITES)], "w", WRITES)
        for kill in range(1, kills + 1):
            writer.read(until=WRITES * kill // (kills + 1))
            leader = cluster.wait_leader()
            leader.kill()
            self.assertIsNone(writer.process.poll(), "it was faster than this test")
            cluster.wait_leader()
            leader.start(shim=True)
        writer.read()
        # It goes on by itself: nothing but what was under way when the leader died has failed.
        self.assertGreaterEqual(len(writer.acknowledged()), WRITES - 100 * kills)
        writer.check(cluster.wait_leader())
        outcomes = list(writer.outcomes.values())
        self.note(", ".join(f"{outcomes.count(word)} {word}" for word in sorted(set(outcomes))))

    def test_c_kill_the_leader_in_ten_thousand_writes(self):
        self.kill_the_leader_under([BUILD / "writer"], 6)

    def test_cpp_kill_the_leader_in_ten_thousand_writes(self):
        self.kill_the_leader_under([BUILD / "dict_writer"], 0)

    def test_c_conditions_and_absent_keys(self):
        cluster = self.cluster().start()
        cluster.wait_serving()
        done = subprocess.run([BUILD / "conditions", servers(cluster)], text=True,
                              capture_output=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_cpp_dictionary(self):
        cluster = self.cluster().start()
        cluster.wait_serving()
        for node in cluster:  # the leader and those who are not
            done = subprocess.run([BUILD / "dict_writer", f"{HOST}:{node.port}"], text=True,
                                  capture_output=True, timeout=60, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            with node.client() as client:
                for key in ("n",):
                    client.request({"op": "delete", "key": key})

    def test_a_client_that_is_given_one_server_learns_the_others(self):
        cluster = self.cluster().start()
        cluster.wait_serving()
        first = cluster.followers()[0]
        writer = Writer(self, [BUILD / "writer", f"{HOST}:{first.port}", "l", "3000"], "l", 3000)
        writer.read(until=1000)
        first.kill()  # the only one it was told of
        writer.read(until=2000)
        leader = cluster.wait_leader()
        leader.terminate()  # cleanly: it hands over first
        self.assertEqual(leader.process.returncode, 0)
        first.start()
        writer.read()
        writer.check(cluster.wait_leader())
        self.assertGreaterEqual(len(writer.acknowledged()), 2900)
        if not SANITIZED:
            self.note(f"{len(writer.acknowledged())} of 3000 acknowledged")
