# SPDX-License-Identifier: AGPL-3.0-or-later
"""del --prefix, commands from standard input, and the prompt: the zatt command with real nodes."""

import json
import signal
import subprocess
import time

from cli_harness import CliTest, Terminal
from cli_trouble_test import FakeServer
from harness import HOST, wait_for


class DeletePrefix(CliTest):
    def fill(self, prefix, count):
        self.assert_done(self.zatt("import", stdin="".join(
            f'{{"key":"{prefix}{n:05}","value":1}}\n' for n in range(count))))

    def test_ten_thousand_keys(self):
        self.serve()
        self.fill("user:", 10500)
        self.assert_done(self.zatt("set", "user", "1", "userx", "2"))
        started = time.monotonic()
        self.assert_done(self.zatt("del", "--prefix", "user:", "--yes"), "10500 keys deleted\n")
        self.note(f"10,500 keys deleted in {time.monotonic() - started:.2f} s")
        self.assert_done(self.zatt("ls"), "user\nuserx\n")
        none = self.zatt("del", "--prefix", "user:", "--yes")
        self.assertEqual((none.code, none.out, none.err), (1, "0 keys deleted\n", ""))
        self.assert_done(self.zatt("del", "-yp", "user", "--json"), '{"deleted":2,"left":0,"unknown":0}\n')

    def test_without_a_terminal_it_wants_yes(self):
        self.serve()
        self.fill("k", 2)
        self.assert_fails(self.zatt("del", "--prefix", "k"), 2, "del --prefix asks before it deletes, and nobody "
                          "is there to be asked: --yes deletes without asking")
        self.assert_done(self.zatt("count"), "2\n")

    def test_a_person_is_asked(self):
        self.serve()
        self.fill("user:", 123)
        for answer in ("\r", "n\r", "yess\r"):
            terminal = Terminal(self, "del", "--prefix", "user:")
            self.assertEqual(terminal.until("? [y/N] "), "delete 123 keys under 'user:'")
            terminal.type(answer)
            self.assertEqual(terminal.end(), 1)
            self.assertIn(b"nothing was deleted", terminal.shown)
        terminal = Terminal(self, "del", "--prefix", "")
        self.assertEqual(terminal.until("? [y/N] "), "delete all keys, 123")
        terminal.type("\x03")
        self.assertEqual(terminal.end(), -signal.SIGINT)
        self.assert_done(self.zatt("count"), "123\n")
        terminal = Terminal(self, "del", "--prefix", "user:")
        terminal.until("? [y/N] ")
        terminal.type("y\r")
        self.assertEqual(terminal.end(), 0, terminal.shown)
        self.assertIn(b"123 keys deleted", terminal.shown)
        self.assert_done(self.zatt("count"), "0\n")

    def test_what_is_left_after_a_failure_is_said(self):
        cluster = self.cluster(1).start(shim=True)
        cluster.wait_serving()
        self.ask(cluster)
        self.fill("k", 5000)
        cluster[0].delay_syncs(20)
        process = self.start_zatt("del", "--prefix", "k", "--yes", "--json")
        wait_for(lambda: 0 < int(self.zatt("count", "k").out or 0) < 5000, "some are deleted")
        cluster[0].kill()
        out, err = process.communicate(timeout=60)
        self.assertIn(process.returncode, (3, 4), err)
        self.assertRegex(err.decode(), r"(?s)^zatt: .*\nzatt: \d+ of 5000 keys deleted(, of \d+ it is unknown)?; "
                         r"\d+ left: the same command again deletes what is left\n$")
        said = json.loads(out)
        cluster[0].start()
        cluster.wait_serving()
        there = int(self.zatt("count", "k").out)
        self.assertEqual(sum(said.values()), 5000)
        self.assertTrue(said["left"] <= there <= said["left"] + said["unknown"], (there, said))
        self.assertEqual(self.zatt("del", "--prefix", "k", "--yes").code, 0 if there else 1)


class Lines(CliTest):
    def test_commands_a_line_each(self):
        self.serve()
        done = self.assert_done(self.zatt("-", stdin="\n".join([
            "# what a shell would not have kept whole", "", "set a 1", 'set lamp {"on": true, "x": [1]}  # JSON',
            "set motd 'Hello, world'", 'set both "it\'s"', "zatt set b two", "get lamp", "get -r motd", "get -r both",
            "get a b", "incr a -3 --json", "  del b", "ls", "count\r"])))
        lines = done.out.splitlines()
        self.assertEqual(lines[:5], ['{"on":true,"x":[1]}', "Hello, world", "it's", "a\t1", 'b\t"two"'])
        self.assertEqual(json.loads(lines[5])["value"], -2)
        self.assertEqual(lines[6:], ["a", "both", "lamp", "motd", "4"])

    def test_an_input_that_is_closed_is_no_empty_one(self):
        self.serve()
        for command in ("zatt set k - <&-", "zatt - <&-", "zatt raw <&-"):
            with self.subTest(command):
                self.assertEqual(self.shell(command).code, 2)
        self.assertEqual(self.zatt("get", "k").code, 1)

    def test_the_first_that_fails_ends_it(self):
        self.serve()
        table = [("get nobody", 1, "line 2: there is no key nobody"), ("gett a", 2, 'line 2: unknown verb "gett"; did you'),
                 ("set k 'x", 2, "line 2: a ' is not closed"), ("set k {x}", 2, "line 2: not JSON; --string"), ("set a 1; get a", 2, "line 2: a ; means nothing here"),
                 ("incr a --if-value 9", 1, "line 2: condition_failed: "),
                 (f"set {'k' * 5000} 1", 5, "line 2: too_large: "), ("raw", 2, "line 2: raw reads standard input"),
                 ("import", 2, "line 2: import needs a FILE"), ("set k -", 2, "line 2: a value of - is standard"),
                 ("-", 2, "line 2: - reads standard input"), ("get a -s x", 2, "line 2: --servers is said once"),
                 ("del --prefix a", 2, "line 2: del --prefix asks")]
        for line, code, why in table:
            with self.subTest(line):
                self.assert_done(self.zatt("set", "a", "1"))
                done = self.zatt("-", stdin=f"set a 1\n{line}\nincr a\nget nobody\n")
                self.assertEqual((done.code, done.out), (code, ""), done)
                self.assertRegex(done.err, rf"^zatt: {why}.*\nzatt: the lines after line 2 were not run; --keep-going")
                self.assert_done(self.zatt("get", "a"), "1\n")
                done = self.zatt("-", "-k", stdin=f"set a 1\n{line}\nincr a\nget nobody\n")
                self.assertEqual((done.code, done.out), (code, "2\n"), done)
                self.assertRegex(done.err, rf"^zatt: {why}.*\nzatt: line 4: there is no key nobody\n$")
        self.assert_fails(self.zatt("-", stdin="get nobody\n"), 1, "line 1: there is no key nobody")
        self.assert_done(self.zatt("-", stdin=""), "")

    def test_a_program_keeps_it_open(self):
        self.serve()
        process = self.start_zatt("-", stdin=subprocess.PIPE)
        for n in range(50):
            process.stdin.write(b"incr n\n")
            process.stdin.flush()
            self.assertEqual(process.stdout.readline(), f"{n + 1}\n".encode())
        process.stdin.close()
        self.assertEqual(process.wait(20), 0)
        process.stdout.close()
        process.stderr.close()

    def test_an_interrupt(self):
        with FakeServer(None) as fake:
            self.ask([fake])
            for line, code in (("set k 1", 4), ("get k", -signal.SIGINT)):
                fake.seen.clear()
                process = self.start_zatt("-", "-k", "-t", "60", stdin=subprocess.PIPE)
                process.stdin.write(f"{line}\nget k\n".encode())
                process.stdin.flush()
                wait_for(lambda: fake.seen, "it was sent")
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=20)
                self.assertEqual((process.returncode, len(fake.seen)), (code, 1), err)


class Prompt(CliTest):
    def without_libraries(self, *names):
        """As on a machine that does not have them."""
        for name in names:
            (self.folder / name).write_text("")
        return {"LD_LIBRARY_PATH": str(self.folder)}

    def session(self, env=None, edits=True):
        terminal = Terminal(self, env=env)
        terminal.until("^D ends it.")
        terminal.until("zatt> ")
        terminal.type("set room:kitchen 'Hello, world'\r")
        terminal.until("zatt> ")
        terminal.type("get -r room:" + ("\t" if edits else "kitchen") + "\r")
        terminal.until("Hello, world\r\n")
        terminal.until("zatt> ")
        if edits:
            terminal.type("\x1b[A\r")  # the line before
            terminal.until("Hello, world\r\n")
            terminal.until("zatt> ")
            terminal.type("cou\t\r")
            terminal.until("1\r\n")
            terminal.until("zatt> ")
        terminal.type("del nothing")
        terminal.until("del nothing")
        terminal.type("\x03")
        terminal.until("zatt> ")
        terminal.type("get nobody\r")
        terminal.until("there is no key nobody")
        terminal.until("zatt> ")
        terminal.type("del --prefix room:\r")
        terminal.until("[y/N] ")
        terminal.type("y\r")
        terminal.until("1 key deleted")
        terminal.until("zatt> ")
        return terminal

    def test_with_libedit(self):
        self.serve()
        terminal = self.session()
        terminal.type("\x04")
        self.assertEqual(terminal.end(), 0, terminal.shown)

    def test_with_readline(self):
        self.serve()
        terminal = self.session(self.without_libraries("libedit.so.2", "libedit.so.0"))
        terminal.type("\x04")
        self.assertEqual(terminal.end(), 0, terminal.shown)

    def test_with_neither(self):
        self.serve()
        none = self.without_libraries("libedit.so.2", "libedit.so.0", "libreadline.so.8", "libreadline.so.7")
        for env in (none, {"TERM": "dumb"}):
            terminal = self.session(env, edits=False)
            terminal.type("exit\r")
            self.assertEqual(terminal.end(), 0, terminal.shown)

    def test_an_interrupt_ends_what_is_under_way(self):
        with FakeServer(None) as fake:
            self.ask([fake])
            terminal = Terminal(self, "-t", "60")
            terminal.until("zatt> ")
            for line, said in (("set k 1", "outcome_unknown"), ("get k", "^C")):
                fake.seen.clear()
                terminal.type(line + "\r")
                wait_for(lambda: fake.seen, "it was sent")
                terminal.type("\x03")
                terminal.until(said)
                terminal.until("zatt> ")
            terminal.type("quit\r")
            self.assertEqual(terminal.end(), 0, terminal.shown)

    def test_a_bare_zatt_elsewhere(self):
        self.assert_fails(self.zatt(), 2, "which verb")
        self.assert_fails(self.zatt("-s", f"{HOST}:1"), 2, "which verb")
