# SPDX-License-Identifier: AGPL-3.0-or-later
"""Real zattd processes on free ports of 127.0.0.1, and clients that remember what they were told.

A test waits for events (a reply, a line in a log, a status), each with a deadline, and never for
time to pass. Every process it starts is ended by its id when the test ends, however it ends.
"""

import contextlib
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

HOST = "127.0.0.1"
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("ZATT_BUILD", ROOT / "build")).resolve()
ZATTD = BUILD / "zattd"
SHIM = BUILD / "shim.so"
SOAK = bool(os.environ.get("ZATT_SOAK"))
SANITIZED = bool(re.search("address|thread", BUILD.name))
TEST_LIMIT_S = 1800 if SOAK else 180


def raise_open_files_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


_ports_given = set()
# Of so many processes that run tests at the same time, which one this is.
_SLOT, _SLOTS = (int(n) for n in os.environ.get("ZATT_TEST_SLOT", "0/1").split("/"))


def free_port():
    """Below the range that the system takes outgoing ports from, so that it stays free."""
    for _ in range(1000):
        port = random.randrange(12000, 32000)
        if port in _ports_given or port % _SLOTS != _SLOT:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        _ports_given.add(port)
        return port
    raise RuntimeError("no free port")


class Timeout(AssertionError):
    pass


def wait_for(condition, what, timeout_s=10.0, every_s=0.02):
    """The first true answer of condition()."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            raise Timeout(f"after {timeout_s} s still not: {what}")
        time.sleep(every_s)


class Client:
    """One connection. Requests are dicts or raw lines, replies dicts."""

    def __init__(self, port, timeout_s=15.0, host=HOST):
        self.socket = socket.create_connection((host, port), timeout=timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def send(self, request):
        if isinstance(request, dict):
            request = json.dumps(request) + "\n"
        if isinstance(request, str):
            request = request.encode()
        self.socket.sendall(request)

    def receive_line(self):
        """The next line without its newline; None at the end of the stream."""
        while b"\n" not in self.buffer:
            more = self.socket.recv(65536)
            if not more:
                return None
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode()

    def receive(self):
        line = self.receive_line()
        if line is None:
            raise ConnectionError("closed by the node")
        return json.loads(line)

    def request(self, request):
        self.send(request)
        return self.receive()

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def rest(self):
        """All bytes until the node closes."""
        data, self.buffer = self.buffer, b""
        while True:
            more = self.socket.recv(65536)
            if not more:
                return data
            data += more

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Node:
    """One zattd. Its stderr is in a file, its end is in exit_code."""

    def __init__(self, folder, node_id, port, config=None, flags=(), program=(ZATTD,)):
        self.program = [str(part) for part in program]
        self.folder = pathlib.Path(folder)
        self.id = node_id
        self.port = port
        self.config = config
        self.flags = list(flags)
        self.storage = self.folder / f"zatt.{node_id}.persist"
        self.log_path = self.folder / f"node.{node_id}.log"
        self.shim_path = self.folder / f"node.{node_id}.shim"
        self.delay_path = self.folder / f"node.{node_id}.delay"
        self.broken_path = self.folder / f"node.{node_id}.broken"
        self.full_path = self.folder / f"node.{node_id}.full"
        self.no_file_path = self.folder / f"node.{node_id}.no-file"
        self.process = None
        self.log_from = 0

    def command(self):
        command = list(self.program)
        if self.config:
            command += ["-c", str(self.config)]
        return command + ["--id", self.id, "-s", self.storage.name] + self.flags

    def start(self, shim=False, env=None):
        assert self.process is None or self.process.poll() is not None
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ZATT_")}
        environment.update(env or {})
        if shim:
            environment["LD_PRELOAD"] = preload(self.program[0])
            environment["ZATT_SHIM_LOG"] = str(self.shim_path)
            environment["ZATT_SHIM_DELAY"] = str(self.delay_path)
            environment["ZATT_SHIM_FAIL_IF"] = str(self.broken_path)
            environment["ZATT_SHIM_FULL_IF"] = str(self.full_path)
            environment["ZATT_SHIM_NO_FILE_IF"] = str(self.no_file_path)
        self.log_from = self.log_path.stat().st_size if self.log_path.exists() else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), cwd=self.folder, env=environment,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """kill -9, and nothing more of it runs when this returns."""
        if self.is_running():
            self.process.kill()
        if self.process is not None:
            self.process.wait()

    def wait_exit(self, timeout_s=15.0):
        return self.process.wait(timeout_s)

    def terminate(self, timeout_s=15.0):
        self.process.terminate()
        return self.wait_exit(timeout_s)

    def log(self):
        """What this start of the node said."""
        with open(self.log_path, "rb") as log:
            log.seek(self.log_from)
            return log.read().decode(errors="replace")

    def wait_log(self, pattern, timeout_s=10.0):
        return wait_for(lambda: re.search(pattern, self.log()), f"{pattern!r} in {self.log_path.name}",
                        timeout_s)

    def client(self, timeout_s=15.0):
        return Client(self.port, timeout_s)

    def request(self, request, timeout_s=15.0):
        with self.client(timeout_s) as client:
            return client.request(request)

    def status(self):
        """None as long as nobody answers."""
        try:
            return self.request({"op": "status"}, timeout_s=5)
        except (OSError, ValueError):
            return None

    def wait_status(self, condition, what, timeout_s=10.0):
        def check():
            status = self.status()
            return status if status and condition(status) else None
        return wait_for(check, f"node {self.id}: {what}", timeout_s)

    def wait_up(self, timeout_s=10.0):
        def check():
            if not self.is_running():
                raise AssertionError(f"node {self.id} ended with {self.process.returncode}:\n{self.log()}")
            return self.status()
        return wait_for(check, f"node {self.id} answers status", timeout_s)

    def proc_numbers(self, name):
        """/proc/PID/NAME as a dict of its first numbers."""
        text = pathlib.Path(f"/proc/{self.pid}/{name}").read_text()
        return {k: int(v) for k, v in re.findall(r"^(\w+):\s+(\d+)", text, re.M)}

    def rss_bytes(self):
        return self.proc_numbers("status")["VmRSS"] * 1024

    def delay_syncs(self, milliseconds):
        """From now on; needs the shim."""
        new = self.delay_path.with_suffix(".new")
        new.write_text(str(milliseconds))
        new.replace(self.delay_path)

    def break_disk(self):
        """Syncs fail from now on; needs the shim."""
        self.broken_path.touch()

    def mend_disk(self):
        self.broken_path.unlink()

    def fill_disk(self):
        """No file grows from now on; needs the shim."""
        self.full_path.touch()

    def give_room(self):
        self.full_path.unlink()

    def shim_calls(self):
        return [ShimCall(line) for line in self.shim_path.read_text(errors="replace").splitlines()]


class ShimCall:
    """One line of tests/support/shim.c."""

    def __init__(self, line):
        fields = line.split(" ")
        self.begin_ns, self.end_ns = int(fields[0]), int(fields[1])
        self.call, self.kind = fields[2], fields[3]
        self.fd, self.result = int(fields[4]), int(fields[5])
        self.data = fields[6] if len(fields) > 6 else ""

    @property
    def is_sync(self):
        return self.call in ("fdatasync", "fsync")

    @property
    def is_file_write(self):
        return self.kind == "file" and not self.is_sync

    def __repr__(self):
        return f"{self.begin_ns}..{self.end_ns} {self.call}({self.fd}: {self.kind}) = {self.result} {self.data}"


def preload(program):
    """The shim, behind the sanitizer's own library where there is one."""
    libraries = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return ":".join(re.findall(r"=> (\S*lib[at]san\S*)", libraries) + [str(SHIM)])


class Cluster:
    def __init__(self, folder, size=3, settings=None, flags=(), ids=None, program=(ZATTD,)):
        self.folder = pathlib.Path(folder)
        ids = ids or [str(n) for n in range(size)]
        ports = {node_id: free_port() for node_id in ids}
        self.config = self.folder / "zatt.conf"
        self.settings = {"cluster": {i: [HOST, ports[i]] for i in ids}, **(settings or {})}
        self.config.write_text(json.dumps(self.settings) + "\n")
        self.nodes = [Node(self.folder, i, ports[i], "zatt.conf", flags, program) for i in ids]

    def __getitem__(self, n):
        return self.nodes[n]

    def __iter__(self):
        return iter(self.nodes)

    def by_id(self, node_id):
        return next(node for node in self.nodes if node.id == node_id)

    def start(self, shim=False):
        for node in self.nodes:
            if not node.is_running():
                node.start(shim)
        for node in self.nodes:
            node.wait_up()
        return self

    def running(self):
        return [node for node in self.nodes if node.is_running()]

    def wait_leader(self, timeout_s=15.0, among=None):
        """The node that all (of `among`, or all running) call their leader, and that agrees."""
        nodes = among or self.running()

        def check():
            statuses = [node.status() for node in nodes]
            if not all(statuses):
                return None
            named = {status["leader"] for status in statuses}
            if len(named) != 1 or None in named:
                return None
            leader = self.by_id(named.pop())
            index = nodes.index(leader) if leader in nodes else None
            if index is None or statuses[index]["role"] != "leader":
                return None
            return leader if len({status["term"] for status in statuses}) == 1 else None
        return wait_for(check, "one leader", timeout_s)

    def followers(self):
        leader = self.wait_leader()
        return [node for node in self.running() if node is not leader]

    def wait_serving(self, timeout_s=15.0):
        """A write got through."""
        def check():
            for node in self.running():
                with contextlib.suppress(OSError, ValueError, ConnectionError):
                    if node.request({"op": "set", "key": "serving", "value": 1, "timeout_ms": 2000})["ok"]:
                        return True
            return False
        return wait_for(check, "a write is acknowledged", timeout_s)

    def wait_level(self, timeout_s=15.0):
        """All running nodes have applied the same log."""
        def check():
            statuses = [node.status() for node in self.running()]
            return all(statuses) and len({status["applied"] for status in statuses}) == 1
        return wait_for(check, "all nodes have applied the same", timeout_s)

    def kill(self):
        for node in self.nodes:
            if node.is_running():
                node.process.kill()
        for node in self.nodes:
            node.kill()


class ClusterTest(unittest.TestCase):
    """Gives a folder a test, ends what it started, and shows the logs of what failed."""

    program = (ZATTD,)  # what plays the nodes, and its first arguments

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        scratch = BUILD / "cluster-tests"
        scratch.mkdir(parents=True, exist_ok=True)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{self._testMethodName}.", dir=scratch))
        self.started = []
        signal.signal(signal.SIGALRM, self.on_alarm)
        signal.alarm(TEST_LIMIT_S)
        try:
            super().run(result)
        finally:
            signal.alarm(0)
            self.end_all()
            if len(result.failures) + len(result.errors) > before:
                self.show_logs()
            shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def on_alarm(_signal, _frame):
        raise Timeout(f"a test may take {TEST_LIMIT_S} s")

    def end_all(self):
        for node in self.started:
            if node.is_running():
                with contextlib.suppress(ProcessLookupError):
                    node.process.send_signal(signal.SIGCONT)
            node.kill()

    def show_logs(self):
        for node in self.started:
            if node.log_path.exists():
                print(f"  last words of node {node.id} (exit code {node.process and node.process.returncode}):")
                for line in node.log_path.read_text(errors="replace").splitlines()[-15:]:
                    print(f"    {line}")
        sys.stdout.flush()

    def cluster(self, size=3, settings=None, flags=(), ids=None):
        folder = self.folder / f"cluster-{len(self.started)}"
        folder.mkdir()
        cluster = Cluster(folder, size, settings, flags, ids, self.program)
        self.started += cluster.nodes
        return cluster

    def node(self, node_id="0", port=None, config=None, flags=()):
        node = Node(self.folder, node_id, port or free_port(), config, flags, self.program)
        self.started.append(node)
        return node

    def run_zattd(self, *arguments, timeout_s=15.0, env=None):
        """zattd to its end: (exit code, stdout, stderr)."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ZATT_")}
        done = subprocess.run([str(ZATTD), *arguments], cwd=self.folder, capture_output=True,
                              env={**environment, **(env or {})}, text=True, timeout=timeout_s,
                              stdin=subprocess.DEVNULL, check=False)
        return done.returncode, done.stdout, done.stderr

    def assert_ok(self, reply):
        self.assertTrue(reply.get("ok"), reply)
        return reply

    def assert_error(self, reply, code, message=None):
        self.assertEqual((reply.get("ok"), reply.get("error")), (False, code), reply)
        if message is not None:
            self.assertRegex(reply["message"], message)
        return reply

    def note(self, text):
        """A measurement, for whoever reads the run."""
        print(f"  {text}", flush=True)
