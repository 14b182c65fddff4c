# SPDX-License-Identifier: AGPL-3.0-or-later
"""The protocol as it looks from the other end of a socket."""

import json
import random
import shutil
import socket
import subprocess

from harness import HOST, Client, ClusterTest
from load import Load

DEEP_128 = "[" * 128 + "]" * 128
DEEP_129 = "[" * 129 + "]" * 129

# line, error code (None: it is taken), and what the message must name
STRICT = [
    # JSON itself
    ('{"op":"ping"', "bad_request", None),
    ('{"op":"ping"}}', "bad_request", None),
    ('{"op":"ping"}{"op":"ping"}', "bad_request", None),
    ('{"op":"ping"} x', "bad_request", None),
    ('{"op":"ping",}', "bad_request", None),
    ("{'op':'ping'}", "bad_request", "byte 2"),
    ("{op:ping}", "bad_request", "byte 2: a name in double quotes expected; the shell may have taken"),
    ("[]", "bad_request", None),
    ('"ping"', "bad_request", None),
    ("null", "bad_request", None),
    ("ping", "bad_request", None),
    ('\ufeff{"op":"ping"}', "bad_request", None),
    ('{"op":"set","key":"k","value":[1,,2]}', "bad_request", None),
    ('{"op":"set","key":"k","value":truu}', "bad_request", None),
    ('{"op":"set","key":"k","value":01}', "bad_request", None),
    ('{"op":"set","key":"k","value":1.}', "bad_request", None),
    ('{"op":"set","key":"k","value":+1}', "bad_request", None),
    ('{"op":"set","key":"k","value":.5}', "bad_request", None),
    ('{"op":"set","key":"k","value":NaN}', "bad_request", None),
    ('{"op":"set","key":"k","value":"\\x"}', "bad_request", None),
    ('{"op":"set","key":"k","value":"\\ud800"}', "bad_request", None),
    ('{"op":"set","key":"k","value":"\\udc00"}', "bad_request", None),
    ('{"op":"set","key":"k","value":{"\\ud800":1}}', "bad_request", None),
    ('{"op":"set","key":"\\ud800\\u0041","value":1}', "bad_request", None),
    ('{"op":"set","key":"k","value":"a\tb"}', "bad_request", None),
    ('{"op":"set","key":"k","value":' + DEEP_129 + "}", "bad_request", "12[89]|deep|nest"),
    (b'{"op":"set","key":"k","value":"\xff"}', "bad_request", None),
    (b'{"op":"set","key":"k","value":"\xc0\x80"}', "bad_request", None),
    (b'{"op":"set","key":"k","value":"\xed\xa0\x80"}', "bad_request", None),
    (b'{"op":"set","key":"k","value":1}\x00', "bad_request", None),
    # the request's fields
    ("{}", "bad_request", "op"),
    ('{"key":"k"}', "bad_request", "op"),
    ('{"op":1}', "bad_request", "op"),
    ('{"op":"gte","key":"k"}', "bad_request", 'unknown op "gte"; did you mean "get"\\?'),
    ('{"op":"watch","key":"k"}', "bad_request", "watch is not served by this version"),
    ('{"op":"txn"}', "bad_request", "txn is not served by this version"),
    ('{"op":"open_session"}', "bad_request", "open_session is not served by this version"),
    ('{"op":"add_member"}', "bad_request", "add_member is not served by this version"),
    ('{"op":"get"}', "bad_request", "key"),
    ('{"op":"get","key":1}', "bad_request", "key"),
    ('{"op":"get","key":null}', "bad_request", "key"),
    ('{"op":"get","key":"k","key":"k"}', "bad_request", "key"),
    ('{"op":"get","op":"get","key":"k"}', "bad_request", "op"),
    ('{"op":"get","key":"k","value":1}', "bad_request", "value"),
    ('{"op":"get","key":"k","kee":1}', "bad_request", "kee"),
    ('{"op":"get","key":"k","stale":1}', "bad_request", "stale"),
    ('{"op":"set","key":"k"}', "bad_request", "value"),
    ('{"op":"set","value":1}', "bad_request", "key"),
    ('{"op":"set","key":"k","value":1,"stale":true}', "bad_request", "stale"),
    ('{"op":"ping","timeout_ms":0}', "bad_request", "timeout_ms"),
    ('{"op":"ping","timeout_ms":600001}', "bad_request", "timeout_ms"),
    ('{"op":"ping","timeout_ms":1.5}', "bad_request", "timeout_ms"),
    ('{"op":"ping","timeout_ms":"1"}', "bad_request", "timeout_ms"),
    ('{"op":"ping","id":1.5}', "bad_request", "id"),
    ('{"op":"ping","id":null}', "bad_request", "id"),
    ('{"op":"ping","id":[]}', "bad_request", "id"),
    ('{"op":"ping","id":"' + "x" * 257 + '"}', "bad_request", "id"),
    ('{"op":"scan","limit":0}', "bad_request", "limit"),
    ('{"op":"scan","limit":10001}', "bad_request", "limit"),
    ('{"op":"scan","keys_only":1}', "bad_request", "keys_only"),
    ('{"op":"scan","prefix":1}', "bad_request", "prefix"),
    ('{"op":"scan","after":1}', "bad_request", "after"),
    ('{"op":"incr","key":"n","by":1.0}', "bad_request", "by"),
    ('{"op":"incr","key":"n","by":9223372036854775808}', "bad_request", "by"),
    ('{"op":"incr","key":"n","by":"1"}', "bad_request", "by"),
    ('{"op":"set","key":"k","value":1,"if":{}}', "bad_request", "if"),
    ('{"op":"set","key":"k","value":1,"if":1}', "bad_request", "if"),
    ('{"op":"set","key":"k","value":1,"if":{"exists":1}}', "bad_request", "exists"),
    ('{"op":"set","key":"k","value":1,"if":{"rev":-1}}', "bad_request", "rev"),
    ('{"op":"set","key":"k","value":1,"if":{"rev":1,"exists":true}}', "bad_request", "if"),
    ('{"op":"get","key":"k","if":{"rev":1}}', "bad_request", "if"),
    ('{"op":"get","key":"' + "k" * 4097 + '"}', "too_large", "key"),
    # what is taken
    ('{"op":"ping"}\r', None, None),
    (' { "op" : "ping" } ', None, None),
    ('{"op":"ping","id":"x"}', None, None),
    ('{"op":"ping","id":-9223372036854775808}', None, None),
    ('{"op":"ping","timeout_ms":600000}', None, None),
    ('{"op":"get","key":""}', None, None),
    ('{"op":"get","key":"' + "k" * 4096 + '"}', None, None),
    ('{"op":"set","key":"taken","value":' + DEEP_128 + "}", None, None),
    ('{"op":"set","key":"taken","value":1e400}', None, None),
    ('{"op":"set","key":"taken","value":{"a":1,"a":2}}', None, None),
    ('{"op":"set","key":"taken","value":"\\ud83d\\ude00"}', None, None),
    ('{"op":"scan","limit":10000}', None, None),
    ('{"op":"incr","key":"counter","by":-9223372036854775808}', None, None),
]


class Protocol(ClusterTest):
    def setUp(self):
        self.nodes = self.cluster().start()
        self.leader = self.nodes.wait_leader()
        self.follower = self.nodes.followers()[0]

    def test_each_operation(self):
        for node in (self.leader, self.follower):
            with self.subTest(node.status()["role"]), node.client() as client:
                self.operations(client)

    def operations(self, client):
        def ask(line):
            client.send(line + "\n")
            return client.receive_line()

        def rev_of(text):
            return json.loads(text)["rev"]
        self.assertEqual(ask('{"op":"ping"}'), '{"ok":true}')
        self.assertEqual(ask('{"op":"ping","id":"a\\u00e9"}'), '{"ok":true,"id":"a\\u00e9"}')
        self.assertEqual(ask('{"op":"get","key":"none"}'), '{"ok":true,"found":false}')
        rev = rev_of(ask('{"op":"set","key":"op/a","value":[ 1.0, {"x" : -0} ],"id":7}'))
        self.assertEqual(ask('{"id":7,"key":"op/a","op":"get"}'),
                         f'{{"ok":true,"id":7,"found":true,"value":[1.0,{{"x":-0}}],"rev":{rev}}}')
        refused = json.loads(ask('{"op":"set","key":"op/a","value":2,"if":{"exists":false}}'))
        self.assert_error(refused, "condition_failed")
        self.assertEqual((refused["found"], refused["value"], refused["rev"]), (True, [1.0, {"x": -0}], rev))
        self.assert_error(json.loads(ask('{"op":"delete","key":"none","if":{"exists":true}}')),
                          "condition_failed")
        later = rev_of(ask(f'{{"op":"set","key":"op/a","value":2,"if":{{"rev":{rev}}}}}'))
        self.assertGreater(later, rev)
        self.assert_ok(json.loads(ask('{"op":"set","key":"op/b","value":"x","if":{"rev":0}}')))
        self.assert_ok(json.loads(ask('{"op":"set","key":"op/b","value":"y","if":{"value":"x"}}')))
        self.assertEqual(json.loads(ask('{"op":"count","prefix":"op/"}'))["count"], 2)
        page = json.loads(ask('{"op":"scan","prefix":"op/","limit":1}'))
        self.assertEqual((page["items"], page["more"]), ([{"key": "op/a", "value": 2, "rev": later}], True))
        page = json.loads(ask('{"op":"scan","prefix":"op/","after":"op/a","keys_only":true}'))
        self.assertEqual([item["key"] for item in page["items"]], ["op/b"])
        self.assertNotIn("value", page["items"][0])
        self.assertFalse(page["more"])
        self.assertEqual(json.loads(ask('{"op":"incr","key":"op/n"}'))["value"], 1)
        self.assertEqual(json.loads(ask('{"op":"incr","key":"op/n","by":-3}'))["value"], -2)
        self.assert_error(json.loads(ask('{"op":"incr","key":"op/b"}')), "condition_failed")
        self.assertTrue(json.loads(ask('{"op":"get","key":"op/a","stale":true}'))["stale"])
        for key in ("op/a", "op/b", "op/n"):
            self.assertTrue(json.loads(ask(f'{{"op":"delete","key":"{key}"}}'))["found"])
        self.assertEqual(ask('{"op":"delete","key":"op/a"}'), '{"ok":true,"found":false}')
        status = json.loads(ask('{"op":"status"}'))
        for field in ("node", "role", "term", "leader", "commit", "applied", "last", "snapshot",
                      "members", "keys", "version", "uptime_s", "cluster"):
            self.assertIn(field, status)
        self.assertEqual(sorted(status["members"]), ["0", "1", "2"])
        self.assertTrue(all(member["voter"] for member in status["members"].values()))

    def test_strictness(self):
        for node in (self.leader, self.follower):
            before = node.request({"op": "count"})
            with node.client() as client:
                for line, code, message in STRICT:
                    shown = line if len(line) < 100 else line[:97] if isinstance(line, bytes) else line[:97] + "..."
                    with self.subTest(shown):
                        raw = line if isinstance(line, bytes) else line.encode()
                        client.send(raw + b"\n")
                        reply = client.receive()
                        if code is None:
                            self.assert_ok(reply)
                        else:
                            self.assert_error(reply, code, message)
                            self.assertTrue(reply["message"])
                        # The connection goes on with the next line.
                        self.assertEqual(client.request({"op": "ping", "id": 5}), {"ok": True, "id": 5})
                client.request({"op": "delete", "key": "taken"})
                client.request({"op": "delete", "key": "counter"})
                self.assertEqual(client.request({"op": "count"})["count"], before["count"])
                self.assertFalse(client.request({"op": "get", "key": "k"})["found"])

    def test_a_line_over_the_limit_is_skipped(self):
        limit = (1 << 20) + (64 << 10)
        head = '{"op":"set","key":"big","value":"'
        for size, code in ((limit, None), (limit + 1, "too_large"), (5 * limit, "too_large")):
            with self.subTest(size), self.follower.client() as client:
                client.send(head + "x" * (size - len(head) - 2) + '"}\n' + '{"op":"ping","id":9}\n')
                reply = client.receive()
                if code:
                    self.assert_error(reply, code, rf"up to {limit} bytes long here; max_request_bytes in")
                else:
                    self.assert_ok(reply)
                self.assertEqual(client.receive(), {"ok": True, "id": 9})

    def test_a_value_of_a_mebibyte_fits_with_its_key(self):
        value = json.dumps("x" * ((1 << 20) - 2))
        self.assertEqual(len(value), 1 << 20)
        key = "\\u0001" * 4096  # of the longest, written as long as can be
        with self.follower.client() as client:
            client.send(f'{{"op":"set","key":"{key}","value":{value},"id":"{"i" * 256}","timeout_ms":600000}}\n')
            self.assert_ok(client.receive())
            client.send(f'{{"op":"get","key":"{key}"}}\n')
            self.assertEqual(len(client.receive()["value"]), (1 << 20) - 2)
            client.send(f'{{"op":"delete","key":"{key}"}}\n')
            self.assert_ok(client.receive())

    def test_pipelined_replies_in_order(self):
        for node in (self.leader, self.follower):
            with self.subTest(node.status()["role"]), node.client() as client:
                lines = []
                for n in range(1000):
                    lines.append({"op": "set", "key": f"p{n % 10}", "value": n, "id": 3 * n})
                    lines.append({"op": "get", "key": f"p{n % 10}", "id": 3 * n + 1})
                    lines.append({"op": "nonsense", "id": 3 * n + 2})
                client.send("".join(json.dumps(line) + "\n" for line in lines))
                for line in lines:
                    reply = client.receive()
                    self.assertEqual(reply["id"], line["id"])
                    if line["op"] == "get":
                        # A read sees the writes before it, and none behind it.
                        self.assertEqual(reply["value"], line["id"] // 3)
                    elif line["op"] == "nonsense":
                        self.assert_error(reply, "bad_request")
                    else:
                        self.assert_ok(reply)

    def test_byte_by_byte(self):
        with self.follower.client() as client:
            for byte in b'{"op":"set","key":"slow","value":[1,2]}\r\n\n\r\n{"op":"get","key":"slow"}\n':
                client.send(bytes([byte]))
            rev = self.assert_ok(client.receive())["rev"]
            self.assertEqual(client.receive(), {"ok": True, "found": True, "value": [1, 2], "rev": rev})

    def test_half_closed(self):
        for ending in ("\n", ""):
            with self.subTest(repr(ending)), self.follower.client() as client:
                client.send('{"op":"set","key":"half","value":1}\n{"op":"get","key":"half"}' + ending)
                client.half_close()
                replies = client.rest().decode().splitlines()
                self.assertEqual(len(replies), 2, replies)
                self.assertEqual(json.loads(replies[1])["value"], 1)

    def test_a_client_that_leaves_at_once(self):
        """What it sent whole may take effect; the node takes no harm."""
        for n in range(50):
            client = self.follower.client()
            client.send({"op": "set", "key": f"gone-{n}", "value": n})
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
        self.assert_ok(self.follower.request({"op": "count", "prefix": "gone-"}))
        self.assertTrue(self.follower.is_running())

    def test_a_value_keeps_its_text(self):
        texts = ["1.0", "-0", "1e5", "1E+400", str(2**100), '"\\u00e9"', '"é"', '{"b":1,"a":2,"b":3}',
                 '[[],{},null,true,false]', '"\\/\\b\\f\\n\\r\\t\\"\\\\"', '"😀"']
        with self.leader.client() as client:
            for text in texts:
                with self.subTest(text):
                    client.send(f'{{"op":"set","key":"text","value":{text}}}\n')
                    rev = client.receive()["rev"]
                    client.send('{"op":"get","key":"text"}\n')
                    self.assertEqual(client.receive_line(),
                                     f'{{"ok":true,"found":true,"value":{text},"rev":{rev}}}')

    def test_scan_pages_end_before_a_mebibyte(self):
        with self.leader.client() as client:
            for n in range(5):
                self.assert_ok(client.request({"op": "set", "key": f"page-{n}", "value": "v" * 400_000}))
            client.send({"op": "scan", "prefix": "page-"})
            line = client.receive_line()
            self.assertLessEqual(len(line), 1 << 20)
            page = json.loads(line)
            self.assertEqual(([item["key"] for item in page["items"]], page["more"]),
                             (["page-0", "page-1"], True))


class Garbage(ClusterTest):
    def test_nothing_that_arrives_does_harm(self):
        rounds = 40
        chance = random.Random(5254)
        cluster = self.cluster().start()
        cluster.wait_leader()
        pids = [node.pid for node in cluster]
        with Load([node.port for node in cluster], writers=2, pause_s=0.002) as load:
            load.wait_acks(20)
            for n in range(rounds):
                node = cluster[n % 3]
                for junk in self.junk(chance):
                    self.throw(node, junk)
            load.wait_acks(20)
        self.assertEqual(load.refused, {})
        self.assertEqual(load.unknown, {})
        self.assertEqual([node.pid for node in cluster if node.is_running()], pids)
        for node in cluster:
            load.check(self, node)
            self.assertEqual(sorted(node.status()["members"]), ["0", "1", "2"])
            # People read this log: junk must not flood it.
            self.assertLess(len(node.log()), 200_000)

    @staticmethod
    def junk(chance):
        yield chance.randbytes(chance.randrange(1, 5000))
        yield bytes(chance.randrange(1, 5000))
        yield b"{" * 3000 + b"\n" + b"[" * 3000 + b"\n"
        yield chance.randbytes(200).replace(b"\n", b"x") + b'\n{"op":"ping"}\n'
        request = bytearray(b'{"op":"set","key":"ab","value":{"x":[1,2,"\\u00e9"]},"id":1}\n')
        request[chance.randrange(len(request) - 1)] = chance.randrange(256)
        request = bytes(request)
        # A changed key would be a write of its own.
        yield request.replace(b'"set"', b'"sat"')
        yield b"zatt" + chance.randbytes(300)

    @staticmethod
    def throw(node, junk):
        with Client(node.port) as client:
            try:
                client.send(junk)
                client.half_close()
                client.rest()
            except ConnectionError:
                pass  # closed on us: its right

    def test_peer_frames_that_lie(self):
        """The beginning of a real peer's connection, then anything."""
        cluster = self.cluster().start()
        cluster.wait_leader()
        listener = socket.socket()
        chance = random.Random(5255)
        # What a node says when it dials: heard in the place of a member that is down, the highest,
        # which all others dial.
        down = cluster[2]
        down.kill()
        cluster.wait_leader()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, down.port))
        listener.listen()
        listener.settimeout(15)
        peer, _ = listener.accept()
        peer.settimeout(15)
        hello = b""
        while len(hello) < 40:
            hello += peer.recv(65536)
        peer.close()
        listener.close()
        target = cluster.running()[0]
        with Load([node.port for node in cluster.running()], writers=1, pause_s=0.002) as load:
            load.wait_acks(10)
            for n in range(150):
                bad = bytearray(hello + chance.randbytes(chance.randrange(0, 400)))
                if n % 2:
                    bad[chance.randrange(len(bad))] ^= 1 << chance.randrange(8)
                self.throw(target, bytes(bad))
            load.wait_acks(10)
        self.assertTrue(all(node.is_running() for node in cluster if node is not down))
        down.start()
        down.wait_up()
        cluster.wait_level()
        for node in cluster:
            load.check(self, node)

    def test_other_protocols_read_an_example_and_are_closed(self):
        cluster = self.cluster(size=1).start()
        cluster.wait_serving()
        tls_hello = bytes.fromhex("16030100a5010000a10303") + bytes(range(150))
        sentence = rb'this port takes JSON objects, one a line, such as {"op":"get","key":"key1"}; see docs/.*'
        http = rb"HTTP/1\.0 400 Bad Request\r\n([A-Z].*\r\n)+\r\n" + sentence + rb"\n"
        a_write = b'{"op":"set","key":"smuggled","value":1}\n'
        before = cluster[0].log()
        keys = cluster[0].request({"op": "count"})["count"]
        for name, junk, want in (
                ("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", http),
                ("HTTP", b"POST /v1/kv HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n" + a_write, http),
                ("RESP", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n1\r\n" + a_write, b"-ERR " + sentence + b"\r\n"),
                ("TLS", tls_hello + a_write, rb'\{"ok":false,"error":"bad_request","message":"this port takes .*"\}\n')):
            with self.subTest(name), cluster[0].client() as client:
                client.send(junk)
                try:
                    answer = client.rest()
                except ConnectionResetError:
                    answer = client.buffer
                self.assertRegex(answer, rb"\A" + want + rb"\Z")
        for word in ("hello", "help", "?", "PING", "get key1"):
            with self.subTest(word), cluster[0].client() as client:
                client.send(word + "\n")
                reply = client.receive()
                self.assert_error(reply, "bad_request", sentence.decode())
                self.assert_ok(client.request({"op": "ping"}))
        self.assertEqual(cluster[0].request({"op": "count"})["count"], keys)
        self.assertEqual(cluster[0].log(), before)  # worth no line

    def test_tools_of_other_servers_show_it(self):
        cluster = self.cluster(size=1).start()
        cluster.wait_serving()
        for command in (["curl", "-sS", f"http://{HOST}:{cluster[0].port}/v1/keys"],
                        ["redis-cli", "-h", HOST, "-p", str(cluster[0].port), "get", "key1"]):
            if not shutil.which(command[0]):
                self.note(f"no {command[0]} here")
                continue
            with self.subTest(command[0]):
                done = subprocess.run(command, capture_output=True, text=True, timeout=15, check=False)
                self.assertIn('such as {"op":"get","key":"key1"}', done.stdout + done.stderr)
