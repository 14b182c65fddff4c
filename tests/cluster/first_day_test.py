# SPDX-License-Identifier: AGPL-3.0-or-later
"""What people hit on their first day, and what they read then."""

import json
import re
import socket
import time

import format_2
from harness import HOST, Client, ClusterTest, free_port, wait_for


class FirstDay(ClusterTest):
    def test_the_third_node_was_never_started(self):
        cluster = self.cluster()
        for n in (0, 2):
            cluster[n].start()
        for n in (0, 2):
            cluster[n].wait_up()
            began = time.monotonic()
            for request in ({"op": "get", "key": "k"}, {"op": "set", "key": "k", "value": 1}):
                reply = cluster[n].request({**request, "timeout_ms": 700})
                self.assert_error(reply, "no_leader", "the cluster is not created yet: waiting for "
                                  rf"node 1 at 127\.0\.0\.1:{cluster[1].port} \(never seen\b")
            self.assertLess(time.monotonic() - began, 4)
            cluster[n].wait_log(f"waiting for node 1 at 127.0.0.1:{cluster[1].port}")
            status = cluster[n].status()
            self.assertEqual((status["leader"], status["cluster"]), (None, ""))
        cluster[1].start()
        cluster.wait_leader()
        cluster.wait_serving()
        self.assertEqual(len({node.status()["cluster"] for node in cluster}), 1)
        self.assertTrue(cluster[0].status()["cluster"])

    def test_ids_that_are_not_there(self):
        cluster = self.cluster()
        flags = ["-c", str(cluster.config)]
        for extra, message in ((["--id", "7"], r'no node "7" in .*zatt\.conf; it has 0, 1, 2'),
                               ([], r"--id.*0, 1, 2|0, 1, 2.*--id")):
            with self.subTest(extra):
                code, _, stderr = self.run_zattd(*flags, *extra)
                self.assertEqual(code, 2, stderr)
                self.assertRegex(stderr, message)
                self.assertEqual(len(stderr.splitlines()), 1, stderr)

    def test_configuration_that_is_wrong(self):
        table = [
            ('{"clutser": {"0": ["127.0.0.1", 5254]}}', r'zatt\.conf.*clutser.*cluster'),
            ('{"cluster": {"0": ["127.0.0.1", 5254]}, "election_timeout": 3}',
             r"election_timeout\b.*election_timeout_ms"),
            ('{"cluster": {"0": ["127.0.0.1", "5254"]}}', r"zatt\.conf"),
            ('{"cluster": {"0": ["127.0.0.1", 70000]}}', r"zatt\.conf"),
            ('{"cluster": {"a b": ["127.0.0.1", 5254]}}', r"zatt\.conf"),
            ('{"cluster": ', r"zatt\.conf"),
            ("", r"zatt\.conf"),
        ]
        for text, message in table:
            with self.subTest(text):
                (self.folder / "zatt.conf").write_text(text)
                for check in ([], ["--check-config"]):
                    code, _, stderr = self.run_zattd("-c", "zatt.conf", "--id", "0", *check)
                    self.assertEqual(code, 2, stderr)
                    self.assertRegex(stderr, message)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["zatt.conf"])

    def test_flags_that_are_wrong(self):
        for arguments in (["--nonsense"], ["-c"], ["-c", "missing.conf"], ["stray"], ["-p", "x"],
                          ["-p", "70000"]):
            with self.subTest(arguments):
                code, _, stderr = self.run_zattd(*arguments)
                self.assertEqual(code, 2, stderr)
                self.assertTrue(stderr)
                self.assertNotIn("assert", stderr)

    def test_flags_that_print(self):
        code, stdout, _ = self.run_zattd("--help")
        self.assertEqual(code, 0)
        for flag in ("--config", "--id", "--storage", "--debug", "--address", "--port"):
            self.assertIn(flag, stdout)
        code, stdout, _ = self.run_zattd("--version")
        self.assertEqual(code, 0)
        self.assertRegex(stdout, r"^zattd \d+\.\d+")
        code, stdout, _ = self.run_zattd("--print-config")
        self.assertEqual(code, 0)
        self.assertIn("5254", stdout)
        self.assertIn("zatt.0.persist", stdout)
        self.assertRegex(stdout, "default")
        code, stdout, _ = self.run_zattd("--print-config", "-p", "6000", env={"ZATT_ID": "0"})
        self.assertEqual(code, 0)
        self.assertIn("6000", stdout)
        self.assertIn("ZATT_ID", stdout)
        cluster = self.cluster()
        code, _, stderr = self.run_zattd("-c", str(cluster.config), "--id", "0", "--check-config")
        self.assertEqual((code, stderr), (0, stderr))
        self.assertFalse(list(self.folder.rglob("*.persist")))

    def test_the_port_is_taken(self):
        with socket.socket() as taken:
            port = free_port()
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind((HOST, port))
            taken.listen()
            code, _, stderr = self.run_zattd("-p", str(port), "-a", HOST)
        self.assertEqual(code, 3, stderr)
        self.assertIn(f"{HOST}:{port} is in use; is this node running already? see ss -ltnp", stderr)

    def test_storage_that_is_not_ours(self):
        cluster = self.cluster().start()
        cluster.wait_serving()
        running = cluster[0]
        config = str(cluster.config)
        with self.subTest("in use"):
            code, _, stderr = self.run_zattd("-c", config, "--id", "0", "-p", str(free_port()),
                                             "-s", str(running.storage))
            self.assertEqual(code, 4, stderr)
            self.assertRegex(stderr, rf"zatt\.0\.persist is in use by process {running.pid}")
        cluster_id = running.status()["cluster"]
        cluster.kill()
        with self.subTest("another node's"):
            code, _, stderr = self.run_zattd("-c", config, "--id", "1", "-s", str(running.storage))
            self.assertEqual(code, 4, stderr)
            found = re.search(r"zatt\.0\.persist belongs to node 0 of cluster (\w+).*, not to node 1", stderr)
            self.assertTrue(found, stderr)
            self.assertTrue(cluster_id.startswith(found.group(1)), (cluster_id, stderr))
        with self.subTest("a member's, without -c"):
            code, _, stderr = self.run_zattd("-s", str(running.storage), "-p", str(free_port()))
            self.assertEqual(code, 4, stderr)
            self.assertRegex(stderr, r"zatt\.0\.persist is a member of a cluster of 3; give -c")
        with self.subTest("not writable"):
            (self.folder / "a-file").write_text("x")
            code, _, stderr = self.run_zattd("-p", str(free_port()), "-s", "a-file")
            self.assertEqual(code, 4, stderr)
            self.assertIn("a-file", stderr)
        with self.subTest("never to be created"):
            settings = {"cluster": {"0": [HOST, free_port()]}, "create": "never"}
            (self.folder / "never.conf").write_text(json.dumps(settings))
            code, _, stderr = self.run_zattd("-c", "never.conf", "--id", "0", "-s", "empty.persist")
            self.assertEqual(code, 4, stderr)
            self.assertIn("empty.persist", stderr)
        cluster.start()
        cluster.wait_serving()

    def test_damage_is_named(self):
        cluster = self.cluster(size=1).start()
        cluster.wait_serving()
        node = cluster[0]
        for n in range(20):
            self.assert_ok(node.request({"op": "set", "key": f"k{n}", "value": "v" * 500}))
        self.assertEqual(node.terminate(), 0)
        segment = max(node.storage.glob("*.seg"), key=lambda path: path.stat().st_mtime_ns)
        data = bytearray(segment.read_bytes())
        at = data.find(b"v" * 100)
        self.assertGreater(at, 0)
        data[at] ^= 1
        segment.write_bytes(bytes(data))
        node.start()
        self.assertEqual(node.wait_exit(), 4, node.log())
        self.assertIn(segment.name, node.log())
        self.assertRegex(node.log(), r"\d+")

    def test_a_directory_of_an_earlier_format_is_refused_by_both_numbers(self):
        node = self.cluster(size=1)[0]
        format_2.write_to(node.storage)
        before = {path.name: path.read_bytes() for path in node.storage.iterdir()}
        node.start()
        self.assertEqual(node.wait_exit(), 4, node.log())
        self.assertRegex(node.log(), "an earlier version of zatt wrote this directory.*"
                         "hard_state: format 2, this version knows 3")
        for name, data in before.items():
            self.assertEqual((node.storage / name).read_bytes(), data, name)

    def test_another_clusters_node_is_refused_by_name(self):
        first = self.cluster().start()
        first.wait_serving()
        second = self.cluster().start()
        second.wait_serving()
        stray = second[1]
        stray.kill()
        # It is told that the first cluster is its own.
        second.config.write_text(json.dumps(first.settings))
        first[1].kill()
        stray.port = first[1].port
        stray.start()
        text = stray.wait_log(r"(?i)cluster", timeout_s=10)
        self.assertTrue(text)
        first[0].wait_log(r"(?i)another cluster|other cluster|cluster", timeout_s=10)
        stray.kill()
        first[1].start()
        first.wait_serving()
        first.wait_level()

    def test_a_quiet_log(self):
        """One line an event, quiet when all is well."""
        cluster = self.cluster().start()
        cluster.wait_serving()
        for node in cluster:
            lines = node.log().splitlines()
            self.note(f"node {node.id} said {len(lines)} lines")
            self.assertLess(len(lines), 25)
        lines_before = [len(node.log().splitlines()) for node in cluster]
        for n in range(200):
            self.assert_ok(cluster[n % 3].request({"op": "set", "key": "k", "value": n}))
        self.assertEqual([len(node.log().splitlines()) for node in cluster], lines_before)

    def test_addresses(self):
        """IPv6, and names that are looked up."""
        for host in ("::1", "localhost"):
            with self.subTest(host):
                try:
                    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
                        probe.bind((host, 0))
                except OSError:
                    self.skipTest(f"{host} is not there")
                cluster = self.cluster()
                settings = {"cluster": {node.id: [host, node.port] for node in cluster}}
                cluster.config.write_text(json.dumps(settings))
                for node in cluster:
                    node.start()
                cluster[0].wait_log(r"\w")
                def served(cluster=cluster, host=host):
                    try:
                        with Client(cluster[0].port, host=host) as client:
                            return client.request({"op": "set", "key": "k", "value": 1})["ok"]
                    except OSError:
                        return False
                wait_for(served, f"a write over {host}")
                cluster.kill()
