# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which servers there are, which to ask next, and the connections that wait to be used again.

Any server answers anything, so a client stays with the one that works. Each new connection begins
with a `status`: it shows that the server lives before a write is trusted to it, and completes the
list of those to go to when it no longer does.
"""

import os
import random
import threading
import time
from typing import Any, Collection, Dict, List, Optional, Union

from .connection import Address, Broken, Connection, NotSent, now
from .errors import Unreachable

DEFAULT_PORT = 5254
MAX_LEARNED = 64
FIRST_PAUSE_S = 0.02
LONGEST_PAUSE_S = 0.5
LONGEST_OPEN_S = 3.0  # of one server, where there are others

Named = Union[str, Address, Collection[Union[str, Address]]]
Problems = Dict[Address, str]  # why each server did not answer


def named(servers: Named, port: Union[int, str, None] = None) -> List[Address]:
    """A list of (host, port): of `servers` and, where they are the name of one host, of its port."""
    if port is None:
        return parse(servers)
    if isinstance(port, str) and port.isdigit():
        port = int(port)
    if not isinstance(servers, str):
        raise TypeError(f"a port goes with the name of one host, not with {servers!r}")
    if "," in servers or servers.count(":") == 1:
        raise ValueError(f"{servers!r} has its ports already, so {port!r} is one too many")
    return [_checked(servers.strip("[]"), port)]


def parse(servers: Named) -> List[Address]:
    """A list of (host, port), of "host:port", "host:port,host:port", a pair, or a list of these."""
    if isinstance(servers, str):
        found = [_parse_one(text.strip()) for text in servers.split(",") if text.strip()]
    elif isinstance(servers, tuple) and len(servers) == 2 and isinstance(servers[1], int):
        found = [_checked(servers[0], servers[1])]
    elif not isinstance(servers, (list, tuple, set, frozenset)):
        raise TypeError(f"servers are 'host:port', ('host', port) or a list of these, not {servers!r}")
    else:
        found = [server for item in servers for server in parse(item)]
    if not found:
        raise ValueError("no server is named")
    return found


def _parse_one(text: str) -> Address:
    if text.isdigit():
        raise ValueError(f"{text!r} is a port without a host")
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):  # "name", "[::1]"
        host, port = text, str(DEFAULT_PORT)
    elif ":" in host and not host.startswith("["):  # "::1": the brackets are missing
        raise ValueError(f"{text!r} is not host:port; an IPv6 address goes in brackets")
    if not port.isdigit():
        raise ValueError(f"{text!r} is not host:port")
    return _checked(host.strip("[]"), int(port))


def _checked(host: Any, port: Any) -> Address:
    if not isinstance(host, str) or not host:
        raise ValueError(f"{host!r} is not the name or address of a host")
    if type(port) is not int or not 0 < port < 65536:
        raise ValueError(f"{port!r} is not a port")
    return host, port


class Pauses:
    """Between attempts: each about twice as long as the one before, none past the deadline."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._next = FIRST_PAUSE_S

    def wait(self) -> bool:
        """False, at once, where the deadline comes first."""
        pause = self._next * random.uniform(0.5, 1.0)
        self._next = min(self._next * 2, LONGEST_PAUSE_S)
        if now() + pause >= self._deadline:
            return False
        time.sleep(pause)
        return True


class Servers:
    """Shared by the threads of a process; a forked child opens connections of its own."""

    def __init__(self, given: List[Address]) -> None:
        self._given = list(given)
        self._learned: List[Address] = []
        self._order = list(given)
        self._cluster = ""
        self._idle: List[Connection] = []
        self._pid = os.getpid()
        self._lock = threading.Lock()

    def given(self) -> List[Address]:
        """Those that the caller named."""
        return list(self._given)

    def known(self) -> List[Address]:
        """All (host, port), the next to ask first."""
        with self._mine():
            return list(self._order)

    def take(self, deadline: float, problems: Problems) -> Connection:
        """A connection that works, as far as one can know. Fills `problems`: server -> why."""
        connection = self._take_idle()
        if connection is not None:
            return connection
        pauses = Pauses(deadline)
        while True:
            servers = self.known()
            for server in servers:
                left = deadline - now()
                if left <= 0:
                    break
                try:
                    share = min(left / 2, LONGEST_OPEN_S) if len(servers) > 1 else left
                    return self._open(server, now() + share)
                except Broken as e:
                    problems[server] = str(e)
                    self.failed(server)
            if not pauses.wait():
                raise unreachable(problems)

    def give(self, connection: Connection) -> None:
        """Back, after an answer that came as it should."""
        with self._mine():
            self._idle.append(connection)

    def failed(self, server: Address) -> None:
        """Ask the others first from now on."""
        with self._mine():
            if server in self._order:
                self._order.remove(server)
                self._order.append(server)
            doomed = [c for c in self._idle if c.server == server]
            self._idle = [c for c in self._idle if c.server != server]
        for connection in doomed:
            connection.close()

    def learn(self, status: Dict[str, Any]) -> None:
        """The members, from a reply to `status`; whatever looks odd in it is passed over."""
        learned = []
        members = status.get("members")
        for member in members.values() if type(members) is dict else ():
            try:
                host, port = member["address"]
                learned.append(_checked(host, port))
            except (KeyError, TypeError, ValueError):
                continue
        with self._mine():
            self._learned = learned[:MAX_LEARNED]
            known = self._given + self._learned
            self._order = [server for server in self._order if server in known]
            for server in known:
                if server not in self._order:
                    self._order.append(server)

    def close(self) -> None:
        with self._mine():
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _mine(self) -> threading.Lock:
        """The lock, for `with`. After a fork the parent's connections are the parent's."""
        if os.getpid() != self._pid:
            self._lock = threading.Lock()
            idle, self._idle = self._idle, []
            self._pid = os.getpid()
            for connection in idle:
                connection.close()
        return self._lock

    def _take_idle(self) -> Optional[Connection]:
        while True:
            with self._mine():
                connection = self._idle.pop() if self._idle else None
            if connection is None or connection.is_quiet():
                return connection
            connection.close()

    def _open(self, server: Address, deadline: float) -> Connection:
        connection = Connection(server, deadline)
        try:
            connection.send(b'{"op":"status"}\n', deadline)
            status = connection.receive_reply(deadline)
            if status.get("ok") is not True:
                raise Broken(f"it refuses a status: {status.get('message')}")
            self._meet(server, status)
        except BaseException:
            connection.close()
            raise
        return connection

    def _meet(self, server: Address, status: Dict[str, Any]) -> None:
        cluster = status.get("cluster")
        if self._cluster and cluster and cluster != self._cluster and server not in self._given:
            # Its port was taken over by a stranger since we heard of it.
            raise NotSent("it belongs to another cluster")
        self._cluster = cluster or self._cluster
        self.learn(status)


def unreachable(problems: Problems) -> Unreachable:
    each = [f"{host}:{port}: {why}" for (host, port), why in sorted(problems.items())]
    return Unreachable(f"no server answered in time ({'; '.join(each) or 'no time was left'})")
