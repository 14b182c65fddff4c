# SPDX-License-Identifier: AGPL-3.0-or-later
"""zatt status: what it says of a cluster, well or not."""

import json
import re
import shutil
import signal
import time

from cli_harness import CliTest, Terminal
from harness import HOST, free_port, wait_for


class Status(CliTest):
    def assert_degraded(self, *arguments):
        """It serves, something is wrong, and a script can tell by the exit code."""
        done = self.zatt("status", *arguments)
        self.assertEqual((done.code, done.err), (1, ""), done)
        return done

    def rows(self, text):
        """The lines of the table, by node."""
        return {row[1]: (row[0], row[2]) for row in re.findall(r"^([* ]) (\S+)  (.*)$", text, re.M)
                if row[1] != "NODE"}

    def test_all_is_well(self):
        cluster = self.serve(3)
        leader = cluster.wait_leader()
        for servers in (self.servers, f"localhost:{cluster[0].port}", f"{HOST}:{cluster[2].port}"):
            with self.subTest(servers):
                done = self.assert_done(self.zatt("status", "-s", servers))
                self.assertRegex(done.out, rf"^ok: node {leader.id} leads in term \d+; 3 of 3 voters answer\n"
                                 r"cluster [0-9a-f]+, \d+ keys?, version [\d.]+\n\n  NODE  ADDRESS ")
                rows = self.rows(done.out)
                self.assertEqual(sorted(rows), ["0", "1", "2"])
                for node in cluster:
                    star, rest = rows[node.id]
                    self.assertEqual(star, "*" if node is leader else " ")
                    self.assertRegex(rest, rf"^ *{HOST}:{node.port} +{'leader' if node is leader else 'follower'}"
                                     r" +\d+ +\d+ +\d+s")
                self.assertEqual(len({len(line) for line in done.out.splitlines()[3:]}), 1, done.out)
        about = json.loads(self.zatt("status", "--json").out)
        self.assertEqual((about["ok"], about["leader"], about["reached"]), (True, leader.id, 3))

    def test_a_node_is_down(self):
        cluster = self.serve(3)
        down = cluster.followers()[0]
        down.kill()
        began = time.monotonic()
        done = self.assert_degraded()
        self.assertLess(time.monotonic() - began, 5)
        self.assertRegex(done.out, r"^degraded: node \d leads in term \d+; 2 of 3 voters answer\n")
        self.assertRegex(self.rows(done.out)[down.id][1], r"no answer +- +\d+ +-  Connection refused")
        self.assert_done(self.zatt("set", "k", "1"))
        about = json.loads(self.assert_degraded("--json").out)
        self.assertEqual((about["ok"], about["state"]), (False, "degraded"))
        lag = [row for row in about["members"] if row["id"] == down.id]
        self.assertGreaterEqual(lag[0]["lag"], 1)

    def test_a_node_hangs(self):
        cluster = self.serve(3)
        hanging = cluster.followers()[0]
        hanging.signal(signal.SIGSTOP)
        began = time.monotonic()
        done = self.assert_degraded()
        self.assertLess(time.monotonic() - began, 5)
        self.assertRegex(self.rows(done.out)[hanging.id][1], "no answer .*no answer in time")
        hanging.signal(signal.SIGCONT)

    def test_no_majority(self):
        cluster = self.serve(3)
        last = cluster.wait_leader()
        for node in cluster:
            if node is not last:
                node.kill()
        last.wait_status(lambda status: status["leader"] is None, "it leads no longer")
        done = self.zatt("status")
        self.assertEqual((done.code, done.err), (3, ""), done)
        self.assertRegex(done.out, "^down: no leader; 1 of 3 voters answers, and it takes 2\n")
        self.assertFalse(json.loads(self.zatt("status", "--json").out)["ok"])
        cluster.kill()
        done = self.zatt("status")
        self.assertEqual((done.code, done.err), (3, ""), done)
        self.assertRegex(done.out, "^down: no server answers\n")
        self.assertEqual(done.out.count("Connection refused"), 3)

    def test_the_leader_hangs(self):
        cluster = self.serve(3)
        leader = cluster.wait_leader()
        leader.signal(signal.SIGSTOP)
        others = [node for node in cluster if node is not leader]
        new = cluster.wait_leader(among=others)
        done = self.assert_degraded()
        self.assertRegex(done.out, rf"^degraded: node {new.id} leads")
        self.assertEqual(self.rows(done.out)[new.id][0], "*")
        leader.signal(signal.SIGCONT)

    def test_an_emptied_directory(self):
        cluster = self.serve(3)
        wiped = cluster.followers()[0]
        wiped.kill()
        shutil.rmtree(wiped.storage)
        wiped.start().wait_status(lambda status: status["role"] == "learner", "it learns")
        done = self.assert_degraded()
        self.assertRegex(done.out, r"^degraded: node \d leads in term \d+; 2 of 3 voters answer\n")
        self.assertRegex(done.out, rf"\nnode {wiped.id}: .*storage directory.*neither votes nor counts; .*put that back.*\n")
        # The members say the same of it, whoever is asked.
        notice = r"storage directory .*neither votes nor counts"
        for node in cluster:
            with self.subTest(asked=node.id):
                self.ask([node])
                members = self.assert_done(self.zatt("members")).out
                self.assertRegex(members, rf"(?m)^{wiped.id} +\S+ +learner  .*{notice}(; .*)?$")
                self.assertEqual(len(re.findall(notice, members)), 1, members)
                rows = [json.loads(line) for line in self.zatt("members", "--json").out.splitlines()]
                self.assertEqual([row["id"] for row in rows if row["notices"]], [wiped.id])

    def test_full_disks(self):
        """The leader's and the followers'; alone it is in log_contract_test.py."""
        cluster = self.cluster(3, flags=["--segment-bytes", "65536"]).start(shim=True)
        cluster.wait_serving()
        self.ask(cluster)
        for node in cluster:
            node.fill_disk()
        for n in range(40):
            cluster[0].request({"op": "set", "key": f"k{n}", "value": "x" * 20_000, "timeout_ms": 500})
        for node in cluster:
            node.wait_status(lambda status: "is full" in status.get("notice", ""), "its disk is full")
        cluster.wait_leader()
        done = self.assert_degraded()
        for node in cluster:
            self.assertRegex(done.out, rf"\nnode {node.id}: .*{node.storage.name}: the disk is full; make room there: ")
        # One alone, a follower: it can lead nobody while others have room.
        for node in cluster.nodes[1:]:
            node.give_room()
        for node in cluster.nodes[1:]:
            node.wait_status(lambda status: "notice" not in status, "it has room", 90)
        leader = cluster.wait_leader(60, among=cluster.nodes[1:])
        self.assertIsNot(leader, cluster[0])
        done = self.assert_degraded()
        self.assertEqual(re.findall(r"\nnode (\d): .*: the disk is full", done.out), ["0"])

    def test_another_address_in_the_file(self):
        """Node 0 calls where nobody is: a voter without a leader, and it says why."""
        cluster = self.serve(3)
        cluster[0].kill()
        cluster.wait_leader(among=cluster.nodes[1:])
        settings = json.loads(cluster.config.read_text())
        for node_id in ("1", "2"):
            settings["cluster"][node_id][1] = free_port()
        other = cluster.folder / "other.conf"
        other.write_text(json.dumps(settings))
        cluster[0].config = other.name
        cluster[0].start().wait_status(lambda status: "no majority" in status.get("notice", ""), "it is alone")
        done = self.assert_degraded()
        here, there = settings["cluster"]["1"][1], cluster[1].port
        self.assertRegex(done.out, rf"\nnode 0: no majority is connected: node 1 at {HOST}:{here} \(never seen\), node 2 at "
                         rf".*: start who is missing, or mend the network between; the configuration of this node has node 1 "
                         rf"at {HOST}:{here}, the cluster at {HOST}:{there}, node 2 at .*: this node calls the former")
        cluster[0].wait_log(r"no leader is known")  # said last in that look
        self.assertEqual(len(re.findall(r"\] the configuration of this node has", cluster[0].log())), 1)

    def test_before_the_cluster_is_created(self):
        cluster = self.cluster()
        cluster[0].start().wait_up()
        self.ask(cluster)
        done = self.zatt("status")
        self.assertEqual(done.code, 3, done)
        self.assertRegex(done.out, r"^down: no leader")
        self.assertRegex(done.out, r"\nnode 0: .*the cluster is not created yet: waiting for node 1 at")
        self.assertEqual(done.out.count("Connection refused\n"), 2, done.out)

    def test_two_clusters_by_mistake(self):
        first, second = self.serve(), self.serve()
        self.ask([first[0], second[0]])
        done = self.assert_degraded()
        self.assertIn("not a member", done.out)
        self.assertRegex(done.out, "\nnode 0: it belongs to another cluster, [0-9a-f]+\n")

    def test_colours_are_for_terminals(self):
        self.serve()
        code, shown = self.on_terminal("status")
        self.assertEqual(code, 0)
        self.assertIn("\x1b[32mok\x1b[0m: ", shown)
        for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            code, shown = self.on_terminal("status", env=env)
            self.assertEqual(code, 0)
            self.assertNotIn("\x1b", shown)
        self.assertNotIn("\x1b", self.zatt("status").out)


class Watch(CliTest):
    def pictures(self, process, count):
        """The first so many blocks that it writes, each with the time in front."""
        found = [[]]
        while len(found) <= count:
            line = process.stdout.readline().decode()
            self.assertNotEqual(line, "", (process.poll(), found))
            if re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n$", line):
                found.append([])
            found[-1].append(line)
        return ["".join(each) for each in found[1:]]

    def test_a_picture_each_time_elsewhere(self):
        cluster = self.serve(3)
        leader = cluster.wait_leader()
        process = self.start_zatt("status", "--watch", "0.2")
        for picture in self.pictures(process, 3)[:2]:
            self.assertRegex(picture, rf"^[\d: -]+\nok: node {leader.id} leads (.*\n)+\n$")
        cluster.followers()[0].kill()
        while not process.stdout.readline().startswith(b"degraded: "):
            pass
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        self.assertEqual((process.returncode, err), (1, b""))

    def test_json_is_an_object_a_line(self):
        self.serve()
        process = self.start_zatt("status", "-w0.1", "--json")
        for _ in range(3):
            self.assertEqual(json.loads(process.stdout.readline())["state"], "ok")
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 0)
        for line in rest.splitlines():
            self.assertTrue(json.loads(line)["ok"])

    def test_a_terminal_is_drawn_anew(self):
        self.serve()
        terminal = Terminal(self, "status", "--watch", "0.1")
        terminal.until("\x1b[H\x1b[2J")
        self.assertRegex(terminal.until("\x1b[H\x1b[2J"),
                         r"^[\d: -]+, every 0\.1 s until \^C\r\n\x1b\[32mok\x1b\[0m: node 0 leads in term 1")
        terminal.type("\x03")
        self.assertEqual(terminal.end(), 0, terminal.shown)

    def test_how_else_it_ends(self):
        self.serve()
        process = self.start_zatt("status", "--watch", "60")
        self.pictures_begin(process)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, -signal.SIGTERM)
        process = self.start_zatt("status", "--watch", "60")
        self.pictures_begin(process)
        process.stdout.close()
        process.stderr.close()
        self.assertEqual(process.wait(20), 141)
        self.ask_nobody()
        process = self.start_zatt("status", "--watch", "0.1")
        self.pictures(process, 1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 3)

    def pictures_begin(self, process):
        self.assertRegex(process.stdout.readline().decode(), r"^\d{4}-")
        wait_for(lambda: re.search(r"^State:\s+S", open(f"/proc/{process.pid}/status").read(), re.M), "it waits")

    def ask_nobody(self):
        self.servers = f"{HOST}:1"
