# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files of a stopped node, spoiled as disks, people and other programs do: nothing is believed that isn't so."""

import json
import os
import shutil

from harness import SOAK, ClusterTest, free_port

KEYS = 200
VALUE = "x" * 3000


def segments(folder):
    return sorted(folder.glob("*.seg"))


def overwrite(path, offset, data):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data[:max(0, path.stat().st_size - offset)])


# What is done to a file: its name and the deed. `other` is another file of the directory.
DAMAGES = {
    "emptied": lambda path, other: os.truncate(path, 0),
    "zeroed": lambda path, other: overwrite(path, 0, bytes(path.stat().st_size)),
    "overwritten by noise": lambda path, other: overwrite(path, 0, os.urandom(path.stat().st_size)),
    "overwritten by another": lambda path, other: shutil.copyfile(other, path),
    "cut": lambda path, other: os.truncate(path, 5000),
    "zeroed from its records on":
        lambda path, other: overwrite(path, 4096, bytes(path.stat().st_size)),
    "with a hole": lambda path, other: overwrite(path, 4096, bytes(4096)),
    "removed": lambda path, other: path.unlink(),
}


class Damage(ClusterTest):
    def fill(self, node):
        with node.client() as client:
            for n in range(KEYS):
                client.send({"op": "set", "key": f"k{n}", "value": VALUE})
            for _ in range(KEYS):
                self.assert_ok(client.receive())

    def test_alone_every_damage_is_refused_in_words(self):
        node = self.node(flags=["--segment-bytes", "262144"])
        node.flags += ["-p", str(node.port)]
        node.start().wait_up()
        self.fill(node)
        self.assertEqual(node.terminate(), 0)
        written = segments(node.storage)
        self.assertGreater(len(written), 2)
        # The newest that holds entries, the one before it, the oldest; and the hard state.
        rows = [(written[at].name, damage) for at in (-1, -2, 0) for damage in DAMAGES]
        rows += [("hard_state", damage) for damage in ("emptied", "zeroed", "removed", "overwritten by noise")]
        for name, damage in rows:
            with self.subTest(f"{name} {damage}"):
                copy = self.folder / "copy"
                shutil.copytree(node.storage, copy)
                path = copy / name
                DAMAGES[damage](path, copy / written[-1 if name != written[-1].name else 0].name)
                before = {file.name: file.read_bytes() for file in copy.iterdir() if file.name != "lock"}
                code, _, said = self.run_zattd("-s", str(copy), "-p", str(free_port()))
                self.assertEqual(code, 4, said)
                self.assertIn(str(copy), said)
                self.assertRegex(said, "(hard_state|[0-9]{10}\\.seg)")
                after = {file.name: file.read_bytes() for file in copy.iterdir() if file.name != "lock"}
                self.assertEqual(before, after, "what is refused is left as it was")
                shutil.rmtree(copy)
        # And the original is whole.
        node.start().wait_up()
        self.assertEqual(self.assert_ok(node.request({"op": "count", "prefix": "k"}))["count"], KEYS)

    def damaged_one_of_three(self, damage, in_good_order):
        """0 and 1 acknowledge what 2 never saw; then 0 loses its end, and 1 stays away."""
        cluster = self.cluster().start()
        cluster.wait_serving()
        cluster.by_id("2").kill()
        leader = cluster.wait_leader(among=[cluster.by_id("0"), cluster.by_id("1")])
        self.fill(leader)
        for node_id in ("0", "1"):
            if in_good_order:
                self.assertEqual(cluster.by_id(node_id).terminate(), 0)
            else:
                cluster.by_id(node_id).kill()
        zero = cluster.by_id("0")
        DAMAGES[damage](segments(zero.storage)[-1], zero.storage / "hard_state")
        zero.start().wait_up()
        self.assertRegex(zero.log(), "This node does not lead, and votes only for logs")
        two = cluster.by_id("2").start()
        two.wait_up()
        self.assert_error(two.request({"op": "get", "key": "k0", "timeout_ms": 3000}), "no_leader")
        self.assert_error(zero.request({"op": "get", "key": "k0", "timeout_ms": 1000}), "no_leader")
        cluster.by_id("1").start()
        cluster.wait_serving()
        for node in cluster:
            self.assertEqual(self.assert_ok(node.request({"op": "count", "prefix": "k"}))["count"], KEYS)
        # Repaired, it counts again: with it alone beside another the cluster goes on.
        cluster.wait_level()
        zero.wait_status(lambda status: "notice" not in status or "damaged" not in json.dumps(status),
                         "is repaired")
        self.assertEqual(zero.log().count(": the log is repaired\n"), 1)
        cluster.by_id("1").kill()
        cluster.wait_leader(among=[zero, two])
        self.assert_ok(zero.request({"op": "set", "key": "after", "value": 1}))

    def test_one_damaged_of_three_elects_nobody_without_the_third(self):
        rows = [("emptied", True), ("zeroed from its records on", False)]
        if SOAK:
            rows = [(damage, in_good_order) for damage in DAMAGES for in_good_order in (True, False)
                    if damage != "with a hole"]
        for damage, in_good_order in rows:
            with self.subTest(damage=damage, in_good_order=in_good_order):
                self.damaged_one_of_three(damage, in_good_order)
