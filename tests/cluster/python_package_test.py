# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Python client as a package: how it is installed, what it runs on, and that its README is true."""

import ast
import doctest
import importlib.util
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tokenize
import warnings
import zipfile

from harness import HOST, ROOT, SOAK, ClusterTest, free_port

PYTHON = ROOT / "tools" / "python"
OLDEST = (3, 7)

NODES_OF_PYTHON_2 = set("""
    Module FunctionDef ClassDef Return Delete Assign AugAssign For While If With Raise Try Assert Import
    ImportFrom Global Expr Pass Break Continue BoolOp BinOp UnaryOp Lambda IfExp Dict Set ListComp SetComp
    DictComp GeneratorExp Yield Compare Call Constant Attribute Subscript Starred Name List Tuple Slice
    Index ExtSlice Load Store Del And Or Add Sub Mult Div Mod Pow LShift RShift BitOr BitXor BitAnd FloorDiv
    Invert Not UAdd USub Eq NotEq Lt LtE Gt GtE Is IsNot In NotIn comprehension ExceptHandler arguments arg
    keyword alias withitem Num Str Bytes NameConstant""".split())

NOT_PYTHON_2 = [
    "f'x'", "def f():\n    nonlocal x", "def f(*, a): pass", "def f(a: int): pass", "def f() -> int: pass",
    "def f(a, /): pass", "lambda *, a: 1", "x: int = 1", "raise A from B", "class A(metaclass=B): pass",
    "class A(*b): pass", "async def f(): pass", "def f():\n    yield from g()", "a, *b = c", "(x := 1)",
    "f(*a, *b)", "f(*a, b)", "f(**a, **b)", "[*a]", "{**a}", "a @ b", "1_000", "rb'x'", "x = ...",
    "def f():\n    yield 1\n    return 2", "'\u00e9'",
]
PYTHON_2 = """
class A(B):
    def f(self, a, b=1, *c, **d):
        with a as x, b as y:
            raise A(u'x' + br'y' % (0o17, 1e5))
        try:
            yield {1: 2}, {3}, [a for a in b if a], (lambda x: x)(*c, **d), f(a, *c, b=1)
        except (A, B) as e:
            del a[1:2], b
"""


def sources():
    return sorted(path for path in PYTHON.rglob("*.py") if "build" not in path.parts[len(PYTHON.parts):])


def check_python_2(text):
    """A SyntaxError for what the grammar of Python 3 has, and that of 2.7 has not."""
    text.encode("ascii")  # 2.7 takes nothing else without being told
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NUMBER and "_" in token.string or \
                token.type == tokenize.STRING and re.match("rb", token.string, re.I):
            raise SyntaxError(f"line {token.start[0]}: {token.string}")
    for node in ast.walk(ast.parse(text, feature_version=OLDEST)):
        if type(node).__name__ not in NODES_OF_PYTHON_2 or is_of_python_3(node):
            raise SyntaxError(f"line {getattr(node, 'lineno', '?')}: {ast.dump(node)[:200]}")


def is_of_python_3(node):
    """Whether a node that both have has a part that 2.7 has not."""
    if isinstance(node, ast.arguments):
        return bool(node.kwonlyargs or getattr(node, "posonlyargs", []))
    if isinstance(node, ast.arg):
        return node.annotation is not None
    if isinstance(node, ast.FunctionDef):
        parts = list(ast.walk(node))
        gives = any(isinstance(part, ast.Return) and part.value for part in parts)
        return node.returns is not None or gives and any(isinstance(part, ast.Yield) for part in parts)
    if isinstance(node, ast.ClassDef):
        return bool(node.keywords) or any(isinstance(base, ast.Starred) for base in node.bases)
    if isinstance(node, ast.Raise):
        return node.cause is not None
    if isinstance(node, ast.Constant):
        return node.value is Ellipsis
    if isinstance(node, ast.Dict):
        return None in node.keys
    if isinstance(node, ast.Call):
        spread = [isinstance(argument, ast.Starred) for argument in node.args]
        return any(spread[:-1]) or sum(keyword.arg is None for keyword in node.keywords) > 1
    return isinstance(node, (ast.List, ast.Tuple, ast.Set)) and \
        any(isinstance(item, ast.Starred) for item in node.elts)


def parser_with_print_statement():
    """A function that raises where `print` is not used as a statement; None where Python has none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from lib2to3 import pygram, pytree
            from lib2to3.pgen2 import driver
        except ImportError:
            return None
    return driver.Driver(pygram.python_grammar, convert=pytree.convert).parse_string


class Package(ClusterTest):
    def run_ok(self, *command, **options):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120,
                              check=False, env=self.environment(), cwd=self.folder, **options)
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
        for name in modules + [f"zatt-{version}.dist-info/LICENSE"]:
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
                "print(b.build_wheel('.'), b.build_sdist('.'), b.build_editable('.'))")
        wheel, sdist, _ = self.run_ok(sys.executable, "-c", make, source / "build_backend").split()
        with tarfile.open(self.folder / sdist) as tar:
            self.assertTrue(any(name.endswith("zatt/client/plain.py") for name in tar.getnames()))
        with zipfile.ZipFile(self.folder / wheel) as made:
            self.assertTrue(any(name.endswith("RECORD") for name in made.namelist()))

    def test_it_is_in_the_grammar_of_python_2_7(self):
        for wrong in NOT_PYTHON_2:
            with self.subTest(f"the check refuses {wrong}"):
                self.assertRaises((SyntaxError, UnicodeError), check_python_2, wrong + "\n")
        check_python_2(PYTHON_2)
        parse = parser_with_print_statement()
        if parse:
            self.assertRaises(Exception, parse, "print('x', file=f)\n")
            parse(PYTHON_2 + "print 'x'\nexec 'y' in {}\ntry: pass\nexcept A, e: raise B, c\n")
        else:
            self.note("no lib2to3 here: nothing holds that print is no function")
        found = sources()
        self.assertGreater(len(found), 5)
        for path in found:
            with self.subTest(path.name):
                text = path.read_text(encoding="utf-8")
                self.assertTrue(text.startswith("# SPDX-License-Identifier: AGPL-3.0-or-later\n"))
                check_python_2(text)
                if parse:
                    parse(text)
        self.compile_with_python_2(found)

    def compile_with_python_2(self, found):
        python = shutil.which("python2.7")
        if not python or subprocess.run([python, "-V"], capture_output=True, check=False).returncode != 0:
            return
        script = "import sys\nfor p in sys.argv[1:]: compile(open(p).read(), p, 'exec')"
        self.run_ok(python, "-c", script, *found)
        self.note("compiled by a Python 2.7 as well")

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
        sys.path.insert(0, str(PYTHON))
        self.addCleanup(sys.path.remove, str(PYTHON))
        import zatt.client
        for name, text in (("README", (PYTHON / "README.md").read_text()),
                           ("DistributedDict", zatt.client.DistributedDict.__doc__),
                           ("Client", zatt.client.Client.__doc__)):
            with self.subTest(name):
                text = text.replace("5254", str(self.alone(name).port))
                names = {} if name == "README" else {name: getattr(zatt.client, name)}
                test = doctest.DocTestParser().get_doctest(text, names, name, name, 0)
                self.assertGreater(len(test.examples), 2)
                said = []
                failed, _ = doctest.DocTestRunner(verbose=False).run(test, out=said.append)
                self.assertEqual(failed, 0, "".join(said))
