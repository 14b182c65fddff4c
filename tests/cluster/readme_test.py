# SPDX-License-Identifier: AGPL-3.0-or-later
"""The README's examples, in order, from an empty cluster: typed as printed, compared to the letter.

Only the ports are this test's own.
"""

import doctest
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

import install_test
from cli_harness import own_signals
from harness import BUILD, HOST, ROOT, ClusterTest, free_port, wait_for

README = (ROOT / "README.md").read_text()
PORTS = (5254, 5255, 5256)


def section(title):
    return re.search(rf"^## {re.escape(title)}\n(.*?)^## ", README, re.M | re.S).group(1)


def indented(text):
    """The blocks of indented lines."""
    return [re.sub("^    ", "", block, flags=re.M) for block in re.findall(r"(?:^    .*\n)+", text, re.M)]


def fenced(text, language):
    return re.findall(rf"^```{re.escape(language)}\n(.*?)^```", text, re.M | re.S)


def three_ports():
    """Of which the second and third follow the first."""
    while True:
        first = free_port()
        try:
            for port in (first + 1, first + 2):
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((HOST, port))
        except OSError:
            continue
        return first


class Reader:
    """Who reads it: a shell in a folder, and ports in place of those printed."""

    def __init__(self, test, first_port, environment):
        self.test = test
        self.ports = {printed: first_port + n for n, printed in enumerate(PORTS)}
        self.environment = {k: v for k, v in environment.items() if not k.startswith("ZATT_")}
        self.environment["ZATT_SERVERS"] = f"{HOST}:{first_port}"  # in place of the default

    def own(self, text):
        return re.sub(r"\b525[456]\b", lambda found: str(self.ports[int(found.group())]), text)

    def types(self, command):
        done = subprocess.run(["bash", "-c", self.own(command)], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30,
                              env=self.environment, check=False, cwd=self.test.folder)
        return done.stdout

    def reads(self, command, wanted):
        with self.test.subTest(command):
            self.test.assertEqual(self.types(command), wanted)


class FromAnEmptyCluster(install_test.Installed):
    def run_three(self):
        """What `make run` runs, and who reads on beside it."""
        first = three_ports()
        said = open(self.folder / "run.log", "w", encoding="utf-8")  # pylint: disable=consider-using-with
        self.addCleanup(said.close)
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            [sys.executable, ROOT / "tools/run_cluster.py", "--build", BUILD, "--port", str(first),
             "--folder", self.folder / "run"], stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            preexec_fn=own_signals)
        self.addCleanup(process.wait, 20)
        self.addCleanup(process.send_signal, signal.SIGINT)
        log = self.folder / "run.log"
        wait_for(lambda: "three nodes are up" in log.read_text(), "three nodes are up", timeout_s=30)
        return Reader(self, first, self.environment)

    def run_three_at_the_first_attempt(self):
        """An election that had to be repeated, as on a busy machine, is an entry more: a higher rev."""
        for attempt in range(5):
            if attempt:
                self.doCleanups()
                shutil.rmtree(self.folder / "run")
            reader = self.run_three()
            if '"term":1,' in reader.types("""echo '{"op":"status"}' | nc -N 127.0.0.1 5254"""):
                return reader
        self.skipTest("no first election succeeded at once, five times")
        return None

    def test_every_section_in_order(self):
        reader = self.run_three_at_the_first_attempt()
        self.try_it(reader)
        self.shell(reader)
        self.python(reader)
        self.c_and_cpp(reader)

    def try_it(self, reader):
        commands, replies = indented(section("Try it"))
        commands, replies = commands.splitlines(), replies.splitlines(keepends=True)
        self.assertEqual(len(commands), len(replies))
        for command, reply in zip(commands, replies):
            reader.reads(command, reply)
        self.netcats(reader, commands[1], replies[1])

    def netcats(self, reader, command, reply):
        """Each netcat that is there, as the README says that it wants to be called."""
        calls = {"ncat": "ncat", "busybox": "busybox nc", "nc.traditional": "nc.traditional -q 1",
                 "nc.openbsd": "nc.openbsd -N"}
        self.assertIn("nc -N", command)
        for program, call in calls.items():
            if shutil.which(program):
                reader.reads(command.replace("nc -N", call), reply)
            else:
                self.note(f"no {program} here")

    def shell(self, reader):
        session, = fenced(section("Shell"), "console")
        steps = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", session, re.M)
        self.assertEqual(sum(2 + len(wanted.splitlines()) - 1 for _, wanted in steps),
                         len(session.splitlines()))
        for command, wanted in steps:
            reader.reads(command, wanted)

    def python(self, reader):
        sys.path.insert(0, str(ROOT / "tools/python"))
        self.addCleanup(sys.path.remove, str(ROOT / "tools/python"))
        said = []
        for text in fenced(section("Python"), "python"):
            test = doctest.DocTestParser().get_doctest(reader.own(text), {}, "README.md", "README.md", 0)
            results = doctest.DocTestRunner().run(test, out=said.append)
            self.assertEqual(results.failed, 0, "".join(said))
            self.assertGreaterEqual(results.attempted, 1)

    def c_and_cpp(self, reader):
        for language, suffix in (("c", ".c"), ("cpp", ".cpp")):
            for number, block in enumerate(fenced(section("C and C++"), language)):
                self.assertEqual(self.run_program(reader, block, f"readme_{number}{suffix}"),
                                 re.search(r"prints (.*?) *(?:\*/|\n)", block).group(1) + "\n")
        block = fenced(section("C and C++"), "c")[0]
        absent = block.replace('zatt_client_get(client, "key1"', 'zatt_client_get(client, "nobody set it"')
        self.assertNotEqual(absent, block)
        self.assertEqual(self.run_program(reader, absent, "absent.c"), "no such key\n")

    def run_program(self, reader, text, name):
        source = self.folder / name
        source.write_text(reader.own(text))
        return self.run_command(self.build(source, ["zatt-client"]), env=self.environment)


class ByHand(ClusterTest):
    def test_three_terminals(self):
        environment = dict(os.environ, PATH=f"{BUILD}:{os.environ['PATH']}")
        reader = Reader(self, three_ports(), environment)
        try_it = indented(section("Try it"))[0].splitlines()
        preparing, starting = indented(section("By hand"))
        starting = [line.split("#")[0] for line in starting.splitlines()]
        self.assertEqual(reader.types(preparing), "")
        running = [self.terminal(reader, line) for line in starting]
        value = self.answered(reader, try_it[0])
        self.assertRegex(value, r'\A\{"ok":true,"rev":\d+\}\n\Z')
        shown = reader.types(try_it[1])
        self.assertRegex(shown, r'\A\{"ok":true,"found":true,"value":0,"rev":\d+\}\n\Z')
        for victims in ([0], [1], [2], [0, 1, 2]):
            for n in victims:
                running[n].kill()
                running[n].wait()
            for n in victims:
                running[n] = self.terminal(reader, starting[n])
            self.assertEqual(self.answered(reader, try_it[1]), shown)

    def terminal(self, reader, line):
        """A terminal of its own: the node is its only command, in the foreground."""
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            ["bash", "-c", "exec " + reader.own(line)], cwd=self.folder / "zatt_cluster",
            env=reader.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait, 20)
        self.addCleanup(process.kill)
        return process

    @staticmethod
    def answered(reader, command):
        """Once the node that is asked listens again."""
        return wait_for(lambda: reader.types(command) or None, "an answer", timeout_s=20)
