# SPDX-License-Identifier: AGPL-3.0-or-later
"""What `make install` puts in place, used as its users would: every example is built and run."""

import os
import re
import site
import subprocess
import sys
import unittest

from harness import BUILD, HOST, ROOT, SANITIZED, ClusterTest, free_port

STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


@unittest.skipIf(SANITIZED, "a program without the sanitizer cannot use a library with it")
class Installed(ClusterTest):
    """zatt in a prefix of its own, and what it takes to use it from there."""

    def setUp(self):
        self.prefix = self.folder / "prefix"
        # -o build: what the tests run with is what is installed.
        self.run_command("make", "-C", ROOT, "-o", "build", "install", "DEPS=no",
                         f"PREFIX={self.prefix}", f"B={BUILD}")
        self.environment = dict(os.environ, PKG_CONFIG_PATH=str(self.prefix / "lib/pkgconfig"),
                                LD_LIBRARY_PATH=str(self.prefix / "lib"),
                                PYTHONPATH=str(next(self.prefix.rglob("zatt/client")).parent.parent),
                                PATH=f"{self.prefix / 'bin'}:{os.environ['PATH']}")

    def run_command(self, *command, env=None, timeout_s=60, code=0):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                              env=env, timeout=timeout_s, stdin=subprocess.DEVNULL, check=False,
                              cwd=self.folder)
        self.assertEqual(done.returncode, code, f"{command}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def build(self, source, packages, standard=None):
        """The program that pkg-config says how to build."""
        cplusplus = source.suffix in (".cpp", ".cc")
        flags = self.run_command("pkg-config", "--cflags", "--libs", *packages, env=self.environment)
        program = self.folder / source.stem
        self.run_command("c++" if cplusplus else "cc", standard or ("-std=c++17" if cplusplus else "-std=c99"),
                         "-D_POSIX_C_SOURCE=200809L", *STRICT, source, *flags.split(), "-o", program)
        return program

    def served(self):
        cluster = self.cluster().start()
        cluster.wait_serving()
        return cluster, ",".join(f"{HOST}:{node.port}" for node in cluster)


class Install(Installed):
    def test_what_is_installed(self):
        for name in ("bin/zattd", "bin/zatt", "lib/libzatt.a", "lib/libzatt.so", "lib/libzattclient.so.0",
                     "lib/pkgconfig/zatt.pc", "include/zatt/zatt.h", "include/zatt/zatt.hpp",
                     "share/man/man1/zatt.1", "share/man/man8/zattd.8",
                     "share/bash-completion/completions/zatt", "share/zsh/site-functions/_zatt",
                     "share/bash-completion/completions/zattd", "share/zsh/site-functions/_zattd",
                     "share/doc/zatt/LICENSE", "share/doc/zatt/examples/blocking.c",
                     "lib/systemd/system/zattd.service"):
            self.assertTrue((self.prefix / name).exists(), name)
        version = self.run_command(self.prefix / "bin/zattd", "--version").split()[1]
        for package in ("zatt", "zatt-client"):
            self.assertEqual(self.run_command("pkg-config", "--modversion", package,
                                              env=self.environment).strip(), version)
        self.assertNotIn("@", (self.prefix / "lib/pkgconfig/zatt.pc").read_text())
        self.assertIn(str(self.prefix), (self.prefix / "lib/systemd/system/zattd.service").read_text())

    def test_only_our_names_are_seen(self):
        for name in ("libzatt", "libzattclient"):
            shared = self.run_command("nm", "-D", "--defined-only", self.prefix / f"lib/{name}.so.0")
            static = self.run_command("nm", "-g", "--defined-only", self.prefix / f"lib/{name}.a")
            for listing in (shared, static):
                symbols = [line.split()[2] for line in listing.splitlines() if len(line.split()) == 3]
                self.assertGreater(len(symbols), 10)
                self.assertEqual([s for s in symbols if not s.startswith("zatt_")], [])
        needed = self.run_command("objdump", "-p", self.prefix / "lib/libzattclient.so.0")
        self.assertNotIn("libuv", needed)
        self.assertIn("SONAME               libzattclient.so.0", needed)

    def test_the_static_library_is_enough(self):
        source = ROOT / "docs/examples/blocking.c"
        program = self.folder / "blocking"
        self.run_command("cc", "-std=c99", source, f"-I{self.prefix}/include",
                         self.prefix / "lib/libzattclient.a", "-lsimdjson", "-lstdc++", "-o", program)
        _, servers = self.served()
        self.assertIn("written, rev ", self.run_command(program, servers))

    def test_examples(self):
        _, servers = self.served()
        expected = {
            "blocking.c": (["zatt-client"], r"written, rev \d+\n\d+ keys\n  key1 = \"mine\" \(rev \d+\)\n1 items, done"),
            "poll.c": (["zatt-client"], r"1000 done, 0 unknown, 0 failed"),
            "uv.c": (["zatt-client", "libuv"], r"visits: \d+\nvisits: \d+\nvisits: \d+"),
            "dict.cpp": (["zatt-client"], r"key1 = 0, \d+ keys\n(.*\n)+visits: \d+\nkey1 is there already: 1"),
            "node.c": (["zatt"], r"replied: 2 lines\n1: hello\n2: world\n"),
            "dict.py": (None, r"\{'a': \[1, 2\]\} False\nvisits: \d+\nlog: \['was here'\]\n1000 done\n1000 deleted\n"),
        }
        examples = sorted((ROOT / "docs/examples").iterdir())
        self.assertEqual([path.name for path in examples], sorted(expected))
        for path in examples:
            packages, pattern = expected[path.name]
            with self.subTest(path.name):
                if packages is None:
                    command = [sys.executable, path]
                else:
                    command = [self.build(path, packages, "-std=gnu99" if path.name == "uv.c" else None)]
                arguments = [self.folder / "own", free_port()] if path.name == "node.c" else [servers]
                self.assertRegex(self.run_command(*command, *arguments, env=self.environment), pattern)

    def test_it_is_small(self):
        files = [path for path in self.prefix.rglob("*") if path.is_file() and not path.is_symlink()]
        size = sum(path.stat().st_size for path in files)
        self.note(f"{len(files)} files, {size / 1e6:.2f} MB")
        self.assertLess(size, 6_000_000)
        for name in ("bin/zattd", "bin/zatt", "lib/libzatt.so.0", "lib/libzattclient.so.0"):
            self.assertNotIn(".symtab", self.run_command("objdump", "-h", self.prefix / name), name)
            self.assertNotIn(".debug_info", self.run_command("objdump", "-h", self.prefix / name), name)

    def test_python_finds_the_package(self):
        package, = self.prefix.rglob("zatt/client/__init__.py")
        said = self.run_command(sys.executable, "-c", "import zatt.client as c; print(c.__file__, c.DistributedDict.__name__)",
                                env=self.environment)
        self.assertEqual(said, f"{package} DistributedDict\n")
        self.assertTrue((package.parent.parent / "py.typed").exists(), "its types are for others, too")
        # Where it is looked for without being told, if such a folder lies below the prefix.
        for folder in site.getsitepackages():
            prefix = folder.split("/lib/")[0]
            said = self.run_command(sys.executable, ROOT / "tools/python_dir.py", prefix).strip()
            self.assertIn(said, site.getsitepackages())

    def test_uninstall_leaves_what_is_not_ours(self):
        others = self.prefix / "share/man/man1/other.1"
        others.write_text("of somebody else")
        python_leaves = next(self.prefix.rglob("zatt/client/__init__.py")).parent / "__pycache__"
        python_leaves.mkdir()
        (python_leaves / "x.pyc").write_text("")
        self.run_command("make", "-C", ROOT, "uninstall", "DEPS=no", f"PREFIX={self.prefix}", f"B={BUILD}")
        self.assertEqual([path for path in self.prefix.rglob("*") if not path.is_dir()], [others])
        self.assertEqual([path for path in self.prefix.rglob("zatt")], [])
        self.run_command("make", "-C", ROOT, "uninstall", "DEPS=no", f"PREFIX={self.prefix}", f"B={BUILD}", code=2)

    def test_destdir_is_part_of_no_text(self):
        stage = self.folder / "package"
        self.run_command("make", "-C", ROOT, "-o", "build", "install", "DEPS=no", "PREFIX=/usr",
                         f"DESTDIR={stage}", f"B={BUILD}")
        for path in (stage / "usr").rglob("*"):
            if path.is_file():
                self.assertNotIn(str(stage).encode(), path.read_bytes(), path)
        self.assertTrue((stage / "usr/bin/zattd").exists())
        self.assertEqual([path.name for path in stage.iterdir()], ["usr"])

    def test_examples_of_the_headers(self):
        cpp = (ROOT / "include/zatt/zatt.hpp").read_text()
        snippet = "".join(line[2:] + "\n" for line in re.findall(r"^//   (?:zatt::|d\[|int v|for).*$", cpp, re.M))
        self.assertIn("d[\"key1\"] = 0;", snippet)
        source = self.folder / "header.cpp"
        source.write_text("#include <iostream>\n#include <zatt/zatt.hpp>\n"
                          f"int main() {{\n{snippet}  return v;\n}}\n")
        self.build(source, ["zatt-client"])
        c = (ROOT / "include/zatt/zatt.h").read_text()
        snippet = re.search(r"struct pollfd p = .*?zatt_client_dispatch\(c\);", c, re.S).group(0)
        snippet = re.sub(r"^ \*", "", snippet, flags=re.M)
        snippet = re.sub(r"\(a descriptor of -1.*?\)", "", snippet)
        source = self.folder / "header.c"
        source.write_text("#include <poll.h>\n#include <zatt/zatt.h>\nint main(void) {\n"
                          f"  zatt_client *c = 0;\n  if (!c) return 0;\n  {snippet}\n  return 0;\n}}\n")
        self.build(source, ["zatt-client"])
