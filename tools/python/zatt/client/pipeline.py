# SPDX-License-Identifier: AGPL-3.0-or-later
"""Pipeline: many operations on one connection, none of which waits for the answer to the one before.

Their order is kept: servers carry out the requests of a connection in the order sent. So what was
refused with nothing done is sent again only where nothing behind it was done either. A write that was
sent and not answered is OutcomeUnknown, never sent again, and nothing behind it is sent any more.
"""

import collections
from typing import Any, Deque, Iterable, List, NamedTuple, Optional, Tuple

from . import operations, values
from .connection import Broken, Connection, NotSent
from .errors import OutcomeUnknown, TryAgain, Unreachable, ZattError, refusal
from .operations import NOT_GIVEN, Operation, condition_of, request_line
from .replies import receive_reply
from .sender import Sender, unanswered
from .servers import Pauses

# What is under way at once. It fits into the buffers of the system, so that neither side can be stuck
# in sending while the other is too; a longer request goes alone.
WINDOW_BYTES = 64 * 1024
WINDOW_REQUESTS = 256


class Pipeline:
    """Collects operations, which execute() sends; client.pipeline() makes one.

        >>> pipeline = client.pipeline()
        >>> pipeline.set('a', 1).incr('a').get('a').delete('b').execute()[1]
        2

    Each takes what the method of Client takes (but no retry_unknown), and returns the pipeline. Many
    operations, not one: others may come between, and one that fails does not undo those before it.
    Nothing is sent, nor dialled, before execute(). A pipeline is of one thread, its client of as many
    as you like.
    """

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._operations: List[Operation[Any]] = []

    def __len__(self) -> int:
        return len(self._operations)

    def get(self, key: str, stale: bool = False) -> "Pipeline":
        """Its result is an Item, or None where there is no such key."""
        return self._add(operations.get(key, stale))

    def set(self, key: str, value: Any, *, if_absent: bool = False, if_exists: bool = False,
            if_rev: Optional[int] = None, if_value: Any = NOT_GIVEN) -> "Pipeline":
        """Its result is the revision of the write."""
        return self._add(operations.store(key, value, condition_of(if_absent, if_exists, if_rev, if_value)))

    def delete(self, key: str, *, if_absent: bool = False, if_exists: bool = False,
               if_rev: Optional[int] = None, if_value: Any = NOT_GIVEN) -> "Pipeline":
        """Its result is the revision of the write, or None where there is no such key."""
        return self._add(operations.delete(key, condition_of(if_absent, if_exists, if_rev, if_value)))

    def incr(self, key: str, by: int = 1, *, if_absent: bool = False, if_exists: bool = False,
             if_rev: Optional[int] = None, if_value: Any = NOT_GIVEN) -> "Pipeline":
        """Its result is what the integer is then."""
        return self._add(operations.incr(key, by, condition_of(if_absent, if_exists, if_rev, if_value)))

    def _add(self, operation: Operation[Any]) -> "Pipeline":
        self._operations.append(operation)
        return self

    def execute(self, raise_first: bool = True) -> List[Any]:
        """The result of each operation, in order; the pipeline is empty then.

        Where some failed, it raises the exception of one of them: an OutcomeUnknown before any other,
        else the first. Under raise_first=False the exceptions stand among the results. The client's
        timeout holds for each operation from when it is sent.
        """
        collected, self._operations = self._operations, []
        results = _Run(self._sender, collected).results()
        if raise_first:
            raise_worst(results)
        return results


def raise_worst(results: Iterable[Any]) -> None:
    """The exception among them that its caller most needs to know of, where there is one."""
    failed = [result for result in results if isinstance(result, Exception)]
    unknown = [result for result in failed if isinstance(result, OutcomeUnknown)]
    for error in unknown + failed:
        raise error


class _Run:
    def __init__(self, sender: Sender, collected: List[Operation[Any]]) -> None:
        self._sender = sender
        self._operations = collected
        self._results: List[Any] = [None] * len(collected)
        self._next = 0  # the first that is neither answered nor under way

    def results(self) -> List[Any]:
        """Pass by pass: each is what one connection carries until something comes in between."""
        refused = 0
        pauses = Pauses(self._sender.until())
        while self._next < len(self._operations):
            before = self._next
            error = self._pass()
            if error is None:
                continue
            if self._next > before:  # it moves on: the time and the attempts begin anew
                refused = 0
                pauses = Pauses(self._sender.until())
            refused += 1
            stop = not isinstance(error, TryAgain) or not self._sender.may_send(refused)
            if stop or not pauses.wait():
                return self._stopped(error)
        return self._results

    def _stopped(self, error: ZattError) -> List[Any]:
        """Nothing more is sent: the first that was not done has the reason, the others that they wait."""
        for at in range(self._next, len(self._operations)):
            is_reason = at == self._next and not isinstance(error, OutcomeUnknown)
            self._results[at] = error if is_reason else Unreachable(
                f"not sent, since one before it failed: {error}")
        return self._results

    def _pass(self) -> Optional[ZattError]:
        """None, or why one has to wait or to stop. self._next is where to go on."""
        deadline = self._sender.until()
        try:
            connection = self._sender.servers.take(deadline, {})
        except Unreachable as e:
            return e
        window = _Window(self._sender, connection)
        try:
            error = self._carry(window)
        except BaseException:  # also ^C: the rest of a reply must not answer the next request
            connection.close()
            raise
        if error is None:
            self._sender.servers.give(connection)
        else:
            connection.close()
            self._sender.servers.failed(connection.server)
        return error

    def _carry(self, window: "_Window") -> Optional[ZattError]:
        refused: Optional[int] = None  # the first of those refused with nothing done, behind which nothing was done
        try:
            while refused is None and self._next < len(self._operations) or window.under_way:
                if refused is None and self._next < len(self._operations) and \
                        window.send(self._next, self._operations[self._next]):
                    self._next += 1
                    continue
                at, answer = window.receive(self._operations)
                self._results[at] = answer
                if isinstance(answer, OutcomeUnknown):
                    return self._give_up(window, answer)
                if not isinstance(answer, TryAgain):
                    refused = None
                elif refused is None:
                    refused = at
        except Broken as e:
            return self._give_up(window, e)
        if refused is None:
            return None
        self._next = refused
        why: ZattError = self._results[refused]
        return why

    def _give_up(self, window: "_Window", why: Exception) -> ZattError:
        """Those under way have no answer: the writes are unknown, reads alone can be sent again."""
        under_way = [sent.at for sent in window.under_way]
        if not isinstance(why, OutcomeUnknown):
            if all(self._operations[at].is_read() for at in under_way):
                self._next = under_way[0] if under_way else self._next
                host, port = window.connection.server
                return Unreachable(f"{host}:{port}: {why}")
        for at in under_way:
            self._results[at] = unanswered(self._operations[at], window.connection, why)
        return OutcomeUnknown(str(why))


class _Sent(NamedTuple):
    at: int  # its place among the operations
    length: int
    number: int
    deadline: float


class _Window:
    """What was sent on a connection and not answered yet."""

    def __init__(self, sender: Sender, connection: Connection) -> None:
        self.connection = connection
        self.under_way: Deque[_Sent] = collections.deque()
        self._sender = sender
        self._bytes = 0

    def send(self, at: int, operation: Operation[Any]) -> bool:
        """False, with nothing sent, where answers have to come first."""
        number = self._sender.next_id()
        deadline = self._sender.until()
        line = request_line(values.encode(operation.fields), operation.fields, number, deadline)
        full = self._bytes + len(line) > WINDOW_BYTES or len(self.under_way) >= WINDOW_REQUESTS
        if self.under_way and full:
            return False
        sent = _Sent(at, len(line), number, deadline)
        try:
            self.connection.send(line, deadline)
        except NotSent:
            raise
        except Broken:  # sent whole all the same
            self.under_way.append(sent)
            raise
        self.under_way.append(sent)
        self._bytes += len(line)
        return True

    def receive(self, collected: List[Operation[Any]]) -> Tuple[int, Any]:
        """The place of the first under way, and its result or exception."""
        sent = self.under_way[0]
        operation = collected[sent.at]
        reply = receive_reply(self.connection, operation.fields, sent.number, operation.check, sent.deadline)
        self.under_way.popleft()
        self._bytes -= sent.length
        return sent.at, operation.result(reply) if reply["ok"] else refusal(reply)
