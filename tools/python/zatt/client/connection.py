# SPDX-License-Identifier: AGPL-3.0-or-later
"""One connection: a line out, a line in, each until a deadline.

Whether a request was sent whole is the difference between "it did not happen" and "nobody knows",
so this file tells the two apart. It believes nothing of what the other end does: a server that
sends nothing, nothing but garbage, or garbage without end costs time up to the deadline, and
MAX_REPLY_BYTES of memory.
"""

import errno
import socket
import struct
import time
from typing import Any, Dict, Optional, Tuple

from . import values

MAX_REPLY_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
LONGEST_TIMEOUT_S = 1000000  # poll() counts milliseconds in 31 bits

Address = Tuple[str, int]  # host and port

now = time.monotonic


def checked_timeout(seconds: float) -> float:
    """The seconds, where they can be waited for."""
    if type(seconds) not in (int, float):
        raise TypeError(f"timeout is a number of seconds, not {seconds!r}")
    if not 0 < seconds <= LONGEST_TIMEOUT_S:
        raise ValueError(f"timeout is more than 0 and at most {LONGEST_TIMEOUT_S} seconds, not {seconds!r}")
    return seconds


class Broken(Exception):
    """The connection is of no more use. What was sent on it may have been carried out."""


class NotSent(Broken):
    """The connection is of no more use, and what was to be sent was not sent whole."""


class Connection:
    """Opens one in the constructor, or raises NotSent."""

    def __init__(self, server: Address, deadline: float) -> None:
        self.server = server
        self._buffer = bytearray()
        self._socket = _connect(server, deadline)

    def close(self) -> None:
        self._socket.close()

    def is_quiet(self) -> bool:
        """Still open, and nothing came that was not asked for."""
        try:
            self._socket.settimeout(0)
            self._buffer += self._socket.recv(1)
        except OSError as e:
            return e.errno in (errno.EAGAIN, errno.EWOULDBLOCK) and not self._buffer
        return False

    def send(self, line: bytes, deadline: float) -> None:
        """The bytes of a line. NotSent where the other end cannot have got all of its JSON."""
        sent = 0
        while sent < len(line):
            try:
                self._socket.settimeout(_left(deadline))
                sent += self._socket.send(line[sent:sent + CHUNK_BYTES])
            except (OSError, NotSent) as e:
                # The end of the stream ends a line too: without its newline it is whole.
                raise (NotSent if sent < len(line) - 1 else Broken)(_why(e)) from e

    def receive_reply(self, deadline: float) -> Dict[str, Any]:
        """The next line as what it says, a dict."""
        try:
            return values.decode(self.receive(deadline))
        except ValueError as e:
            raise Broken(f"its reply is not JSON: {e}") from e

    def receive(self, deadline: float) -> bytes:
        """The next line without its newline."""
        searched = 0
        while True:
            end = self._buffer.find(b"\n", searched)
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[:end + 1]
                return line
            searched = len(self._buffer)
            if searched > MAX_REPLY_BYTES:
                raise Broken("its reply has no end")
            try:
                self._socket.settimeout(_left(deadline))
                more = self._socket.recv(CHUNK_BYTES)
            except (OSError, NotSent) as e:
                raise Broken(_why(e)) from e
            if not more:
                raise Broken("it closed the connection in the middle of a reply" if searched
                             else "it closed the connection")
            self._buffer += more


def _connect(server: Address, deadline: float) -> socket.socket:
    host, port = server
    try:
        addresses = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as e:
        raise NotSent(_why(e)) from e
    problem = "it has no address"
    for place, (family, kind, protocol, _, address) in enumerate(addresses):
        share = _left(deadline) / (len(addresses) - place)
        peer: Optional[socket.socket] = None
        try:
            peer = socket.socket(family, kind, protocol)
            peer.settimeout(share)
            peer.connect(address)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            # The system can connect a free local port to itself, which then echoes.
            if peer.getsockname() != peer.getpeername():
                return peer
            # Closed at once, it does not keep the port from whoever belongs there.
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            problem = "nobody listens there"
        except OSError as e:
            problem = _why(e)
        except BaseException:
            if peer is not None:
                peer.close()
            raise
        if peer is not None:
            peer.close()
    raise NotSent(problem)


def _left(deadline: float) -> float:
    left = deadline - now()
    if left <= 0:
        raise NotSent("no answer in time")
    return left


def _why(error: Exception) -> str:
    if isinstance(error, socket.timeout):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
