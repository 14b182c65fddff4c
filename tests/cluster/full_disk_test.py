# SPDX-License-Identifier: AGPL-3.0-or-later
"""Disks that are full to the last byte: small file systems of memory, which only root may mount."""

import os
import subprocess
import time
import unittest

from cli_harness import CliTest

VALUE = "x" * 60_000


def mount(node, megabytes, *more):
    options = ",".join([*more, f"size={megabytes}m"])
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(node.storage)], check=True,
                   stderr=subprocess.PIPE)


def give_room(node, megabytes):
    mount(node, megabytes, "remount")


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class FullDisk(CliTest):
    def small_disks(self, nodes):
        for node in nodes:
            node.storage.mkdir()
            try:
                mount(node, 16)
            except subprocess.CalledProcessError as error:
                self.skipTest(f"no file system may be mounted here: {error.stderr.decode().strip()}")
            self.addCleanup(subprocess.run, ["umount", "-l", str(node.storage)], check=True)

    def fill(self, node):
        """Writes until the disk is full. How many writes that took."""
        for n in range(1000):
            reply = node.request({"op": "set", "key": f"k{n}", "value": VALUE})
            if not reply["ok"]:
                self.assertEqual(reply["error"], "storage_full", reply)
                return n
        self.fail("the disk never gets full")

    def resumes(self, node):
        deadline = time.monotonic() + 90
        while not (reply := node.request({"op": "set", "key": "again", "value": VALUE}))["ok"]:
            self.assertIn(reply["error"], ("storage_full", "no_leader", "outcome_unknown", "overloaded"), reply)
            self.assertLess(time.monotonic(), deadline, "writes do not go on")

    def test_all_disks_are_full(self):
        cluster = self.cluster()
        self.small_disks(cluster)
        cluster.start()
        leader = cluster.wait_leader()
        cluster.wait_serving()
        written = self.fill(leader)
        self.note(f"{written} values of 60 KB on disks of 16 MiB")
        self.assertEqual(leader.request({"op": "get", "key": "k0"})["value"], VALUE)
        refused = 0
        for n in range(3000):  # deletes go on, as long as the reserve lasts; then they are refused
            reply = leader.request({"op": "delete", "key": f"k{n}"})
            if not reply["ok"]:
                self.assertEqual(reply["error"], "storage_full", reply)
                refused += 1
                if refused == 10:
                    break
        self.note(f"{n - refused + 1} deletes")
        self.ask(cluster)  # nobody has room: it would be refused again
        self.assert_fails(self.zatt("set", "k", VALUE), 5, "storage_full: .*deleting keys makes none\n")
        self.assertEqual(self.zatt("import", stdin=f'{{"key":"k","value":"{VALUE}"}}').code, 5)
        self.assertEqual(self.zatt("raw", stdin=f'{{"op":"set","key":"k","value":"{VALUE}"}}').code, 5)
        self.assertGreater(n, 100)
        for node in cluster:
            self.assertTrue(node.is_running(), node.log())
        cluster.kill()  # and from the disks as they are, with room again
        for node in cluster:
            give_room(node, 64)
            node.start()
        leader = cluster.wait_leader()
        cluster.wait_serving()
        self.resumes(leader)
        self.assertEqual(leader.request({"op": "get", "key": "again"})["value"], VALUE)

    def test_one_disk_is_full(self):
        cluster = self.cluster()
        small = next(iter(cluster))
        self.small_disks([small])
        cluster.start()
        cluster.wait_leader()
        cluster.wait_serving()
        others = [node for node in cluster if node is not small]
        # Where it leads, growth is refused until it hands over.
        self.ask(others)
        deadline = time.monotonic() + 60
        done = refused = 0
        while done < 400:
            reply = others[0].request({"op": "set", "key": f"k{done}", "value": VALUE})
            done += reply["ok"]
            if reply.get("error") == "storage_full" and refused < 3:
                refused += 1  # the others have room: it may be tried again
                said = self.zatt("set", "k", VALUE)
                self.assertIn(said.code, (0, 3), said)
                if said.code:
                    self.assertIn("take", said.err)
            self.assertLess(time.monotonic(), deadline, reply)
        self.assertTrue(small.is_running(), small.log())
        others[0].kill()  # the one whose disk is full is needed: it votes, and catches up with room
        cluster.wait_leader(among=[small, others[1]])
        give_room(small, 64)
        self.resumes(others[1])
