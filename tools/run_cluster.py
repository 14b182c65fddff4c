#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Three nodes on 127.0.0.1:5254-5256 in the foreground, to try things on. ^C stops them cleanly.

Their data stays in BUILD/run/ and is continued from next time; remove that folder to begin anew.
"""

import argparse
import ctypes
import json
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

HOST = "127.0.0.1"
STOP_WITHIN_S = 10


def free_or_exit(ports):
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                print(f"{HOST}:{port} is in use; is a cluster running already? see ss -ltnp")
                sys.exit(3)


def die_with_parent():
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def start_node(zattd, folder, node_id, extra):
    command = [str(zattd), "-c", "zatt.conf", "--id", node_id, "-s", f"zatt.{node_id}.persist"]
    # A session of its own: the terminal's ^C comes to us, and we stop the nodes once.
    process = subprocess.Popen(command + extra, cwd=folder, stdin=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True, errors="replace",
                               start_new_session=True, preexec_fn=die_with_parent)

    def show():
        for line in process.stderr:
            print(f"{node_id} | {line}", end="", flush=True)

    threading.Thread(target=show, daemon=True).start()
    return process


def ask(port, request):
    try:
        with socket.create_connection((HOST, port), timeout=1) as peer:
            peer.sendall(json.dumps(request).encode() + b"\n")
            peer.shutdown(socket.SHUT_WR)
            return json.loads(peer.makefile().readline())
    except (OSError, ValueError):
        return {}


def wait_for_leader(nodes, ports):
    while all(node.poll() is None for node in nodes.values()):
        if any(ask(port, {"op": "status"}).get("leader") is not None for port in ports):
            return True
        time.sleep(0.1)
    return False


def say_what_to_paste(ports, folder):
    print(f"""
three nodes are up. In a second terminal:

  echo '{{"op":"set","key":"key1","value":0}}' | nc -N {HOST} {ports[0]}
  echo '{{"op":"get","key":"key1"}}' | nc -N {HOST} {ports[-1]}
  echo '{{"op":"status"}}' | nc -N {HOST} {ports[1 % len(ports)]}

and for the zatt command:  export ZATT_SERVERS={",".join(f"{HOST}:{port}" for port in ports)}

data: {folder} (remove it to begin anew).  ^C stops all three.
""", flush=True)


def watch(nodes):
    """Waits until all nodes have ended; says so when one does."""
    running = dict(nodes)
    while running:
        for node_id, process in list(running.items()):
            if process.poll() is not None:
                code = process.returncode
                how = f"ended with exit code {code}" if code >= 0 else f"was killed by signal {-code}"
                print(f"node {node_id} {how}", flush=True)
                del running[node_id]
        time.sleep(0.2)


def stop(nodes):
    print("\nstopping", flush=True)
    for process in nodes.values():
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + STOP_WITHIN_S
    clean = True
    for node_id, process in nodes.items():
        try:
            process.wait(max(0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            print(f"node {node_id} did not stop within {STOP_WITHIN_S} s and is killed")
            process.kill()
            process.wait()
        clean = clean and process.returncode == 0
    print("stopped" if clean else "stopped, not cleanly")
    return 0 if clean else 1


def interrupt(_signal, _frame):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--folder", type=pathlib.Path, help="default: BUILD/run")
    parser.add_argument("--port", type=int, default=5254, help="of the first node")
    args, extra = parser.parse_known_args()

    zattd = (args.build / "zattd").resolve()
    folder = (args.folder or args.build / "run").resolve()
    ports = [args.port + n for n in range(3)]
    free_or_exit(ports)
    folder.mkdir(parents=True, exist_ok=True)
    cluster = {str(n): [HOST, port] for n, port in enumerate(ports)}
    (folder / "zatt.conf").write_text(json.dumps({"cluster": cluster}) + "\n")

    signal.signal(signal.SIGTERM, interrupt)
    nodes = {}
    try:
        for node_id in cluster:
            nodes[node_id] = start_node(zattd, folder, node_id, extra)
        if wait_for_leader(nodes, ports):
            say_what_to_paste(ports, folder)
        watch(nodes)
        return 1
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return stop(nodes)


if __name__ == "__main__":
    sys.exit(main())
