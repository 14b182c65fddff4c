# SPDX-License-Identifier: AGPL-3.0-or-later
"""The zatt command against real nodes: its verbs, and what it prints."""

import json
import os
import pathlib
import re
import subprocess
import time

from cli_harness import VERBS, ZATT, CliTest, bytes_in, own_signals
from harness import HOST, ROOT, wait_for


class Verbs(CliTest):
    def test_values_as_they_are_typed(self):
        self.serve()
        table = [
            # typed, printed by get, printed by get -r
            ("1", "1", "1"), ("-1", "-1", "-1"), ("1.0", "1.0", "1.0"), ("1e400", "1e400", "1e400"),
            ("true", "true", "true"), ("null", "null", "null"),
            ('{"a": [1, 2]}', '{"a":[1,2]}', '{"a":[1,2]}'),
            ('"5"', '"5"', "5"), ("hello", '"hello"', "hello"),
            ("hello world", '"hello world"', "hello world"), ("", '""', ""),
            ("01", '"01"', "01"), ("é\n\t\"\\", r'"é\n\t\"\\"', "é\n\t\"\\"),
            ('"\\u00e9\\n"', '"\\u00e9\\n"', "é\n"), ("-.5", '"-.5"', "-.5"),
        ]
        for typed, printed, bare in table:
            with self.subTest(typed):
                self.assert_done(self.zatt("set", "k", typed), "")
                self.assert_done(self.zatt("get", "k"), printed + "\n")
                self.assert_done(self.zatt("get", "-r", "k"), bare + "\n")
        for typed in ("{a:1}", "[1,]", '"open', "{", " {x"):
            with self.subTest(typed):
                self.assert_fails(self.zatt("set", "k", typed), 2, "not JSON; did the shell take the "
                                  "quotes\\? use '…', or --string")
                self.assert_done(self.zatt("set", "k", typed, "--string"))
                self.assert_done(self.zatt("get", "k"), json.dumps(typed) + "\n")
        self.assert_done(self.zatt("set", "k", "5", "--string"))
        self.assert_done(self.zatt("get", "k"), '"5"\n')
        self.assert_fails(self.zatt("set", "k", "five", "--as-json"), 2,
                          "JSON text expected: \"five\" with its quotes; the shell may have taken them")

    def test_values_from_files_and_pipes(self):
        self.serve()
        (self.folder / "conf.json").write_text('{\n  "a": 1\n}\n')
        (self.folder / "text").write_text("two\nlines\n\n")
        self.assert_done(self.zatt("set", "k", "@conf.json"))
        self.assert_done(self.zatt("get", "k"), '{"a":1}\n')
        self.assert_done(self.zatt("set", "k", "@text"))
        self.assert_done(self.zatt("get", "k"), '"two\\nlines\\n"\n')
        self.assert_done(self.zatt("set", "k", "-", stdin="from a pipe\n"))
        self.assert_done(self.zatt("get", "k"), '"from a pipe"\n')
        self.assert_done(self.zatt("set", "k", "-", "--string", stdin="{not json"))
        self.assert_done(self.zatt("get", "k"), '"{not json"\n')
        self.assert_done(self.zatt("set", "k", '"@home"'))
        self.assert_done(self.zatt("get", "-r", "k"), "@home\n")
        self.assert_fails(self.zatt("set", "k", "-", stdin="{not json"), 2, "not JSON; --string")
        self.assert_fails(self.zatt("set", "k", "@missing"), 2, "missing: No such file")
        self.assert_fails(self.zatt("set", "k", "-", stdin=b"caf\xe9"), 2, "the value is not UTF-8")
        self.assert_done(self.zatt("get", "-r", "k"), "@home\n")

    def test_get_set_del_incr_count(self):
        self.serve()
        self.assert_fails(self.zatt("get", "k"), 1)
        self.assert_fails(self.zatt("del", "k"), 1)
        self.assert_done(self.zatt("set", "k", "1"), "")
        self.assert_done(self.zatt("del", "k"), "")
        self.assert_fails(self.zatt("get", "k"), 1)
        for by, total in (([], "1"), (["41"], "42"), (["-50"], "-8"), (["--", "-1"], "-9"),
                          (["+9"], "0"), (["9223372036854775807"], "9223372036854775807")):
            self.assert_done(self.zatt("incr", "n", *by), total + "\n")
        self.assert_fails(self.zatt("incr", "n"), 1, "condition_failed: ")
        self.assert_done(self.zatt("set", "s", "text"))
        self.assert_fails(self.zatt("incr", "s"), 1,
                          'condition_failed: the value is not a 64-bit integer.*"text", revision')
        self.assert_done(self.zatt("count"), "2\n")
        self.assert_done(self.zatt("count", "s"), "1\n")
        self.assert_done(self.zatt("count", "none"), "0\n")
        self.assert_fails(self.zatt("del", "s", "none", "n"), 1)
        self.assert_done(self.zatt("count"), "0\n")

    def test_several_keys(self):
        self.serve()
        self.assert_done(self.zatt("set", "a", "1", "b", "two", "c", '{"x": [1]}'), "")
        self.assert_done(self.zatt("get", "c", "a", "b"), 'c\t{"x":[1]}\na\t1\nb\t"two"\n')
        self.assert_done(self.zatt("get", "-r", "b", "a"), "b\ttwo\na\t1\n")
        some = self.zatt("get", "a", "none", "b")
        self.assertEqual((some.code, some.out, some.err), (1, 'a\t1\nb\t"two"\n', ""))
        some = self.zatt("get", "none", "a", "--json")
        self.assertEqual([json.loads(line)["found"] for line in some.out.splitlines()], [False, True])
        # a condition goes for each, and one that does not hold ends nothing
        some = self.zatt("set", "n", "1", "a", "2", "m", "3", "--if-absent")
        self.assertEqual(some.code, 1)
        self.assertRegex(some.err, "^zatt: a: condition_failed: [^\n]*\n$")
        self.assert_done(self.zatt("get", "n", "a", "m"), "n\t1\na\t1\nm\t3\n")
        # all values are looked at first
        self.assert_fails(self.zatt("set", "n", "9", "m", "{bad"), 2, "m: not JSON")
        self.assert_done(self.zatt("get", "n"), "1\n")
        # nothing behind one that is refused is left in doubt
        some = self.zatt("get", "a", "b", "--servers", f"{HOST}:1")
        self.assertEqual(some.code, 3)
        self.assertIn("zatt: 0 of 2 keys answered", some.err)
        self.assertEqual(some.err.count("no_server"), 1)

    def test_many_deletes_are_under_way_at_once(self):
        self.serve()
        keys = [f"{n:05}" for n in range(10000)]
        self.assert_done(self.zatt("import", stdin="".join(
            f'{{"key":"{key}","value":1}}\n' for key in keys)), "10000 keys set\n")
        started = time.monotonic()
        self.assert_done(self.zatt("del", *keys), "")
        self.assertLess(time.monotonic() - started, 5)  # one after the other: 14 s
        self.assert_done(self.zatt("count"), "0\n")
        self.assert_fails(self.zatt("del", *keys), 1)

    def test_conditions(self):
        self.serve()
        self.assert_done(self.zatt("set", "k", "1", "--if-absent"))
        self.assert_fails(self.zatt("set", "k", "2", "--if-absent"), 1,
                          "condition_failed: the condition does not hold: the value is 1, revision")
        rev = json.loads(self.zatt("get", "k", "--json").out)["rev"]
        self.assert_fails(self.zatt("set", "k", "2", "--if-rev", str(rev + 1)), 1, "condition_failed")
        self.assert_done(self.zatt("set", "k", "2", f"--if-rev={rev}"))
        self.assert_done(self.zatt("set", "new", "2", "--if-rev", "0"))
        self.assert_fails(self.zatt("set", "none", "2", "--if-exists"), 1,
                          "condition_failed: the condition does not hold: there is no such key")
        self.assert_done(self.zatt("set", "k", '{"a": "é"}', "--if-value", "2"))
        self.assert_done(self.zatt("set", "k", "text", "--if-value", '{ "a":"é" }'))
        self.assert_fails(self.zatt("incr", "k", "--if-value", "other"), 1, "condition_failed")
        self.assert_fails(self.zatt("del", "k", "--if-value", "other"), 1, "condition_failed")
        self.assert_fails(self.zatt("del", "k", "--if-value", "{other"), 2, "--if-value: not JSON")
        self.assert_done(self.zatt("del", "k", "--if-value", "text"))

    def test_lists(self):
        self.serve()
        for key, value in (("room:1", '{"on": true}'), ("room:2", "bright"), ("roof", "3")):
            self.assert_done(self.zatt("set", key, value))
        self.assert_done(self.zatt("ls"), "roof\nroom:1\nroom:2\n")
        self.assert_done(self.zatt("ls", "room"), "room:1\nroom:2\n")
        self.assert_done(self.zatt("ls", "none"), "")
        self.assert_done(self.zatt("ls", "-n", "2"), "roof\nroom:1\n")
        self.assert_done(self.zatt("scan", "room:"), 'room:1\t{"on":true}\nroom:2\t"bright"\n')
        self.assert_done(self.zatt("scan", "--limit", "1"), "roof\t3\n")
        rows = [json.loads(line) for line in self.zatt("scan", "--json").out.splitlines()]
        self.assertEqual([row["key"] for row in rows], ["roof", "room:1", "room:2"])
        self.assertEqual(rows[1]["value"], {"on": True})
        rows = [json.loads(line) for line in self.zatt("ls", "--json").out.splitlines()]
        self.assertEqual(sorted(rows[0]), ["key", "rev"])
        self.assert_done(self.zatt("export", "room:"),
                         '{"key":"room:1","value":{"on":true}}\n{"key":"room:2","value":"bright"}\n')
        code, shown = self.on_terminal("scan")
        self.assertEqual((code, shown), (0, 'roof    3\nroom:1  {"on":true}\nroom:2  "bright"\n'))

    def test_more_than_a_page(self):
        self.serve()
        lines = "".join(f'{{"key":"{n:05}","value":{n}}}\n' for n in range(10500))
        self.assert_done(self.zatt("import", stdin=lines), "10500 keys set\n")
        self.assert_done(self.zatt("export"), lines)
        self.assertEqual(self.zatt("ls").out, "".join(f"{n:05}\n" for n in range(10500)))
        self.assertEqual(self.zatt("ls", "-n", "10001").out.count("\n"), 10001)
        self.assert_done(self.zatt("count"), "10500\n")

    def test_json_is_the_protocols(self):
        self.serve()
        table = [
            (("set", "k", "1"), 0, {"ok", "rev"}), (("get", "k"), 0, {"ok", "found", "value", "rev"}),
            (("get", "none"), 1, {"ok", "found"}), (("incr", "k"), 0, {"ok", "value", "rev"}),
            (("count",), 0, {"ok", "count", "at"}), (("del", "none"), 1, {"ok", "found"}),
            (("set", "k", "1", "--if-absent"), 1, {"ok", "error", "message", "found", "value", "rev"}),
        ]
        for command, code, fields in table:
            with self.subTest(command):
                done = self.zatt(*command, "--json")
                self.assertEqual(done.code, code, done)
                self.assertEqual(done.out.count("\n"), 1)
                self.assertEqual(set(json.loads(done.out)), fields)
        done = self.zatt("get", "k", "--json", "--servers", f"{HOST}:1")
        self.assertEqual(done.code, 3)
        self.assertEqual(json.loads(done.out)["error"], "no_server")

    def test_stale_reads_need_no_leader(self):
        cluster = self.serve(3)
        self.assert_done(self.zatt("set", "k", "1"))
        cluster.wait_level()
        for node in cluster.nodes[1:]:
            node.kill()
        self.ask(cluster.nodes[:1])
        cluster[0].wait_status(lambda status: status["leader"] is None, "it knows no leader")
        self.assert_done(self.zatt("get", "k", "--stale"), "1\n")
        self.assert_done(self.zatt("ls", "--stale"), "k\n")
        self.assert_done(self.zatt("scan", "--stale"), "k\t1\n")
        self.assert_done(self.zatt("count", "--stale"), "1\n")
        self.assert_done(self.zatt("export", "--stale"), '{"key":"k","value":1}\n')

    def test_members_and_wait(self):
        cluster = self.serve(3)
        leader = cluster.wait_leader()
        self.assert_done(self.zatt("members"), "".join(
            f"{node.id}  {HOST}:{node.port}  {'leader' if node is leader else 'voter'}\n"
            for node in cluster))
        rows = [json.loads(line) for line in self.zatt("members", "--json").out.splitlines()]
        self.assertEqual([row["id"] for row in rows], ["0", "1", "2"])
        self.assertEqual(sum(row["leader"] for row in rows), 1)
        self.assert_done(self.zatt("wait"), "")
        self.assertEqual(json.loads(self.zatt("wait", "--json").out)["leader"], leader.id)
        cluster.kill()
        waiting = self.start_zatt("wait", "--timeout", "60")
        self.assert_fails(self.zatt("wait", "-t", "0.3"), 3, "no_server: no server answered: ")
        cluster.start()
        self.assertEqual(waiting.wait(60), 0)
        self.assertEqual((waiting.stdout.read(), waiting.stderr.read()), (b"", b""))
        waiting.stdout.close()
        waiting.stderr.close()


class OddKeys(CliTest):
    keys = ["", " ", "a b", "a\nb", "a\tb", '"quoted"', "'", "-x", "--", "-1", "é€😀", "\x7f", "\x9b",
            "\x1b[2J", "\\", "$HOME `x` *", "\x00", "nul\x00nul", "@x", "k=v:w", "z" * 4096]
    values = ["null", "true", "-0.0", "1e400", '"\\ud83d\\ude00"', '"😀"', "[]", "{}", '{"a":1,"a":2}',
              "[" * 128 + "]" * 128, '"' + "x" * 100000 + '"', '"\\u0000"', "123456789012345678901234567890"]

    def test_keys_as_operands(self):
        self.serve()
        for key in self.keys:
            if "\x00" in key:
                continue
            with self.subTest(key):
                self.assert_done(self.zatt("set", "--", key, "1"))
                self.assert_done(self.zatt("get", "--", key), "1\n")
                self.assert_done(self.zatt("incr", "--", key, "-2"), "-1\n")
                listed = self.zatt("ls", "--", key).out.splitlines()[0]
                self.assertTrue(listed.isprintable(), listed)
                if listed[:1] == '"':
                    self.assertEqual(json.loads(listed), key)
                else:
                    self.assertEqual(listed, key)
                self.assert_done(self.zatt("del", "--", key))

    def test_export_and_import_are_a_round_trip(self):
        self.serve()
        pairs = [(key, self.values[n % len(self.values)]) for n, key in enumerate(self.keys)]
        pairs += [(f"value {n}", value) for n, value in enumerate(self.values)]
        lines = "".join(f'{{"key":{json.dumps(key)},"value":{value}}}\n' for key, value in pairs)
        self.assert_done(self.zatt("import", stdin=lines), f"{len(pairs)} keys set\n")
        exported = self.assert_done(self.zatt("export")).out
        got = {}
        for line in exported.splitlines():
            found = re.fullmatch(r'\{"key":("(?:[^"\\]|\\.)*"),"value":(.*)\}', line)
            got[json.loads(found.group(1))] = found.group(2)
        self.assertEqual(got, dict(pairs))
        self.serve()
        self.assert_done(self.zatt("import", "-", stdin=exported), f"{len(pairs)} keys set\n")
        self.assert_done(self.zatt("export"), exported)
        scanned = self.zatt("scan", "--json").out
        self.assert_done(self.zatt("import", stdin=scanned), f"{len(pairs)} keys set\n")
        self.assert_done(self.zatt("export"), exported)


class Import(CliTest):
    def test_it_stops_at_a_bad_line_and_says_how_far_it_came(self):
        self.serve()
        good = "".join(f'{{"key":"k{n}","value":{n}}}\n' for n in range(20))
        table = [("x", "not a JSON object"), ('{"key":"k"}', 'it has no "value"'),
                 ('{"key":1,"value":2}', 'its "key" is not a string'),
                 ('{"key":"k","value":{a}}', "not JSON: byte 21: a name in double quotes expected"),
                 ('{"key":"k","value":1,"ttl":3}', 'unknown field "ttl"')]
        for line, why in table:
            with self.subTest(line):
                done = self.zatt("import", stdin=good + "\n" + line + "\n" + good.replace("k", "after"))
                self.assertEqual((done.code, done.out), (2, ""), done)
                self.assertRegex(done.err, rf"^zatt: line 22: {re.escape(why)}.*\n"
                                 r"zatt: up to line 20: 20 keys set; nothing after it was sent\n$")
                self.assert_done(self.zatt("count"), "20\n")
        done = self.zatt("import", stdin="x")
        self.assertEqual((done.code, done.err.splitlines()[1]), (2, "zatt: nothing was set"))
        self.assert_fails(self.zatt("import", "missing"), 2, "missing: No such file")
        self.assert_fails(self.zatt("import", "."), 2, "the input could not be read: Is a directory",
                          out="0 keys set\n")

    def test_keys_that_are_there_may_stay(self):
        self.serve()
        (self.folder / "in").write_text('{"key":"a","value":1}\n{"key":"b","value":2}')
        self.assert_done(self.zatt("set", "b", "old"))
        self.assert_done(self.zatt("import", "in", "--if-absent"), "1 key set, 1 kept as they were\n")
        self.assert_done(self.zatt("get", "b"), '"old"\n')
        self.assert_done(self.zatt("import", "in", "--json"),
                         '{"set":2,"kept":0,"not_done":0,"unknown":0}\n')
        self.assert_done(self.zatt("get", "b"), "2\n")

    def test_what_a_server_refuses_is_named(self):
        self.serve()
        lines = ['{"key":"a","value":1}', f'{{"key":"{"k" * 5000}","value":1}}', '{"key":"c","value":1}']
        done = self.zatt("import", stdin="\n".join(lines))
        self.assertEqual(done.code, 5, done)
        self.assertRegex(done.err, r"^zatt: line 2: too_large: .*\nzatt: up to line 3: 2 keys set, 1 not "
                         r"set; nothing after it was sent\n$")

    def test_a_bar_for_a_person(self):
        self.serve()
        (self.folder / "in").write_text("".join(f'{{"key":"{n}","value":{n}}}\n' for n in range(20000)))
        code, shown = self.on_terminal("import", "in")
        self.assertEqual(code, 0, shown)
        self.assertRegex(shown, r"\r\[#*\.*\] +\d+%  imported \d+\x1b\[K")
        self.assertTrue(shown.endswith("\r\x1b[K20000 keys set\n"), shown[-200:])
        code, shown = self.on_terminal("export", all_fds=False)
        self.assertEqual(code, 0, shown)
        self.assertRegex(shown, r"\r\[#*\.*\] +\d+%  exported \d+\x1b\[K")


class Raw(CliTest):
    def test_lines_in_and_replies_out(self):
        self.serve()
        lines = ['{"op":"ping","id":1}', "", '{"op":"set","key":"k","value":[1, 2]}', "\r",
                 '{"op":"get","key":"k","id":"x"}\r', "nonsense", '{"op":"get","key":"none"}']
        done = self.zatt("raw", stdin="\n".join(lines))
        self.assertEqual((done.code, done.err), (5, ""), done)
        replies = [json.loads(line) for line in done.out.splitlines()]
        self.assertEqual(len(replies), 5)
        self.assertEqual(replies[0], {"ok": True, "id": 1})
        self.assertEqual(replies[2]["value"], [1, 2])
        self.assertEqual(replies[3]["error"], "bad_request")
        self.assertEqual(replies[4], {"ok": True, "found": False})

    def test_the_exit_code_is_the_highest_of_the_replies(self):
        self.serve()
        condition = '{"op":"set","key":"k","value":1,"if":{"rev":999}}\n'
        self.assertEqual(self.zatt("raw", stdin='{"op":"ping"}\n').code, 0)
        self.assertEqual(self.zatt("raw", stdin='{"op":"get","key":"none"}\n').code, 0)
        self.assertEqual(self.zatt("raw", stdin=condition).code, 1)
        self.assertEqual(self.zatt("raw", stdin=condition + "x\n" + condition).code, 5)
        self.assertEqual(self.zatt("raw", stdin="").code, 0)

    def test_many_lines_keep_their_order(self):
        self.serve(3)
        count = 30000
        lines = "".join(f'{{"op":"incr","key":"n","id":{n}}}\n' for n in range(count))
        done = self.assert_done(self.zatt("raw", stdin=lines, timeout_s=120))
        self.assertEqual([(reply["id"], reply["value"]) for reply in map(json.loads, done.out.splitlines())],
                         [(n, n + 1) for n in range(count)])

    def test_a_coprocess_is_answered_line_by_line(self):
        self.serve()
        process = self.start_zatt("raw", stdin=subprocess.PIPE)
        for n in range(50):
            process.stdin.write(b'{"op":"incr","key":"n"}\n')
            process.stdin.flush()
            self.assertEqual(json.loads(process.stdout.readline())["value"], n + 1)
        process.stdin.close()
        self.assertEqual(process.wait(20), 0)
        process.stdout.close()
        process.stderr.close()

    def test_a_reader_that_is_slow_does_not_cost_memory(self):
        self.serve()
        self.assert_done(self.zatt("set", "k", "-", stdin="x" * 100000))
        read_fd, write_fd = os.pipe()
        lines = self.folder / "lines"
        lines.write_text('{"op":"get","key":"k"}\n' * 3000)
        with open(lines, "rb") as stdin:
            process = subprocess.Popen([str(ZATT), "raw"], env=self.environment(), stdin=stdin,
                                       stdout=write_fd, preexec_fn=own_signals)
        os.close(write_fd)
        status = pathlib.Path(f"/proc/{process.pid}/status")
        with open(read_fd, "rb") as out:
            wait_for(lambda: bytes_in(read_fd) > 60000 and re.search(r"State:\s+S", status.read_text()),
                     "the pipe is full, and it waits for its reader")
            first = out.readline()
            peak = int(re.search(r"VmHWM:\s+(\d+)", status.read_text()).group(1))
            rest = sum(1 for _ in out)
        self.assertEqual((json.loads(first)["found"], rest, process.wait(20)), (True, 2999, 0))
        self.note(f"300 MB of replies to a slow reader: at most {peak // 1024} MiB in between")

    def test_a_line_that_is_too_long_is_one_line(self):
        self.serve()
        long = '{"op":"get","key":"' + "x" * (20 << 20) + '"}\n'
        done = self.zatt("raw", stdin='{"op":"ping"}\n' + long + '{"op":"ping","id":2}\n')
        replies = [json.loads(line) for line in done.out.splitlines()]
        self.assertEqual((done.code, [reply["ok"] for reply in replies]), (5, [True, False, True]), done.err)
        self.assertEqual(replies[1]["error"], "too_large")


class Text(CliTest):
    """What it says without a server, and what others say of it."""

    def test_usage(self):
        table = [(("gett", "k"), 'unknown verb "gett"; did you mean get'),
                 (("get",), "get needs KEY"),
                 (("count", "a", "b"), 'count takes \\[PREFIX\\]: "b" is one too many'),
                 (("get", "-x"), 'unknown option "-x"'), (("get", "k", "--jsn"), "unknown option.*did you mean --json"),
                 (("get", "k", "--if-absent"), "get takes no --if-absent"),
                 (("get", "k", "-t", "0"), "-t is a number of seconds"),
                 (("incr", "k", "x"), "BY must be a 64-bit integer"), (("help", "gte"), "unknown verb.*did you mean get"),
                 (("get", b"caf\xe9"), "operand 1 of get is not UTF-8 text"),
                 (("get", "k", "-s", "a:b"), '"a:b" is not a server'), (("status", "-s", "a:b"), '"a:b"'),
                 (("get", "k", "--servers", ""), '"" is not a server')]
        for arguments, why in table:
            with self.subTest(arguments):
                self.assert_fails(self.run_command([str(ZATT), *arguments]), 2, why)
        self.assert_fails(self.zatt("get", "k", env={"ZATT_SERVERS": "a:b"}), 2, '"a:b" is not a server')

    def test_help_and_version(self):
        text = self.assert_done(self.zatt("help")).out
        self.assertEqual(self.assert_done(self.zatt("--help")).out, text)
        for verb in (*VERBS, "-"):
            self.assertRegex(text, rf"\n  {verb} ")
            of_verb = self.assert_done(self.zatt("help", verb)).out
            self.assertTrue(of_verb.startswith(f"zatt {verb}"))
            self.assert_done(self.zatt(verb, "--help"), text if verb == "help" else of_verb)
        self.assertRegex(self.assert_done(self.zatt("--version")).out, r"^zatt \d+\.\d+\.\d+\n$")

    def examples(self, verb):
        """The lines of its help that are commands, without their comments."""
        for line in self.zatt("help", verb).out.splitlines():
            if line.startswith("    ") and "zatt" in line:
                yield re.sub(r"  +# .*", "", line.strip())

    def test_the_examples_of_help_run(self):
        self.serve()
        (self.folder / "conf.json").write_text('{"a": 1}\n')
        outputs = {}
        for verb in (*VERBS, "-"):
            with self.subTest(verb):
                self.shell("zatt ls | xargs -d '\\n' -r zatt del --")
                script = "\n".join(self.examples(verb))
                self.assertIn(f"zatt {verb}", script)
                done = self.shell("set -e\n" + script)
                self.assertEqual((done.code, done.err), (0, ""), f"{script}\n{done}")
                outputs[verb] = done.out
        self.assertTrue(outputs["get"].startswith('"Hello, world"\nHello, world\n{"ok":true'))
        self.assertTrue(outputs["get"].endswith("there is none\n"), outputs["get"])
        self.assertEqual(outputs["incr"], "1\n11\n10\n")
        self.assertEqual(outputs["import"], "1 key set\n0 keys set, 1 kept as they were\n1 key set\n")

    def test_the_manual_names_every_verb_and_option(self):
        manual = (ROOT / "docs/man/zatt.1").read_text()
        options = set(re.findall(r"--[a-z-]+", "".join(self.zatt("help", verb).out for verb in (*VERBS, "-"))))
        options |= set(re.findall(r"--[a-z-]+", self.zatt("help").out))
        for option in options:
            self.assertIn(f"Fl Fl {option[2:]}", manual)
        for verb in VERBS:
            self.assertRegex(manual, rf"\.(It )?Cm {verb}\b")
        self.assertIn("It Cm \\- ", manual)

    def test_descriptors_that_are_closed(self):
        self.serve()
        self.assertEqual(self.shell("zatt set k 1 <&- >&- 2>&-").code, 0)
        done = self.shell("zatt get k >&-")
        self.assertEqual((done.code, done.err), (6, "zatt: the output could not be written: Bad file descriptor\n"))
        self.assert_done(self.shell("zatt get k 2>&- <&-"), "1\n")
