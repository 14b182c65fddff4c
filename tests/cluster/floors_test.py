# SPDX-License-Identifier: AGPL-3.0-or-later
"""What `make floors` refuses: each rule is shown a made-up tree that breaks it, and one that does not."""

import subprocess
import sys

from harness import ROOT, ClusterTest

sys.path.insert(0, str(ROOT / "tools"))
import ratchets  # noqa: E402  (tools/ is no package)


def class_of(members):
    body = "".join(f"  std::function<void(int, int)> member_{i}_;  // one\n" for i in range(members))
    return ("class Wide final : public Base<int> {\n public:\n  enum class Kind : int { one, two };\n"
            "  struct Part {\n    int inner;\n  };\n  explicit Wide(int a, int b = {}) : member_0_{a} {}\n"
            "  bool is_wide() const { return member_1_ != nullptr; }\n"
            "  static constexpr int limit = 3;\n  friend class Other;\n"
            f" private:\n  void step(int a, int b);\n{body}}};\n")


def function_of(lines):
    body = "".join("  call(\"}\", '{');  // {\n" for _ in range(lines - 2))
    return "std::vector<int> Wide::run(std::map<int, int> (*with)(int)) const {\n" + body + "}\n"


class Ratchets(ClusterTest):
    def check(self, name, text, exceptions=()):
        path = self.folder / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (self.folder / "tree/src").mkdir(exist_ok=True)
        path.write_text(text)
        return ratchets.check(self.folder / "tree", dict(exceptions))

    def assert_one(self, errors, *parts):
        self.assertEqual(len(errors), 1, errors)
        for part in (*parts, "remedy: "):
            self.assertIn(part, errors[0])

    def test_data_members(self):
        name = "src/raft/wide.h"
        self.assertEqual(self.check(name, class_of(20)), [])
        self.assert_one(self.check(name, class_of(21)), f"{name}:1: Wide has 21 data members, and 20 is the most")
        self.assert_one(self.check(name, class_of(19) + "struct Two {\n" + "  int a, b, c;\n" * 7 + "};\n"),
                        f"{name}:33: Two has 21 data members")
        self.assertEqual(self.check(name, class_of(20)) + self.check("tests/raft/wide.h", class_of(21)), [])

    def test_lines_a_file(self):
        name = "tests/raft/long_test.cc"
        self.assertEqual(self.check(name, "int a;\n" * 450), [])
        self.assert_one(self.check(name, "int a;\n" * 451), f"{name}:1: 451 lines, and 450 is the most")

    def test_lines_a_function(self):
        name = "src/raft/long.cc"
        space = "namespace zatt {\nnamespace {\n\n"
        self.assertEqual(self.check(name, space + function_of(50) + function_of(50) + "}\n}\n"), [])
        self.assert_one(self.check(name, space + function_of(51) + "}\n}\n"),
                        f"{name}:4: Wide::run is 51 lines long, and 50 is the most")
        self.assertEqual(self.check(name, function_of(51).replace("std::vector<int> Wide::run", "TEST_CASE")), [])

    def test_words(self):
        name = "src/raft/words.cc"
        for said in ("int hop_to_;", "struct HopTo {};", "constexpr int HOP_TO = 1;", "int next_hop_to();"):
            self.assert_one(self.check(name, said + "\n")[:1], f"{name}:1: ", '"hop_to" is a word of ours alone',
                            "redirect_to")
        plain = 'int shop_to;  // hop_to\nconst char* text = "sweep the door";\n#include "hop_to.h"\nint outdoor;\n'
        self.assertEqual(self.check(name, plain), [])
        self.assertEqual(len(self.check(name, "int door;\nint door_;\nint door;\n")), 2)

    def test_an_exception_only_falls(self):
        name = "src/raft/wide.h"
        allowed = {("members", name, "Wide"): 23}
        self.assertEqual(self.check(name, class_of(23), allowed), [])
        self.assert_one(self.check(name, class_of(24), allowed), "Wide has 24 data members")
        self.assert_one(self.check(name, class_of(22), allowed), "has fallen to 22")
        self.assert_one(self.check(name, class_of(20), allowed), "keeps the limit now")

    def test_the_command_says_all_of_it(self):
        self.check("src/raft/wide.h", class_of(21) + '#include "node/node.h"\n')
        done = subprocess.run([sys.executable, ROOT / "tools/check_floors.py", self.folder / "tree"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Wide has 21 data members", done.stdout)
        self.assertIn("remedy: mend the path", done.stdout)
