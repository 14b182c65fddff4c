# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is built when, and how many files at a time."""

import os
import re
import subprocess

from harness import ROOT, ClusterTest


class Build(ClusterTest):
    def jobs(self, processors, available_kib=None, limit=None, current=0, inactive_file=0):
        proc, cgroup = self.folder / "proc", self.folder / "cgroup"
        for folder in (proc, cgroup):
            folder.mkdir(exist_ok=True)
            for path in folder.iterdir():
                path.unlink()
        if available_kib is not None:
            (proc / "meminfo").write_text(f"MemTotal: 99999999 kB\nMemAvailable: {available_kib:>9} kB\n")
        if limit is not None:
            (cgroup / "memory.max").write_text(f"{limit}\n")
            (cgroup / "memory.current").write_text(f"{current}\n")
            (cgroup / "memory.stat").write_text(f"anon 1\ninactive_file {inactive_file}\n")
        env = dict(os.environ, ZATT_PROC=str(proc), ZATT_CGROUP=str(cgroup), ZATT_PROCESSORS=str(processors))
        return int(subprocess.run(["sh", ROOT / "tools/jobs.sh"], env=env, check=True, capture_output=True,
                                  text=True).stdout)

    def test_a_job_has_a_processor_and_memory_of_its_own(self):
        gib = 1 << 20  # in KiB
        self.assertEqual(self.jobs(4, 8 * gib), 4)
        self.assertEqual(self.jobs(4, 1 * gib), 2)
        self.assertEqual(self.jobs(4, 100_000), 1)
        self.assertEqual(self.jobs(4), 4)  # nobody knows how much memory there is
        self.assertEqual(self.jobs(4, 8 * gib, "max"), 4)
        self.assertEqual(self.jobs(4, 8 * gib, 1 << 30), 2)
        self.assertEqual(self.jobs(4, 8 * gib, 1 << 30, current=900 << 20), 1)
        self.assertEqual(self.jobs(4, 8 * gib, 1 << 30, current=900 << 20, inactive_file=900 << 20), 2)

    def dry_run(self, *goals):
        """The files that would be compiled, from nothing."""
        done = subprocess.run(["make", "-C", ROOT, "-n", "DEPS=no", "V=never-built", *goals], check=True,
                              capture_output=True, text=True,
                              env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")})
        self.addCleanup(subprocess.run, ["rm", "-rf", ROOT / "build/never-built"], check=False)
        return re.findall(r"^echo \"CXX +(\S+)\"", done.stdout, re.M)

    def test_users_build_what_users_run(self):
        for goals in ([], ["run"], ["install"]):
            files = self.dry_run(*goals)
            self.assertIn("src/zattd/main.cc", files)
            self.assertIn("src/raft/*.cc", files)
            self.assertEqual([name for name in files if name.startswith("tests/")], [], goals)
        self.assertIn("tests/sim/main.cc", self.dry_run("sim"))
        self.assertIn("tests/raft/log_test.cc", self.dry_run("tests-built"))
