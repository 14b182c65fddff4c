# SPDX-License-Identifier: AGPL-3.0-or-later
"""zattd under a service manager."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile

from harness import HOST, ROOT, Client, ClusterTest


class Service(ClusterTest):
    def manager(self, name):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(listener.close)
        listener.bind(name.replace("@", "\0", 1))
        listener.settimeout(20)
        os.environ["NOTIFY_SOCKET"] = name
        self.addCleanup(os.environ.pop, "NOTIFY_SOCKET", None)
        return listener

    def test_it_says_when_it_serves_and_when_it_stops(self):
        short = pathlib.Path(tempfile.mkdtemp())  # a socket's path has at most 107 bytes
        self.addCleanup(shutil.rmtree, short)
        for name in (str(short / "notify"), f"@zatt-service-{os.getpid()}"):
            with self.subTest(name):
                listener = self.manager(name)
                node = self.cluster(size=1).start()[0]
                self.assertEqual(listener.recv(100), b"READY=1")
                with Client(node.port) as client:  # at once, without waiting
                    self.assert_ok(client.request({"op": "set", "key": "key1", "value": 0}))
                self.assertEqual(node.terminate(), 0)
                self.assertEqual(listener.recv(100), b"STOPPING=1")

    def test_what_cannot_start_is_never_ready(self):
        listener = self.manager(f"@zatt-service-{os.getpid()}")
        with socket.socket() as taken:
            taken.bind((HOST, 0))
            taken.listen()
            code, _, _ = self.run_zattd("-p", str(taken.getsockname()[1]), "-a", HOST)
        self.assertEqual(code, 3)
        listener.setblocking(False)
        self.assertRaises(BlockingIOError, listener.recv, 100)

    def test_the_unit_is_ready_when_we_say_so(self):
        unit = (ROOT / "conf/zattd.service").read_text()
        self.assertRegex(unit, r"(?m)^Type=notify$")
        self.assertTrue(re.search(r"^RestrictAddressFamilies=.*\bAF_UNIX\b", unit, re.M))
        if shutil.which("systemd-analyze"):
            path = self.folder / "zattd.service"
            path.write_text(re.sub("^ExecStart=.*$", "ExecStart=/bin/true", unit, flags=re.M))
            done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False)
            self.assertNotIn("zattd.service", done.stderr)
