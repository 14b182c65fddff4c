# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hosts as they are: a row is a condition of the host, and what must be so in it.

In none of them a node hangs, ends as a bug of ours, or says what is not so.
"""

import json
import os
import pathlib
import resource
import signal
import socket
import subprocess
import time

from harness import BUILD, HOST, SANITIZED, ZATTD, ClusterTest, free_port, wait_for

MIB = 1 << 20
FATAL = ("a bug of ours", "terminate called", "Assertion")
# What a node survives as if nothing had been.
HARMLESS = ("HUP", "USR1", "USR2", "PIPE", "XFSZ", "ALRM", "VTALRM", "PROF", "IO", "PWR", "TTIN",
            "TTOU", "WINCH", "URG", "CHLD", "CONT", "RTMIN", "RTMAX")
ASK_ALL = b'{"op":"set","key":"k@","value":{"a":[1,"\\u00e9"]}}\n{"op":"scan"}\n{"op":"status"}\n'
ENDS_IT = ("TERM", "INT", "QUIT", "XCPU")


def shell(condition):
    """zattd under a condition that a shell makes: `condition` and then the program itself."""
    return ["/bin/sh", "-c", f'{condition}; exec "$0" "$@"']


def in_own_mounts(condition):
    return ["unshare", "-m", *shell(condition)]


class Hosts(ClusterTest):
    @staticmethod
    def can_unshare():
        return subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "x", "/mnt"], check=False,
                              capture_output=True).returncode == 0

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
            ("no limit of the stack", {"prefix": shell("ulimit -s unlimited")}),
            ("no such TMPDIR", {"env": {"TMPDIR": "/no/such/directory"}}),
            ("a huge environment", {"env": {f"FILL{n}": "x" * 100_000 for n in range(8)}}),
            ("odd bytes in the environment", {"env": {"ODD": "\udcff\udcfe\n", "LC_CTYPE": "\udcff"}}),
            ("little memory to lock", {"prefix": shell("ulimit -l 1024")}),
        ]
        if self.can_unshare():
            rows.append(("no /proc", {"prefix": in_own_mounts("umount -l /proc")}))
        if os.geteuid() == 0:
            rows += [("umask 777, as root", {"prefix": shell("umask 777")})]
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
        (self.folder / "fifo").mkdir()
        (self.folder / "fifo" / "lock").touch()
        os.mkfifo(self.folder / "fifo" / "hard_state")
        os.mkfifo(self.folder / "fifo" / "0000000001.seg")
        unwritable = "cannot|can't|Permission|Read-only|Operation not permitted|no directory"
        rows = [
            ("strangers' files", 4, "thesis.txt among them; give -s", ["-s", "strangers"], ()),
            ("the root", 4, "/ holds files that are not a node's", ["-s", "/"], ()),
            ("a file", 4, "file: Not a directory", ["-s", "file"], ()),
            ("no parent", 4, "no directory /.*/a/b to make the storage directory a/b/c in",
             ["-s", "a/b/c"], ()),
            ("a dangling link", 4, "dangling: No such file", ["-s", "dangling"], ()),
            ("no place for files", 4, unwritable, ["-s", "/proc/zatt"], ()),
            ("a pipe in place of its files", 4, "fifo/hard_state: both copies", ["-s", "fifo"], ()),
            ("no file may be written", 4, r"may not become as large .*\(ulimit -f", [],
             shell("ulimit -f 0")),
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

        if self.can_unshare():
            rows.append(("a file system that is read only", 4, "Read-only file system", ["-s", "/mnt/d"],
                         in_own_mounts("mount -t tmpfs -o ro x /mnt")))

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

    def ends_for_want_of_memory(self, *arguments, env=None, ask=ASK_ALL, **more):
        """Or serves as if nothing were. Nothing else. Answers which of them."""
        log = self.folder / "log"
        with open(log, "wb") as stderr:
            process, port = self.spawn(*arguments, env=env, stderr=stderr, **more)
        served = 0

        def is_over():
            nonlocal served
            try:
                with socket.create_connection((HOST, port), timeout=5) as peer:
                    peer.sendall(ask.replace(b"@", b"%d" % served))
                    peer.shutdown(socket.SHUT_WR)
                    served += bool(peer.recv(65536))
            except OSError:
                pass
            return served == 20 or process.poll() is not None
        wait_for(is_over, "it serves or has ended", 20, 0.005)
        process.terminate()
        code, said = process.wait(15), log.read_text()
        for word in FATAL:
            self.assertNotIn(word, said)
        if code != 0:
            self.assertIn(code, (7, 127), said)  # 127: not even its libraries found room
            self.assertRegex(said, "out of memory" if code == 7 else "error while loading shared libraries")
        return code

    def test_little_memory_at_a_start(self):
        """Each address space from one in which nothing runs to one in which all does."""
        if SANITIZED:
            self.skipTest("a sanitizer's own memory is not limited")
        members = {str(n): ["localhost", free_port()] for n in range(3)}
        (self.folder / "names.conf").write_text(json.dumps({"cluster": members}))
        ask_status = b'{"op":"status"}\n'  # which a node answers also before it has met the others
        codes = {}
        for names, ask in (([], ASK_ALL), (["-c", "names.conf", "-i", "0", "-a", HOST], ask_status)):
            for n, kib in enumerate([*range(6000, 30000, 1500), *range(30000, 90000, 10000)]):
                with self.subTest(kib=kib, names=bool(names)):
                    code = self.ends_for_want_of_memory("-s", f"d{len(names)}.{n}", *names, ask=ask,
                                                        prefix=shell(f"ulimit -v {kib}"))
                    codes[code] = codes.get(code, 0) + 1
        self.assertGreater(codes[7], 5, codes)
        self.assertGreater(codes[0], 5, codes)

    def test_memory_ends_at_any_moment(self):
        """At each of so many requests for it, from the first instruction on, in a start and in service."""
        if SANITIZED:
            self.skipTest("a sanitizer has its own memory")
        counted = self.folder / "count"
        env = {"LD_PRELOAD": str(BUILD / "memory_shim.so"), "ZATT_SHIM_COUNT": str(counted)}
        self.assertEqual(self.ends_for_want_of_memory("-s", "all", env=env), 0)
        total = int(counted.read_text())
        self.note(f"memory is asked for {total} times")
        self.assertGreater(total, 500)
        for n in range(0, total - total // 8, total // 60):  # the rest may not be reached each time
            with self.subTest(n):
                code = self.ends_for_want_of_memory("-s", f"d{n}", env={**env, "ZATT_SHIM_MEMORY": str(n)})
                self.assertEqual(code, 7)

    def test_a_port_that_others_may_take(self):
        first, last = (int(n) for n in pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
        for port, is_odd in ((first, True), (last, True), (5254, first <= 5254 <= last)):
            code, _, said = self.run_as((), "--check-config", "-p", str(port))
            self.assertEqual(code, 0, said)
            self.assertEqual(f"port {port} is one of those that this machine's outgoing" in said, is_odd, said)
