# SPDX-License-Identifier: AGPL-3.0-or-later
"""The zatt command in trouble: what it ends with, and that it is true."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

from cli_harness import ZATT, CliTest, own_signals
from harness import HOST, SANITIZED, SOAK, wait_for


class FakeServer:
    """One that greets as a leader does, and answers other lines as it is told: with bytes, with
    nothing (None), or by ending the connection (False)."""

    def __init__(self, answer, greets=True, disk=None):
        self.answer = answer
        self.disk = {} if disk is None else {"disk": disk}
        self.greets = greets
        self.seen = []
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        status = {"ok": True, "node": "f", "role": "leader", "term": 1, "leader": "f", "commit": 1, "applied": 1,
                  "last": 1, "snapshot": 0, "members": {"f": {"address": [HOST, self.port], "voter": True}},
                  "keys": 0, "version": "0", "uptime_s": 1, "cluster": "f", **self.disk}
        with connection, connection.makefile("rb") as lines:
            for line in lines:
                if json.loads(line)["op"] == "status" and self.greets:
                    reply = (json.dumps(status) + "\n").encode()
                else:
                    self.seen.append(line)
                    reply = self.answer
                if reply is False:
                    return
                if reply is not None:
                    try:
                        connection.sendall(reply)
                    except OSError:
                        return


def died_of(number):
    return -number


class ExitCodes(CliTest):
    def test_no_server_is_3_and_soon(self):
        for command in (("get", "k"), ("set", "k", "1"), ("ls",), ("export",), ("members",), ("count",)):
            with self.subTest(command):
                began = time.monotonic()
                self.assert_fails(self.zatt(*command), 3, rf"no_server: no server answered: {HOST}:1: "
                                  r"Connection refused \(is zattd running there\? --servers or ZATT_SERVERS")
                self.assertLess(time.monotonic() - began, 4)
        done = self.zatt("raw", stdin='{"op":"ping","id":"a"}\n{"op":"ping","id":"b"}\n')
        self.assertEqual(done.code, 3, done)
        self.assertEqual([(r["ok"], r["id"], r["error"]) for r in map(json.loads, done.out.splitlines())],
                         [(False, "a", "no_server"), (False, "b", "no_server")])
        self.assertRegex(done.err, "^zatt: line 1 and 1 after it: no_server: ")
        done = self.zatt("import", stdin='{"key":"k","value":1}\n')
        self.assertEqual(done.code, 3, done)
        self.assert_fails(self.zatt("get", "k", "-s", "nowhere.invalid"), 3, "no_server: cannot look up")

    def test_no_leader_is_3(self):
        cluster = self.serve(3)
        self.assert_done(self.zatt("set", "k", "1"))
        for node in cluster.nodes[1:]:
            node.kill()
        cluster[0].wait_status(lambda status: status["leader"] is None, "it knows no leader")
        for command in (("get", "k"), ("set", "k", "2"), ("incr", "k"), ("del", "k"), ("wait",)):
            with self.subTest(command):
                self.assert_fails(self.zatt(*command, "--timeout", "0.5"), 3, "no_leader: ")
        for node in cluster.nodes[1:]:
            node.start()
        cluster.wait_serving()
        self.assert_done(self.zatt("get", "k"), "1\n")

    def test_who_is_missing_is_said(self):
        """In the server's own words, and by address."""
        cluster = self.serve(3)
        self.assert_done(self.zatt("set", "k", "1"))
        for node in cluster.nodes[1:]:
            node.kill()
        cluster[0].wait_status(lambda status: status["leader"] is None, "it knows no leader")
        gone = [rf"node {node.id} at {HOST}:{node.port} \(last seen \d+ s ago" for node in cluster.nodes[1:]]
        for command in (("get", "k"), ("set", "k", "2"), ("ls",), ("count",)):
            with self.subTest(command):
                self.assert_fails(self.zatt(*command, "--timeout", "1.5"), 3,
                                  f"no_leader: .*no majority is connected: {gone[0]}.*{gone[1]}")
        cluster[0].kill()
        done = self.assert_fails(self.zatt("get", "k", "--timeout", "0.5"), 3, "no_server: no server answered: ")
        for node in cluster:
            self.assertIn(f"{HOST}:{node.port}: Connection refused", done.err)

    def test_the_time_that_was_given_is_waited(self):
        """A member may come back: whoever names a time gets it, and no more."""
        cluster = self.serve()
        self.assert_done(self.zatt("set", "k", "1"))
        cluster[0].kill()
        process = self.start_zatt("get", "k", "--timeout", "60")
        began = time.monotonic()
        self.assert_fails(self.zatt("get", "k", "--timeout", "2.5"), 3, "no_server: ")
        self.assertGreaterEqual(time.monotonic() - began, 2.5)
        self.assertIsNone(process.poll())
        cluster[0].start()
        out, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out, err), (0, b"1\n", b""))

    def test_a_member_that_hangs_leaves_the_others_their_turn(self):
        with socket.create_server((HOST, 0)) as silent:
            cluster = self.serve()
            self.assert_done(self.zatt("set", "k", "1"))
            servers = f"{HOST}:{silent.getsockname()[1]},{self.servers}"
            self.assert_done(self.zatt("get", "k", "--timeout", "0.8", "-s", servers), "1\n")
            cluster[0].kill()
            done = self.zatt("get", "k", "--timeout", "0.8", "-s", servers)
            self.assertRegex(done.err, f"{HOST}:{silent.getsockname()[1]}: it did not answer in time; "
                             f"{HOST}:{cluster[0].port}: Connection refused")

    def test_a_write_without_an_answer_is_4(self):
        for answer, why in ((None, "did not answer in time"), (False, "the connection ended"),
                            (b"garbage\n", "it does not answer as zatt does"), (b'{"ok":true', "did not answer")):
            with self.subTest(answer), FakeServer(answer) as fake:
                self.ask([fake])
                for command in (("set", "k", "1"), ("del", "k"), ("incr", "k")):
                    began = time.monotonic()
                    self.assert_fails(self.zatt(*command, "-t", "0.7"), 4, f"outcome_unknown: .*{why}")
                    self.assertLess(time.monotonic() - began, 5)
                self.assertEqual(len(fake.seen), 3)  # none was repeated
                self.assert_fails(self.zatt("get", "k", "-t", "0.7"), 3, "unavailable|no_server")
                done = self.zatt("import", "-t", "0.7", stdin='{"key":"k","value":1}\n' * 3)
                self.assertEqual(done.code, 4, done)
                self.assertRegex(done.err, "^zatt: line 1: outcome_unknown: .*\nzatt: up to line 3: 0 keys set, ")
                line = '{"op":"set","key":"k","value":1,"id":7}\n'
                done = self.zatt("raw", "-t", "0.7", stdin=line)
                self.assertEqual(done.code, 4, done)
                reply = json.loads(done.out)
                self.assertEqual((reply["ok"], reply["id"], reply["error"]), (False, 7, "outcome_unknown"))

    def test_a_server_that_never_greets_is_3(self):
        for answer in (None, b"garbage\n", False, b'{"ok":true', b"x" * (1 << 20)):
            with self.subTest(str(answer)[:20]), FakeServer(answer, greets=False) as fake:
                self.ask([fake])
                began = time.monotonic()
                self.assert_fails(self.zatt("set", "k", "1"), 3, "no_server: ")
                done = self.zatt("status")
                self.assertEqual(done.code, 3, done)
                self.assertRegex(done.out, "^down: the one server that was asked does not answer ")
                self.assertLess(time.monotonic() - began, 8)

    def test_interrupts(self):
        with FakeServer(None) as fake:
            self.ask([fake])
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                fake.seen.clear()
                process = self.start_zatt("set", "k", "1", "--timeout", "60")
                wait_for(lambda: fake.seen, "the write was sent")
                process.send_signal(number)
                out, err = process.communicate(timeout=20)
                self.assertEqual((process.returncode, out), (4, b""), err)
                self.assertRegex(err, b"^zatt: outcome_unknown: given up before the write was answered\n$")

                fake.seen.clear()
                process = self.start_zatt("get", "k", "--timeout", "60")
                wait_for(lambda: fake.seen, "the read was sent")
                process.send_signal(number)
                out, err = process.communicate(timeout=20)
                self.assertEqual((process.returncode, out, err), (died_of(number), b"", b""))

    def test_interrupts_before_anything_was_sent(self):
        for command in (("set", "k", "-"), ("raw",), ("import",)):
            with self.subTest(command):
                self.serve()
                process = self.start_zatt(*command, stdin=subprocess.PIPE)
                wait_for(lambda: re.search(r"^State:\s+S", open(f"/proc/{process.pid}/status").read(), re.M)
                         and os.path.realpath(f"/proc/{process.pid}/exe") == str(ZATT), "it waits for input")
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=20)
                self.assertEqual((process.returncode, out, err), (died_of(signal.SIGINT), b"", b""))

    def test_interrupt_from_a_keyboard(self):
        with FakeServer(None) as fake:
            self.ask([fake])
            code, shown = self.on_terminal("set", "k", "1", "--timeout", "60", until=lambda: bool(fake.seen))
            self.assertEqual(code, 4, shown)
            self.assertIn("outcome_unknown", shown)
            fake.seen.clear()
            code, shown = self.on_terminal("get", "k", "--timeout", "60", until=lambda: bool(fake.seen))
            self.assertEqual((code, shown.replace("^C", "")), (died_of(signal.SIGINT), ""))
            done = self.shell("timeout --preserve-status -s INT 0.5 zatt get k --timeout 60; echo $?")
            self.assertEqual((done.out, done.err), ("130\n", ""))

    def test_interrupt_of_lines_under_way(self):
        with FakeServer(None) as fake:
            self.ask([fake])
            for command, stdin, code in (
                    (("import",), b'{"key":"k","value":1}\n', 4),
                    (("raw",), b'{"op":"set","key":"k","value":1}\n', 4),
                    (("raw",), b'{"op":"get","key":"k"}\n', died_of(signal.SIGINT))):
                with self.subTest(command):
                    fake.seen.clear()
                    process = self.start_zatt(*command, "--timeout", "60", stdin=subprocess.PIPE)
                    process.stdin.write(stdin)
                    process.stdin.flush()
                    wait_for(lambda: fake.seen, "it was sent")
                    process.send_signal(signal.SIGINT)
                    _, err = process.communicate(timeout=20)
                    self.assertEqual(process.returncode, code, err)
                    self.assertEqual(b"unknown" in err, code == 4, err)

    def test_an_ignored_interrupt_stays_ignored(self):
        with FakeServer(None) as fake:
            self.ask([fake])
            process = subprocess.Popen(["sh", "-c", f"trap '' INT; exec {ZATT} get k --timeout 2"],
                                       env=self.environment(), stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=own_signals)
            wait_for(lambda: fake.seen, "the read was sent")
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
            self.assertEqual(process.returncode, 3, err)  # its time was up, and nothing else

    def test_refused_is_5(self):
        self.serve()
        self.assert_fails(self.zatt("set", "k" * 4097, "1"), 5, "too_large: ")
        self.assert_fails(self.zatt("get", "k" * 4097), 5, "too_large: ")
        self.assert_fails(self.zatt("set", "k", "-", stdin="x" * (2 << 20)), 5, "too_large: ")
        self.assert_fails(self.zatt("set", "k", "-", stdin="x" * (40 << 20)), 2, ".*larger than any value")
        self.assert_done(self.zatt("set", "k", "-", stdin="x" * 1000000))

    def test_no_room_is_3_where_others_have_some_and_else_5(self):
        refusal = b'{"ok":false,"error":"storage_full","message":"the disk has no room for this"}\n'
        with FakeServer(refusal) as room, FakeServer(refusal, disk="full") as full:
            for fake, code, more in ((room, 3, r" \(other members have room, and one of them takes over: try again"),
                                     (full, 5, "\n")):
                self.ask([fake])
                for command in (("set", "k", "1"), ("incr", "k"), ("set", "k", "1", "l", "2")):
                    done = self.zatt(*command)
                    self.assertEqual((done.code, done.out), (code, ""), done)
                    self.assertRegex(done.err, f"^zatt: (k: )?storage_full: the disk has no room for this{more}")
                done = self.zatt("import", stdin='{"key":"k","value":1}\n')
                self.assertEqual(done.code, code, done)
                self.assertRegex(done.err, f"^zatt: line 1: storage_full: the disk has no room for this{more}")
                self.assertEqual(self.zatt("raw", stdin='{"op":"set","key":"k","value":1}\n').code, code)
                self.assertEqual(self.zatt("-", stdin="set k 1\n").code, code)

    def test_output_that_is_lost_is_6(self):
        self.serve()
        self.assert_done(self.zatt("set", "k", "1"))
        for command in ("get k", "get k absent", "scan", "export", "incr n", "status", "help", "count --json"):
            with self.subTest(command):
                done = self.shell(f"zatt {command} > /dev/full")
                self.assertEqual((done.code, done.err), (6, "zatt: the output could not be written: No space left "
                                                            "on device\n"))
        self.assert_done(self.zatt("get", "n"), "1\n")
        # What was not done is the graver news.
        done = self.shell(f"zatt set --json {'k' * 4097} 1 > /dev/full")
        self.assertEqual(done.code, 5, done)
        self.assertRegex(done.err, "(?s)^zatt: too_large: .*\nzatt: the output could not be written: ")
        done = self.shell(f"zatt status -s {HOST}:1 > /dev/full")
        self.assertEqual(done.code, 3, done)

    def test_a_closed_pipe_is_silent(self):
        self.serve()
        lines = "".join(f'{{"key":"{n:06}","value":"{"x" * 100}"}}\n' for n in range(20000))
        self.assert_done(self.zatt("import", stdin=lines))
        for command in ("scan", "ls", "export", "scan --json"):
            for setup in ("", "trap '' PIPE; "):
                with self.subTest(setup + command):
                    done = self.shell(f"{setup}zatt {command} | head -1; echo ${{PIPESTATUS[0]}}")
                    self.assertEqual(done.out.splitlines()[1:], ["141"], done)
                    self.assertEqual(done.err, "")
        done = self.shell("""yes '{"op":"ping"}' | zatt raw | head -1; echo ${PIPESTATUS[1]}""")
        self.assertEqual((done.out, done.err), ('{"ok":true}\n141\n', ""))

    def test_a_pager_that_does_not_read_can_be_left(self):
        self.serve()
        lines = "".join(f'{{"key":"{n:06}","value":"{"x" * 100}"}}\n' for n in range(20000))
        self.assert_done(self.zatt("import", stdin=lines))
        for command in ("scan", "export"):
            process = self.start_zatt(command)
            wait_for(lambda: re.search(r"^State:\s+S", open(f"/proc/{process.pid}/status").read(), re.M)
                     and process.stdout.peek(1), "it waits for its reader")
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(20), died_of(signal.SIGINT))
            process.stdout.close()
            process.stderr.close()


class LeaderKilled(CliTest):
    """In the middle of it, twice: what is acknowledged is there, what failed for certain is not."""

    def serve_slowly(self):
        """So that there is a middle of it."""
        cluster = self.serve(3, shim=True)
        for node in cluster:
            node.delay_syncs(20)
        return cluster

    def trouble(self, cluster, progress, count):
        """Kills the leader at a third and at two thirds of what progress() counts, and has it back."""
        for third in (count // 3, 2 * count // 3):
            wait_for(lambda third=third: progress() >= third, f"{third} of {count}", timeout_s=600)
            leader = cluster.wait_leader(timeout_s=60)
            leader.kill()
            leader.start()
            cluster.wait_leader(timeout_s=60)

    def test_a_shell_loop(self):
        cluster = self.serve(3)
        count = 10000 if SOAK else 300 if SANITIZED else 1000
        script = f"""for ((n = 0; n < {count}; n++)); do
            zatt set "k$n" "$n" --timeout 10 2>> errors; echo "$n $?" >> log
        done"""
        (self.folder / "log").write_text("")
        with subprocess.Popen(["bash", "-c", script], cwd=self.folder, env=self.environment(),
                              preexec_fn=own_signals) as loop:
            try:
                self.trouble(cluster, lambda: (self.folder / "log").read_text().count("\n"), count)
                self.assertEqual(loop.wait(900), 0)
            finally:
                loop.kill()
        codes = {n: int(code) for n, code in re.findall(r"^(\d+) (\d+)$", (self.folder / "log").read_text(), re.M)}
        self.assertEqual(len(codes), count)
        there = {row["key"][1:]: row["value"] for row in
                 map(json.loads, self.assert_done(self.zatt("export", "k")).out.splitlines())}
        errors = (self.folder / "errors").read_text()
        for n, code in codes.items():
            self.assertIn(code, (0, 3, 4), errors)
            if code != 4:
                self.assertEqual(there.get(n), int(n) if code == 0 else None, (n, code))
        self.assertEqual(len(re.findall("^zatt: (no_leader|no_server|outcome_unknown|overloaded|shutting_down): .*$",
                                        errors, re.M)), errors.count("\n"), errors)
        bad = sum(code != 0 for code in codes.values())
        self.assertLess(bad, 20, errors)  # it goes on by itself
        self.note(f"{count} writes, a process each; the leader killed twice: {bad} not acknowledged")

    def test_raw(self):
        cluster = self.serve_slowly()
        count = 60000 if SOAK else 20000
        (self.folder / "in").write_text("".join(
            f'{{"op":"set","key":"k{n}","value":{n},"id":{n}}}\n' for n in range(count)))
        with open(self.folder / "in", "rb") as stdin, open(self.folder / "out", "wb") as stdout, \
                subprocess.Popen([str(ZATT), "raw"], env=self.environment(), stdin=stdin, stdout=stdout,
                                 stderr=subprocess.PIPE, preexec_fn=own_signals) as process:
            try:
                self.trouble(cluster, lambda: (self.folder / "out").read_bytes().count(b"\n"), count)
                _, err = process.communicate(timeout=300)
            finally:
                process.kill()
        replies = [json.loads(line) for line in (self.folder / "out").read_text().splitlines()]
        self.assertEqual([reply["id"] for reply in replies], list(range(count)))
        there = {row["key"]: row["value"] for row in
                 map(json.loads, self.assert_done(self.zatt("export", "k")).out.splitlines())}
        worst = 0
        for reply in replies:
            key = f"k{reply['id']}"
            if reply["ok"]:
                self.assertEqual(there.get(key), reply["id"])
            elif reply["error"] == "outcome_unknown":
                worst = max(worst, 4)
            else:
                self.assertIn(reply["error"], ("no_leader", "overloaded", "shutting_down"))
                self.assertNotIn(key, there)
                worst = max(worst, 3)
        self.assertEqual(process.returncode, worst, err)
        self.note(f"raw, {count} writes: {sum(not reply['ok'] for reply in replies)} not acknowledged")

    def test_import_can_be_run_again(self):
        cluster = self.serve_slowly()
        count = 200000 if SOAK else 60000
        (self.folder / "in").write_text("".join(f'{{"key":"k{n}","value":{n}}}\n' for n in range(count)))
        process = self.start_zatt("import", "in")
        wait_for(lambda: int(self.zatt("count", "k").out or 0) > count // 10, "a tenth is there", timeout_s=60)
        cluster.wait_leader().kill()
        out, err = process.communicate(timeout=120)
        out, err = out.decode(), err.decode()
        self.assertIn(process.returncode, (0, 3, 4), err)
        cluster.wait_leader(timeout_s=60, among=cluster.running())
        if process.returncode:
            self.assertEqual(out, "")
            found = re.search(r"^zatt: line (\d+): \w+: .*\nzatt: up to line (\d+): (\d+) keys set"
                              r"(?:, (\d+) not set)?(?:, of (\d+) it is unknown)?; nothing after it was sent\n$", err)
            self.assertTrue(found, err)
            first, sent, done, not_set, unknown = (int(number or 0) for number in found.groups())
            self.assertEqual(done + not_set + unknown, sent, err)
            there = int(self.zatt("count", "k").out)
            self.assertTrue(done <= there <= done + unknown, (there, err))
            self.assertLessEqual(first, sent)
        self.assert_done(self.zatt("import", "in", timeout_s=120), f"{count} keys set\n")
        self.assert_done(self.zatt("count", "k"), f"{count}\n")
        self.note(f"import of {count}: {(err.splitlines() or ['not troubled'])[-1]}")
