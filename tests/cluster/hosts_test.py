# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hosts as they are: a row is a condition of the host, and what must be so in it.

In none of them a node hangs, ends as a bug of ours, or says what is not so.
"""

import os
import pathlib
import resource
import signal
import socket
import subprocess
import time

from harness import HOST, SANITIZED, ZATTD, ClusterTest, free_port, wait_for

MIB = 1 << 20
FATAL = ("a bug of ours", "terminate called", "Assertion")
# What a node survives as if nothing had been.
HARMLESS = ("HUP", "USR1", "USR2", "PIPE", "XFSZ", "ALRM", "VTALRM", "PROF", "IO", "PWR", "TTIN",
            "TTOU", "WINCH", "URG", "CHLD", "CONT", "RTMIN", "RTMAX")
ENDS_IT = ("TERM", "INT", "QUIT", "XCPU")


def shell(condition):
    """zattd under a condition that a shell makes: `condition` and then the program itself."""
    return ["/bin/sh", "-c", f'{condition}; exec "$0" "$@"']


class Hosts(ClusterTest):
    def run_as(self, prefix, *arguments, env=None, **more):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ZATT_")}
        done = subprocess.run([*prefix, str(ZATTD), *arguments], env={**environment, **(env or {})},
                              capture_output=True, text=True, timeout=20, check=False,
                              **{"cwd": self.folder, "stdin": subprocess.DEVNULL, **more})
        for word in FATAL:
            self.assertNotIn(word, done.stderr)
        return done.returncode, done.stdout, done.stderr

    def spawn(self, *arguments, prefix=(), env=None, stderr=subprocess.DEVNULL, **more):
        port = free_port()
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ZATT_")}
        process = subprocess.Popen([*prefix, str(ZATTD), "-p", str(port), *arguments],
                                   env={**environment, **(env or {})}, stderr=stderr,
                                   **{"cwd": self.folder, "stdin": subprocess.DEVNULL,
                                      "stdout": subprocess.DEVNULL, **more})
        self.addCleanup(lambda: (process.poll() is None and process.kill(), process.wait()))
        return process, port

    def serves(self, process, port, key="k"):
        def answered():
            self.assertIsNone(process.poll(), "it has ended")
            try:
                with socket.create_connection((HOST, port), timeout=5) as peer:
                    peer.sendall(f'{{"op":"set","key":"{key}","value":1}}\n'.encode())
                    return b'"ok":true' in peer.recv(4096)
            except OSError:
                return False
        wait_for(answered, "a write is acknowledged")

    def stops(self, process, number=signal.SIGTERM, code=0):
        process.send_signal(number)
        self.assertEqual(process.wait(15), code)

    def lives(self, *arguments, **more):
        """Starts, serves and stops, as anywhere."""
        process, port = self.spawn(*arguments, **more)
        self.serves(process, port)
        self.stops(process)

    def table(self, rows, row):
        for n, (name, *values) in enumerate(rows):
            with self.subTest(name):
                row(f"row{n}", *values)

    def test_how_it_is_started(self):
        rows = [(f"{closed} closed", {"prefix": shell(f"exec {closed}"), "stdin": None,
                                      "stdout": None, "stderr": None})
                for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-", "<&- 2>&-")]
        rows += [
            ("stdin at its end", {"stdin": subprocess.DEVNULL}),
            ("stderr full", {"prefix": shell("exec 2>/dev/full")}),
            ("SIGTERM ignored", {"prefix": shell("trap '' TERM INT HUP QUIT")}),
            ("no HOME, TMPDIR, PATH", {"prefix": ["/usr/bin/env", "-i"]}),
            ("locale C", {"env": {"LANG": "C", "LC_ALL": "C"}}),
            ("no such locale", {"env": {"LC_ALL": "xx_YY.utf8"}}),
            ("odd time zone", {"env": {"TZ": ":no/such/zone"}}),
            ("small stack", {"prefix": shell("ulimit -s 256")}),
            ("no core", {"prefix": shell("ulimit -c 0")}),
            ("umask 077", {"prefix": shell("umask 077")}),
            ("64 open files", {"prefix": shell("ulimit -n 64")}),
            ("nice", {"prefix": ["/usr/bin/env", "nice"]}),
        ]
        self.table(rows, lambda storage, options: self.lives("-s", storage, **options))

    def test_blocked_signals(self):
        process, port = self.spawn(
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals()))
        self.serves(process, port)
        self.stops(process)

    def test_signals(self):
        process, port = self.spawn()
        self.serves(process, port)
        for name in HARMLESS:
            with self.subTest(name):
                process.send_signal(getattr(signal, "SIG" + name))
                self.serves(process, port)
        process.send_signal(signal.SIGSTOP)
        process.send_signal(signal.SIGCONT)
        self.serves(process, port)
        self.stops(process)
        for name in ENDS_IT:
            with self.subTest(name):
                process, port = self.spawn()
                self.serves(process, port)
                self.stops(process, getattr(signal, "SIG" + name))

    def test_where_it_does_not_start(self):
        (self.folder / "strangers").mkdir()
        (self.folder / "strangers" / "thesis.txt").write_text("x")
        (self.folder / "file").write_text("x")
        (self.folder / "dangling").symlink_to("nowhere/at/all")
        member = '{"cluster": {"0": ["%s", 5254], "1": ["127.0.0.1", 5255]}}'
        for name, host in (("v4", "0.0.0.0"), ("v6", "::")):
            (self.folder / f"{name}.conf").write_text(member % host)
        taken = socket.create_server((HOST, 0))
        self.addCleanup(taken.close)
        unwritable = "cannot|can't|Permission|Read-only|Operation not permitted|no directory"
        rows = [
            ("strangers' files", 4, "thesis.txt among them; give -s", ["-s", "strangers"], ()),
            ("the root", 4, "/ holds files that are not a node's", ["-s", "/"], ()),
            ("a file", 4, "file: Not a directory", ["-s", "file"], ()),
            ("no parent", 4, "no directory /.*/a/b to make the storage directory a/b/c in",
             ["-s", "a/b/c"], ()),
            ("a dangling link", 4, "dangling: No such file", ["-s", "dangling"], ()),
            ("no place for files", 4, unwritable, ["-s", "/proc/zatt"], ()),
            ("files of 1 MiB", 4, r"may not become as large .*\(ulimit -f", [],
             shell("ulimit -f 2048")),
            ("20 open files", 3, r"may open 20 files and needs 48; .*ulimit -n", [],
             shell("ulimit -n 20")),
            ("a port in use", 3, "is in use; is this node running", ["-a", HOST], ()),
            ("no address of this machine", 3, "is no address of this machine", ["-a", "192.0.2.1"], ()),
            ("a name without address", 3, "no.such.name.invalid", ["-a", "no.such.name.invalid"], ()),
            ("all addresses as a member's", 2, 'node "0" is at 0.0.0.0:5254, which .* -a 0.0.0.0',
             ["-c", "v4.conf", "-i", "1"], ()),
            ("all addresses of IPv6", 2, r'node "0" is at \[::\]:5254, which .* -a ::',
             ["-c", "v6.conf", "-i", "0"], ()),
            ("port 0", 2, "a port is a number from 1 to 65535", ["--port=0"], ()),
        ]

        def row(storage, code, words, arguments, prefix):
            port = "0" if "--port=0" in arguments else str(free_port())
            if words.startswith("is in use"):
                port = str(taken.getsockname()[1])
            if "-s" not in arguments:
                arguments = [*arguments, "-s", storage]
            arguments = [a for a in arguments if a != "--port=0"]
            got, _, said = self.run_as(prefix, "-p", port, *arguments)
            self.assertEqual(got, code, said)
            self.assertRegex(said, words)
        self.table(rows, row)
        self.assertEqual(os.listdir(self.folder / "strangers"), ["thesis.txt"])

    def test_storage_that_is_taken(self):
        (self.folder / "real").mkdir()
        (self.folder / "link").symlink_to("real")
        (self.folder / "disk" / "lost+found").mkdir(parents=True)
        self.table([("a link", "link"), ("a file system's root", "disk"), ("with a slash", "new/")],
                   lambda _, storage: self.lives("-s", storage))

    def test_environment(self):
        rows = [("a service in Kubernetes", "ZATT_PORT", "tcp://10.0.0.11:5254", "Kubernetes"),
                ("no such name", "ZATT_ELECTION_TIMEOUT", "900", "did you mean ZATT_ELECTION_TIMEOUT_MS")]

        def row(_, name, value, words):
            code, out, said = self.run_as((), "--check-config", env={name: value})
            self.assertEqual(code, 0, said)
            self.assertIn("127.0.0.1:5254", out)
            self.assertRegex(said, words)
        self.table(rows, row)

    def test_output_that_nobody_takes(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([str(ZATTD), "--help"], stdout=full, stderr=subprocess.PIPE,
                                  text=True, check=False, timeout=15)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no space left", done.stderr)

    def test_a_log_that_nobody_reads(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        os.set_blocking(writer, False)
        try:
            while True:
                os.write(writer, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(writer, True)
        process, port = self.spawn("--debug", stderr=writer)
        os.close(writer)
        self.serves(process, port)
        self.stops(process)

    def test_a_log_whose_reader_has_gone(self):
        reader, writer = os.pipe()
        process, port = self.spawn(stderr=writer)
        os.close(writer)
        os.close(reader)
        self.serves(process, port)
        self.stops(process)

    def test_a_terminal_that_hangs_up(self):
        main, terminal = os.openpty()
        process, port = self.spawn(stderr=terminal, stdin=terminal, start_new_session=True)
        os.close(terminal)
        self.serves(process, port)
        os.close(main)
        self.serves(process, port)
        self.stops(process)

    def test_the_working_directory_is_gone(self):
        gone = self.folder / "gone"
        gone.mkdir()
        process, port = self.spawn("-s", str(self.folder / "kept"), cwd=gone)
        self.serves(process, port)
        gone.rmdir()
        self.serves(process, port)
        self.stops(process)

    def test_out_of_memory(self):
        if SANITIZED:
            self.skipTest("a sanitizer's own memory is not limited")
        log = self.folder / "log"
        with open(log, "wb") as stderr:
            process, port = self.spawn(stderr=stderr)
        self.serves(process, port)
        pages = int(pathlib.Path(f"/proc/{process.pid}/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + 24 * MIB
        resource.prlimit(process.pid, resource.RLIMIT_AS, (limit, limit))
        value = "v" * 900_000
        deadline = time.monotonic() + 30
        n = 0
        while process.poll() is None and time.monotonic() < deadline:
            n += 1
            try:
                with socket.create_connection((HOST, port), timeout=5) as peer:
                    peer.sendall(f'{{"op":"set","key":"k{n}","value":"{value}"}}\n'.encode())
                    peer.recv(4096)
            except OSError:
                pass
        said = log.read_text()
        self.assertEqual(process.wait(1), 7, said)
        self.assertRegex(said, "out of memory")
        for word in FATAL:
            self.assertNotIn(word, said)
