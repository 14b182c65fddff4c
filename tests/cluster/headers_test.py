# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a compiler says of the headers: nothing in every standard that they are for, and else a sentence."""

import pathlib
import shutil
import subprocess

from harness import ROOT, ClusterTest

STRICT = ["-pedantic", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror"]
C = ["c99", "c11", "c17"]
CPP = ["c++17", "c++20"]
# Uses all that the header itself defines.
C_PROGRAM = """#include <zatt/zatt.h>
int main(void) {
  zatt_client_options options = zatt_client_options_of("127.0.0.1:5254");
  zatt_node_options node = zatt_node_options_of(NULL);
  zatt_request request = zatt_request_of(ZATT_OP_SET);
  zatt_client *client = NULL;
  const zatt_reply *reply = NULL;
  request.key = zatt_str("k");
  if (node.config != NULL || zatt_client_open(&options, &client) != ZATT_OK) return 1;
  zatt_client_call(client, &request, &reply);
  zatt_client_set_if(client, "k", "1", zatt_if_absent(), &reply);
  zatt_client_set_if(client, "k", "1", zatt_if_exists(), &reply);
  zatt_client_delete_if(client, "k", zatt_if_rev(7), NULL);
  zatt_client_incr_if(client, "k", 1, zatt_if_value("1"), NULL);
  zatt_client_close(client);
  return 0;
}
"""
CPP_PROGRAM = """#include <zatt/zatt.hpp>
struct Point { int x; int y; };
template <> struct zatt::Convert<Point> {
  static std::string to_json(const Point& p) { return "[" + std::to_string(p.x) + "]"; }
  static Point from_json(std::string_view) { return {1, 2}; }
};
int main() {
  zatt::DistributedDict d;
  d["p"] = Point{1, 2};
  const Point p = d["p"];
  const std::string text(d["text"]);
  const std::optional<int> some = d["n"];
  return p.x + d["p"].as<Point>().y + d.get<Point>("p")->x + int(d.incr("n")) + int(text.size()) + *some;
}
"""
INCR = r"this would be a read and a write, .*use d\.incr\(key, by\)"
TO_JSON = r"this type cannot become JSON: specialize zatt::Convert for it, with to_json"
FROM_JSON = r"no JSON can become this type: specialize zatt::Convert for it, with from_json"


class Headers(ClusterTest):
    def compiles(self, compiler, standard, source, flags=(), code=0):
        """What the compiler says of it."""
        path = self.folder / ("program.c" if compiler in ("cc", "gcc", "clang") else "program.cpp")
        path.write_text(source)
        done = subprocess.run([compiler, f"-std={standard}", *flags, "-fsyntax-only",
                               f"-I{ROOT / 'include'}", path], text=True, capture_output=True,
                              timeout=60, check=False)
        self.assertEqual(done.returncode, code, f"{compiler} -std={standard}\n{source}\n{done.stderr}")
        return done.stderr

    def compilers(self, *names):
        """Those that are there, each once: cc is one of the others."""
        there = {pathlib.Path(found).resolve(): name for name in names if (found := shutil.which(name))}
        if not there:
            self.skipTest(f"none of {', '.join(names)}")
        return list(there.values())

    def test_c_from_c99_on_without_a_warning(self):
        for compiler in self.compilers("cc", "gcc", "clang"):
            for standard in C:
                self.assertEqual(self.compiles(compiler, standard, C_PROGRAM, STRICT), "")

    def test_cpp_without_a_warning(self):
        for compiler in self.compilers("c++", "g++", "clang++"):
            for standard in ["c++11", *CPP]:
                self.assertEqual(self.compiles(compiler, standard, C_PROGRAM, STRICT), "")
            for standard in CPP:
                self.assertEqual(self.compiles(compiler, standard, CPP_PROGRAM, STRICT), "")

    def test_cpp_of_an_older_standard_is_told_which(self):
        for compiler in self.compilers("c++", "g++", "clang++"):
            for standard in ("c++11", "c++14"):
                said = self.compiles(compiler, standard, "#include <zatt/zatt.hpp>\n", code=1)
                self.assertRegex(said, r"error: .*zatt\.hpp needs C\+\+17 or later: compile with -std=c\+\+17")
                self.assertEqual(said.count("error:"), 1, said)

    def test_cpp_mistakes_get_one_sentence(self):
        table = [
            ('d["n"] += 1;', INCR), ('d["n"] -= 1;', INCR), ('++d["n"];', INCR), ('d["n"]++;', INCR),
            ('--d["n"];', INCR), ('d["n"]--;', INCR), ('d["s"] += "more";', INCR),
            ('d["p"] = Point{1, 2};', TO_JSON), ('d["v"] = std::vector<int>();', TO_JSON),
            ('d.client().set("p", Point{1, 2});', TO_JSON),
            ('d.client().set("p", 1, zatt::Condition::value(Point{1, 2}));', TO_JSON),
            ('Point p = d["p"];', FROM_JSON), ('d["p"].as<Point>();', FROM_JSON),
            ('d.get<std::vector<int>>("v");', FROM_JSON), ('d["s"].as<std::string_view>();', FROM_JSON),
        ]
        header = self.folder / "header.hpp"  # compiled once: most of the time goes into it
        header.write_text("#include <zatt/zatt.hpp>\nstruct Point { int x; int y; };\n")
        for compiler in self.compilers("c++", "g++", "clang++"):
            subprocess.run([compiler, "-std=c++17", f"-I{ROOT / 'include'}", "-x", "c++-header", header,
                            "-o", f"{header}.gch"], check=True, timeout=60)
            for statement, sentence in table:
                with self.subTest(statement, compiler=compiler):
                    source = f"void f(zatt::DistributedDict& d) {{ {statement} }}\n"
                    said = self.compiles(compiler, "c++17", source, ["-include", header], code=1)
                    self.assertRegex(said, rf"error: .*{sentence}")
                    self.assertEqual(said.count("error:"), 1, said)
