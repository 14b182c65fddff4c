# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a shell offers who types the zatt command."""

import os
import pty
import re
import select
import shlex
import shutil
import signal
import time

from cli_harness import VERBS, CliTest
from harness import HOST, ROOT


class Completion(CliTest):
    script = ROOT / "conf/completion/zatt.bash"

    def complete(self, line):
        """What bash's function offers at the end of this line, called as bash calls it: with words
        cut at blanks, and at ':' and '='."""
        words = re.findall(r"[:=]+|(?:[^ :=\\]|\\.)+", line)
        if line.endswith(" ") and not line.endswith("\\ "):
            words.append("")
        done = self.shell(f"""
            source {self.script}
            compopt() {{ :; }}
            COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)}
            COMP_WORDS=({" ".join(map(shlex.quote, words))}) COMP_CWORD={len(words) - 1}
            _zatt
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """)
        self.assertEqual(done.err, "", line)
        return done.out.split("\n")[:-1]

    def test_bash_knows_the_command(self):
        done = self.shell(f"source {self.script}; complete -p zatt")
        self.assert_done(done, "complete -F _zatt zatt\n")

    def test_what_bash_offers(self):
        self.serve()
        for key in ("room:1", "room:12", "lamp", "a b", "k=v"):
            self.assert_done(self.zatt("set", key, "1"))
        self.assert_done(self.zatt("set", "line\nfeed", "1"))
        (self.folder / "data file").write_text("")
        self.assertEqual(sorted(self.complete("zatt ")), sorted(VERBS))
        self.assertEqual(self.complete("zatt st"), ["status"])
        self.assertEqual(self.complete("zatt help im"), ["import"])
        self.assertEqual(self.complete("zatt get la"), ["lamp"])
        self.assertEqual(self.complete("zatt get room:"), ["1", "12"])
        self.assertEqual(self.complete("zatt get room"), ["room:1", "room:12"])
        self.assertEqual(self.complete("zatt get a\\ "), ["a\\ b"])
        self.assertEqual(self.complete("zatt -t 1 del lamp k"), ["k=v"])
        self.assertEqual(self.complete("zatt get li"), [""])
        self.assertEqual(self.complete("zatt set lamp la"), [""])
        self.assertEqual(self.complete("zatt set lamp @data"), ["@data\\ file"])
        self.assertEqual(self.complete("zatt import data"), ["data file"])
        self.assertEqual(self.complete(f"zatt -s {HOST}:1 get la"), [""])
        self.assertEqual(self.complete("zatt get --r"), ["--raw"])
        options = {verb: set(self.complete(f"zatt {verb} --")) for verb in VERBS}
        for verb, offered in options.items():
            text = self.zatt("help", verb).out
            own = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", text, re.M))
            self.assertEqual(offered, own | {"--servers", "--timeout", "--json", "--help"}, verb)

    def test_more_keys_than_are_shown(self):
        """What the first 200 have in common is not what all have: it must not be inserted."""
        self.serve()
        lines = "".join(f'{{"op":"set","key":"user:{n:04}","value":1}}\n' for n in range(1200))
        self.assertEqual(self.zatt("raw", stdin=lines).code, 0)
        for typed, stays in (("zatt get user:", ""), ("zatt get us", "us"), ("zatt get 'us", "us"),
                             ("zatt get user:0", "0")):
            offered = self.complete(typed)
            self.assertEqual(len(offered), 201, typed)
            self.assertEqual(offered[-1], stays + "…")
            self.assertEqual(os.path.commonprefix(offered), stays, typed)
        self.assertEqual(len(self.complete("zatt get user:01")), 100)
        self.assertEqual(os.path.commonprefix(self.complete("zatt get user:0")), "0")
        self.presses_tab("zatt get user:\t0007 && echo do''ne\r", "1\r\ndone\r\n")

    def test_what_bash_offers_for_zattd(self):
        options = set(re.findall(r"(?<![\w.-])--[a-z-]+", re.sub(r"(?s)\n\n?Options win.*", "",
                      self.shell("zattd --help").out)))
        def offered(*words):
            done = self.shell(f"""
                source {ROOT / "conf/completion/zattd.bash"}
                compopt() {{ :; }}
                COMP_WORDS=(zattd {" ".join(map(shlex.quote, words))}) COMP_CWORD={len(words)}
                _zattd
                printf '%s\\n' "${{COMPREPLY[@]}}"
            """)
            self.assertEqual(done.err, "")
            return set(done.out.split("\n")[:-1])
        (self.folder / "zatt.conf").write_text("{}")
        self.assertEqual(offered(""), options)
        self.assertEqual(offered("--check"), {"--check-config"})
        self.assertEqual(offered("-c", "zatt.c"), {"zatt.conf"})
        self.assertEqual(offered("--create", ""), {"auto", "never"})
        self.assertEqual(offered("-p", ""), {""})

    def test_zsh_reads_our_functions(self):
        if not shutil.which("zsh"):
            self.skipTest("no zsh")
        for name in ("_zatt", "_zattd"):
            self.assert_done(self.shell(f"zsh -n {ROOT / 'conf/completion' / name}"), "")

    def test_a_person_presses_tab(self):
        self.serve()
        self.assert_done(self.zatt("set", "room:kitchen", "1"))
        self.presses_tab("zatt get room:k\t", "zatt get room:kitchen ")

    def presses_tab(self, typed, wanted):
        """A shell at a terminal is typed at, until it shows what is wanted."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"],
                       self.environment({"PS1": "> ", "TERM": "dumb", "HISTFILE": "", "LC_ALL": "C.UTF-8"}))
        shown = b""

        def until(text):
            nonlocal shown
            deadline = time.monotonic() + 30
            while text not in shown and time.monotonic() < deadline:
                if select.select([terminal], [], [], 0.1)[0]:
                    shown += os.read(terminal, 65536)
            self.assertIn(text, shown)
        try:
            until(b"> ")
            os.write(terminal, f"source {self.script}; echo re''ady\n".encode())
            until(b"ready\r\n")
            os.write(terminal, typed.encode())
            until(wanted.encode())
            os.write(terminal, b"\x15exit\n")
        finally:
            os.close(terminal)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def test_zsh_names_the_same_verbs(self):
        text = (ROOT / "conf/completion/_zatt").read_text()
        self.assertTrue(text.startswith("#compdef zatt\n"))
        self.assertEqual(sorted(re.findall(r"^    '(\w+):", text, re.M)), sorted(VERBS))
        for option in set(re.findall(r"--[a-z-]+", "".join(self.zatt("help", verb).out for verb in VERBS))):
            self.assertIn(option, text)
