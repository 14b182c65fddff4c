# SPDX-License-Identifier: AGPL-3.0-or-later
"""What tests of the zatt command have in common."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

from harness import BUILD, HOST, ClusterTest

ZATT = BUILD / "zatt"
VERBS = ("get", "set", "del", "incr", "ls", "scan", "count", "export", "import", "raw", "status",
         "members", "wait", "help")


class Done:
    """How one command ended."""

    def __init__(self, process):
        self.code, self.out, self.err = process.returncode, process.stdout, process.stderr

    def __repr__(self):
        return f"exit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def bytes_in(fd):
    """How much a pipe holds."""
    return struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))[0]


def own_signals():
    """As a shell's child has them, whatever the tests were started with."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)


class CliTest(ClusterTest):
    """What tests of the command have in common."""

    servers = f"{HOST}:1"

    def serve(self, size=1, shim=False):
        """A cluster that serves, and its addresses for every command from now on."""
        cluster = self.cluster(size).start(shim)
        cluster.wait_serving()
        self.ask(cluster)
        self.assertEqual(self.zatt("del", "serving").code, 0)
        return cluster

    def ask(self, nodes):
        self.servers = ",".join(f"{HOST}:{node.port}" for node in nodes)

    def environment(self, extra=None):
        environment = {k: v for k, v in os.environ.items()
                       if not k.startswith("ZATT_") and k != "NO_COLOR"}
        environment["PATH"] = f"{BUILD}:{environment['PATH']}"
        environment["ZATT_SERVERS"] = self.servers
        return {**environment, **(extra or {})}

    def run_command(self, command, stdin=b"", env=None, timeout_s=60):
        if isinstance(stdin, str):
            stdin = stdin.encode()
        process = subprocess.run(command, input=stdin, cwd=self.folder, env=self.environment(env),
                                 capture_output=True, timeout=timeout_s, check=False,
                                 preexec_fn=own_signals)
        process.stdout = process.stdout.decode()
        process.stderr = process.stderr.decode()
        return Done(process)

    def zatt(self, *arguments, stdin=b"", env=None, timeout_s=60):
        return self.run_command([str(ZATT), *arguments], stdin, env, timeout_s)

    def shell(self, script, env=None, timeout_s=120):
        return self.run_command(["bash", "-c", script], b"", env, timeout_s)

    def start_zatt(self, *arguments, **options):
        return subprocess.Popen([str(ZATT), *arguments], cwd=self.folder, env=self.environment(),
                                stdin=options.pop("stdin", subprocess.DEVNULL),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                preexec_fn=own_signals, **options)

    def assert_done(self, done, out=None):
        self.assertEqual(done.code, 0, done)
        self.assertEqual(done.err, "", done)
        if out is not None:
            self.assertEqual(done.out, out)
        return done

    def assert_fails(self, done, code, err=None, out=""):
        """It says why in one line, and nothing else."""
        self.assertEqual(done.code, code, done)
        self.assertEqual(done.out, out, done)
        self.assertEqual(done.err.count("\n"), 1 if err is not None else 0, done)
        if err is not None:
            self.assertRegex(done.err, f"^zatt: {err}")
        return done

    def on_terminal(self, *arguments, env=None, until=None, all_fds=True):
        """Its exit code, and what a terminal that is all of its descriptors (or only standard
        error) has been shown. until: what to wait for, then ^C is pressed."""
        pid, terminal = pty.fork()
        if pid == 0:
            own_signals()
            os.chdir(self.folder)
            if not all_fds:
                null = os.open(os.devnull, os.O_RDWR)
                os.dup2(null, 1)
            os.execve(ZATT, [str(ZATT), *arguments],
                      self.environment({"TERM": "xterm", **(env or {})}))
        shown = b""
        deadline = time.monotonic() + 60
        try:
            while time.monotonic() < deadline:
                ready, _, _ = select.select([terminal], [], [], 0.1)
                if until is not None and until():
                    os.write(terminal, b"\x03")
                    until = None
                if not ready:
                    continue
                try:
                    more = os.read(terminal, 65536)
                except OSError:
                    break
                if not more:
                    break
                shown += more
            else:
                os.kill(pid, signal.SIGKILL)
        finally:
            os.close(terminal)
            _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status), shown.decode().replace("\r\n", "\n")


class Terminal:
    """One zatt on a terminal of its own, typed at and read."""

    def __init__(self, test, *arguments, env=None):
        self.test = test
        self.shown = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            own_signals()
            os.chdir(test.folder)
            os.execve(ZATT, [str(ZATT), *arguments],
                      test.environment({"TERM": "xterm", "LC_ALL": "C.UTF-8", **(env or {})}))
        test.addCleanup(self.close)
        self.code = None

    def close(self):
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self.fd)
            self.code = -1

    def type(self, text):
        os.write(self.fd, text.encode())

    def until(self, text, timeout_s=30):
        """What is shown up to this text; what follows stays."""
        wanted = text.encode()
        deadline = time.monotonic() + timeout_s
        while wanted not in self.shown:
            self.test.assertLess(time.monotonic(), deadline, (text, self.shown))
            if not self.read():
                self.test.fail(f"it ended before {text!r}: {self.shown}")
        before, self.shown = self.shown.split(wanted, 1)
        return before.decode()

    def read(self):
        if not select.select([self.fd], [], [], 0.1)[0]:
            return True
        try:
            more = os.read(self.fd, 65536)
        except OSError:
            return False
        self.shown += more
        return bool(more)

    def end(self):
        """Its exit code, once it has ended; the rest of what it showed stays in shown."""
        deadline = time.monotonic() + 30
        while self.read():
            self.test.assertLess(time.monotonic(), deadline, self.shown)
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        self.code = os.waitstatus_to_exitcode(status)
        return self.code
