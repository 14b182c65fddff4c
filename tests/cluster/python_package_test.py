# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Python client as a package: how it is installed, what it runs on, and that its README is true."""

import ast
import doctest
import importlib.util
import inspect
import os
import pathlib
import pydoc
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

from harness import HOST, ROOT, SOAK, ClusterTest, free_port
from python_test import PYTHON
import zatt.client

TYPED = "zatt/py.typed"

# What pyproject.toml names, and what came later.
OLDEST = (3, 8)
TOO_NEW = ["with (open(a) as b, open(c) as d):\n    pass", "match a:\n    case 1: pass",
           "try: pass\nexcept* A: pass"]

# Said of every module by itself: what its annotations mean, for whoever asks while it runs.
ASK_ALL_HINTS = """
import importlib, inspect, pkgutil, typing, zatt
modules = [zatt] + [importlib.import_module(m.name) for m in pkgutil.walk_packages(zatt.__path__, "zatt.")]
asked = 0
for module in modules:
    own = [x for x in vars(module).values() if getattr(x, "__module__", "") == module.__name__]
    for kind in filter(inspect.isclass, list(own)):
        typing.get_type_hints(kind)
        for x in vars(kind).values():
            own += filter(inspect.isfunction, [x, getattr(x, "__func__", None), getattr(x, "fget", None),
                                               getattr(x, "fset", None)])
    for function in filter(inspect.isfunction, own):
        missing = set(inspect.signature(function).parameters) - {"self", "cls"} | {"return"}
        missing -= set(typing.get_type_hints(function))
        if missing and function.__module__ == module.__name__ and function.__name__ != "<lambda>":
            raise SystemExit("%s: %s has no type for %s" % (module.__name__, function.__qualname__, sorted(missing)))
        asked += 1
print(asked)
"""


def sources():
    return sorted(path for path in PYTHON.rglob("*.py") if "build" not in path.parts[len(PYTHON.parts):])


def unannotated(text):
    """The functions of a module, at any depth, that do not say all of their types."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            named = node.args
            arguments = [*getattr(named, "posonlyargs", []), *named.args, *named.kwonlyargs]
            arguments += [argument for argument in (named.vararg, named.kwarg) if argument]
            if node.returns is None or any(a.annotation is None and a.arg not in ("self", "cls") for a in arguments):
                yield node.name


class Package(ClusterTest):
    def run_ok(self, *command, python_path=None):
        more = {"PYTHONPATH": str(python_path)} if python_path else {}
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120,
                              check=False, env={**self.environment(), **more}, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    @staticmethod
    def environment():
        """None of the caller's settings of Python, and nowhere to fetch anything from."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PIP_"))}
        return {**kept, "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull,
                "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def alone(self, node_id="0"):
        node = self.node(node_id, port=free_port())
        node.flags = ["-p", str(node.port)]
        node.start().wait_up()
        return node

    def test_pip_installs_it_without_a_network(self):
        if not importlib.util.find_spec("ensurepip"):
            self.skipTest("python3-venv is not installed")
        venv = self.folder / "v"
        pip = venv / "bin/pip"
        self.run_ok(sys.executable, "-m", "venv", venv)
        source = self.folder / "python"
        shutil.copytree(PYTHON, source, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "LICENSE", source)  # it is two folders up otherwise
        before = set(source.rglob("*"))
        self.run_ok(pip, "install", source)
        left = [p for p in source.rglob("*") if p not in before and "__pycache__" not in p.parts]
        self.assertEqual(left, [], "the source folder is left as it was")

        port = self.alone().port
        session = ("import zatt.client.refresh_policies; from zatt.client import DistributedDict\n"
                   f"d = DistributedDict('{HOST}', {port}); d['key1'] = 0\n"
                   "print(zatt.__file__, zatt.__version__, d)")

        def use(folder):
            file, version, shown = self.run_ok(venv / "bin/python", "-c", session).rstrip("\n").split(" ", 2)
            self.assertTrue(pathlib.Path(file).is_relative_to(folder), file)
            self.assertEqual(shown, "{'key1': 0}")
            return version
        version = use(venv)
        self.assertRegex(self.run_zattd("--version")[1], rf" {re.escape(version)}\b")

        listed = self.run_ok(pip, "show", "-f", "zatt")
        modules = [p.relative_to(PYTHON).as_posix() for p in sources() if p.is_relative_to(PYTHON / "zatt")]
        self.assertGreater(len(modules), 5)
        for name in modules + [TYPED, f"zatt-{version}.dist-info/LICENSE"]:
            self.assertIn(f"  {name}\n", listed)

        if SOAK:
            self.install_what_else_the_backend_makes(pip, source, use)

    def install_what_else_the_backend_makes(self, pip, source, use):
        for name in ("one", "two"):
            (self.folder / name).mkdir()
        make = ("import sys; sys.path.insert(0, sys.argv[1]); import zatt_build as b\n"
                "print(b.build_wheel('one'), b.build_wheel('two'), b.build_sdist('one'))")
        wheel, _, sdist = self.run_ok(sys.executable, "-c", make, source / "build_backend").split()
        self.assertEqual(*((self.folder / name / wheel).read_bytes() for name in ("one", "two")))
        self.run_ok(pip, "install", "--force-reinstall", self.folder / "one" / sdist)
        use(self.folder / "v")
        with tarfile.open(self.folder / "one" / sdist) as tar:
            tar.extractall(self.folder)
        unpacked = self.folder / sdist[:-len(".tar.gz")]
        self.run_ok(pip, "install", "--force-reinstall", "-e", unpacked)
        use(unpacked)

    def test_a_vendored_copy_builds(self):
        source = self.folder / "vendored"
        shutil.copytree(PYTHON, source, ignore=shutil.ignore_patterns("__pycache__"))
        make = ("import sys; sys.path.insert(0, sys.argv[1]); import zatt_build as b\n"
                "print(b.build_wheel('.'), b.build_sdist('.'), b.build_editable('editable'))")
        (self.folder / "editable").mkdir()
        wheel, sdist, _ = self.run_ok(sys.executable, "-c", make, source / "build_backend").split()
        with tarfile.open(self.folder / sdist) as tar:
            for wanted in ("zatt/client/plain.py", TYPED):
                self.assertTrue(any(name.endswith("/" + wanted) for name in tar.getnames()), wanted)
        with zipfile.ZipFile(self.folder / wheel) as made:
            self.assertTrue(any(name.endswith("RECORD") for name in made.namelist()))
            self.assertIn(TYPED, made.namelist())

    def test_the_oldest_python_that_it_names_can_read_it(self):
        oldest = ".".join(map(str, OLDEST))
        self.assertIn(f'requires-python = ">={oldest}"', (PYTHON / "pyproject.toml").read_text())
        for readme in (ROOT / "README.md", PYTHON / "README.md"):
            self.assertIn(f"Python {oldest} or later", readme.read_text(), readme)
        for newer in TOO_NEW:
            self.assertRaises(SyntaxError, ast.parse, newer, feature_version=OLDEST)
        self.assertGreater(len(sources()), 5)
        for path in sources():
            with self.subTest(path.name):
                text = path.read_text(encoding="utf-8")
                self.assertTrue(text.startswith("# SPDX-License-Identifier: AGPL-3.0-or-later\n"))
                ast.parse(text, feature_version=OLDEST)
        self.run_with_the_oldest(f"python{oldest}")

    def run_with_the_oldest(self, name):
        python = shutil.which(name)
        if python and subprocess.run([python, "-V"], capture_output=True, check=False).returncode == 0:
            self.assertGreater(int(self.run_ok(python, "-B", "-c", ASK_ALL_HINTS, python_path=PYTHON)), 100)
            self.note(f"run by {name} as well")

    def test_everything_has_a_type(self):
        self.assertEqual(list(unannotated("def f(self, a: int, *, b: str = '') -> None: pass")), [])
        for wrong in ("def f(a) -> int: pass", "def f(): pass", "def f(*a) -> int: pass", "def f(*, a) -> int: pass",
                      "class A:\n  def f(self, a: int):\n    def g() -> None: pass"):
            self.assertEqual(list(unannotated(wrong)), ["f"])
        for path in sources():
            self.assertEqual(list(unannotated(path.read_text(encoding="utf-8"))), [], path.name)
        self.assertGreater(int(self.run_ok(sys.executable, "-B", "-c", ASK_ALL_HINTS, python_path=PYTHON)), 100)

    def test_help_says_what_everything_is(self):
        for name in zatt.client.__all__:
            named = getattr(zatt.client, name)
            for member in [named] + [x for n, x in vars(named).items() if n[0] != "_"]:
                if inspect.isclass(member) or inspect.isfunction(member) or isinstance(member, property):
                    self.assertTrue(inspect.getdoc(member), f"{name}: {member}")
        shown = pydoc.render_doc(zatt.client.Pipeline, renderer=pydoc.plaintext)
        for wanted in ("client.pipeline()", "execute(self, raise_first: bool = True)", "if_rev: "):
            self.assertIn(wanted, shown)

    def test_mypy_finds_nothing(self):
        done = subprocess.run([sys.executable, ROOT / "tools/python_types.py"], capture_output=True, text=True,
                              timeout=300, check=False)
        if done.stdout.startswith("Python types: skipped"):
            self.skipTest("there is no mypy")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_only_the_standard_library(self):
        if not hasattr(sys, "stdlib_module_names"):
            self.skipTest("needs Python 3.10")
        for path in sources():
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else \
                    [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
                for name in names:
                    self.assertIn(name.split(".")[0], sys.stdlib_module_names, path.name)

    def test_the_examples_are_true(self):
        for name, text in (("README", (PYTHON / "README.md").read_text()),
                           ("DistributedDict", zatt.client.DistributedDict.__doc__),
                           ("Client", zatt.client.Client.__doc__),
                           ("Pipeline", zatt.client.Pipeline.__doc__)):
            with self.subTest(name):
                port = self.alone(name).port
                text = text.replace("5254", str(port))
                names = {} if name == "README" else vars(zatt.client)
                names = {"client": zatt.client.Client(f"{HOST}:{port}"), **names} if name == "Pipeline" else names
                test = doctest.DocTestParser().get_doctest(text, names, name, name, 0)
                self.assertGreater(len(test.examples), 1)
                said = []
                failed, _ = doctest.DocTestRunner(verbose=False).run(test, out=said.append)
                self.assertEqual(failed, 0, "".join(said))
