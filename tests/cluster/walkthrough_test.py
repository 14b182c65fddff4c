# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the README tells a newcomer to type, typed."""

import json
import shutil
import subprocess

from harness import HOST, ZATTD, ClusterTest, free_port, wait_for


def nc(port, line):
    """echo 'LINE' | nc -N 127.0.0.1 PORT"""
    done = subprocess.run(["nc", "-N", HOST, str(port)], input=line + "\n", capture_output=True,
                          text=True, timeout=15, check=False)
    return done.stdout


class Walkthrough(ClusterTest):
    def test_three_nodes_by_hand(self):
        cluster = self.cluster(flags=["--debug"])
        for n in (0, 2, 1):
            cluster[n].start()
        cluster.wait_leader()

        reply = nc(cluster[0].port, '{"op":"set","key":"key1","value":0}')
        rev = json.loads(reply)["rev"]
        self.assertEqual(reply, f'{{"ok":true,"rev":{rev}}}\n')
        want = f'{{"ok":true,"found":true,"value":0,"rev":{rev}}}\n'
        get = '{"op":"get","key":"key1"}'
        self.assertEqual(nc(cluster[2].port, get), want)

        for n in range(3):
            with self.subTest(f"kill -9 of node {n}"):
                cluster[n].kill()
                others = [node for node in cluster if node is not cluster[n]]
                cluster.wait_leader(among=others)
                for node in others:
                    self.assertEqual(nc(node.port, get), want)
                cluster[n].start()
                cluster.wait_leader()
                self.assertEqual(nc(cluster[n].port, get), want)

        cluster.kill()
        cluster.start()
        cluster.wait_leader()
        for node in cluster:
            self.assertEqual(nc(node.port, get), want)

        for node in cluster:
            self.assertEqual(node.terminate(), 0, node.log())

    def test_a_removed_folder_erases_a_nodes_log(self):
        cluster = self.cluster().start()
        leader = cluster.wait_leader()
        rev = self.assert_ok(leader.request({"op": "set", "key": "key1", "value": 0}))["rev"]
        wiped = next(node for node in cluster if node is not leader)
        third = next(node for node in cluster if node not in (leader, wiped))

        wiped.kill()
        old = wiped.storage.rename(self.folder / "old")
        wiped.start()
        # It gets the log again...
        wait_for(lambda: (wiped.status() or {}).get("applied", 0) >= rev,
                 "the wiped node has the log again")
        self.assertEqual(cluster.wait_leader().request({"op": "get", "key": "key1"})["value"], 0)
        # ...says what it is, to its own log, and through whoever leads...
        wiped.wait_log("directory is new|emptied|wiped")
        status = wait_for(lambda: (leader.status()["members"][wiped.id].get("notice") and
                                   leader.status()), "the leader's status says what it is")
        self.note(status["members"][wiped.id]["notice"])
        self.assertRegex(wiped.status()["notice"], "neither votes nor counts")

        # ...and counts for nothing: with it, two of three are no majority.
        third.kill()
        reply = leader.request({"op": "set", "key": "key2", "value": 0, "timeout_ms": 2500})
        self.assertIn(reply.get("error"), ("no_leader", "outcome_unknown"), reply)
        leader.kill()
        leader.start()
        leader.wait_up()
        reply = leader.request({"op": "get", "key": "key1", "timeout_ms": 2500})
        self.assert_error(reply, "no_leader")
        third.start()
        cluster.wait_serving()
        self.assertEqual(leader.request({"op": "get", "key": "key1"}),
                         {"ok": True, "found": True, "value": 0, "rev": rev})

        # Its old folder is put back: it counts again.
        self.assertEqual(wiped.terminate(), 0, wiped.log())
        shutil.rmtree(wiped.storage)
        old.rename(wiped.storage)
        wiped.start()
        wiped.wait_status(lambda status: status["role"] == "follower" and "notice" not in status,
                          "it is what it was")
        third.kill()
        cluster.wait_serving()

    def test_a_wiped_majority_is_named(self):
        cluster = self.cluster().start()
        cluster.wait_leader()
        self.assert_ok(cluster[0].request({"op": "set", "key": "key1", "value": 0}))
        cluster.kill()
        shutil.rmtree(cluster[1].storage)
        shutil.rmtree(cluster[2].storage)
        cluster.start()

        def named():
            reply = cluster[0].request({"op": "get", "key": "key1", "timeout_ms": 1000})
            self.assert_error(reply, "no_leader")
            text = reply["message"] + cluster[0].log()
            return "1" in text and "2" in text and "empt" in text and reply
        reply = wait_for(named, "the message says which directories are empty", timeout_s=20)
        self.note(reply["message"])
        # What it still has, it still shows to who asks for that.
        self.assertEqual(cluster[0].request({"op": "get", "key": "key1", "stale": True})["stale"], True)

    def test_zattd_alone_is_a_working_store(self):
        alone = self.node(port=free_port())
        alone.command = lambda: [str(ZATTD), "-p", str(alone.port)]
        alone.start().wait_up()
        rev = self.assert_ok(alone.request({"op": "set", "key": "k", "value": [1.0, "x"]}))["rev"]
        self.assertTrue((self.folder / "zatt.0.persist").is_dir())
        alone.kill()
        alone.start().wait_up()
        self.assertEqual(alone.request({"op": "get", "key": "k"}),
                         {"ok": True, "found": True, "value": [1.0, "x"], "rev": rev})
        self.assertEqual(alone.terminate(), 0)

    def test_a_list_of_pairs_names_a_cluster_too(self):
        cluster = self.cluster()
        pairs = list(cluster.settings["cluster"].values())
        cluster.config.write_text(json.dumps({"cluster": pairs}))
        cluster.start()
        cluster.wait_serving()
        for node in cluster:
            self.assertEqual(node.terminate(), 0)
