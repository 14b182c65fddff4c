# SPDX-License-Identifier: AGPL-3.0-or-later
"""Pipeline: many operations on one connection, none of which waits for the answer to the one before.

Their order is kept: servers carry out the requests of a connection in the order sent. So what was
refused with nothing done is sent again only where nothing behind it was done either. A write that was
sent and not answered is OutcomeUnknown, never sent again, and nothing behind it is sent any more.
"""

import collections

from . import values
from .connection import Broken, NotSent, now
from .errors import OutcomeUnknown, TryAgain, Unreachable, refusal
from .servers import Pauses

# What is under way at once. It fits into the buffers of the system, so that neither side can be stuck
# in sending while the other is too; a longer request goes alone.
WINDOW_BYTES = 64 * 1024
WINDOW_REQUESTS = 256

Operation = collections.namedtuple("Operation", ["fields", "check", "result", "is_read"])


class Pipeline(object):
    """Collects operations, which execute() sends: client.pipeline().

        >>> pipeline = client.pipeline()
        >>> pipeline.set('a', 1).incr('a').get('a').delete('b').execute()[1]
        2

    Each takes what the method of Client takes, and returns the pipeline. Many operations, not one:
    others may come between, and one that fails does not undo those before it.
    """

    def __init__(self, client):
        self._client = client
        self._operations = []

    def __len__(self):
        return len(self._operations)

    def add(self, fields, check, result, is_read=False):
        self._operations.append(Operation(fields, check, result, is_read))
        return self

    def get(self, key, stale=False):
        return self.add(*self._client.request_get(key, stale), is_read=True)

    def set(self, key, value, **condition):
        return self.add(*self._client.request_set(key, value, condition))

    def delete(self, key, **condition):
        return self.add(*self._client.request_delete(key, condition))

    def incr(self, key, by=1, **condition):
        return self.add(*self._client.request_incr(key, by, condition))

    def execute(self, raise_first=True):
        """The result of each operation, in order; the pipeline is empty then.

        Where some failed, it raises the exception of one of them: an OutcomeUnknown before any other,
        else the first. Under raise_first=False the exceptions stand among the results. The client's
        timeout holds for each operation from when it is sent.
        """
        operations, self._operations = self._operations, []
        results = _Run(self._client, operations).results()
        if raise_first:
            raise_worst(results)
        return results


def raise_worst(results):
    failed = [result for result in results if isinstance(result, Exception)]
    unknown = [result for result in failed if isinstance(result, OutcomeUnknown)]
    for error in unknown + failed:
        raise error


class _Run(object):
    def __init__(self, client, operations):
        self._client = client
        self._operations = operations
        self._results = [None] * len(operations)
        self._next = 0  # the first that is neither answered nor under way

    def results(self):
        """Pass by pass: each is what one connection carries until something comes in between."""
        refused = 0
        deadline = now() + self._client.timeout
        pauses = Pauses(deadline)
        while self._next < len(self._operations):
            before = self._next
            error = self._pass()
            if error is None:
                continue
            if self._next > before:  # it moves on: the time and the attempts begin anew
                refused = 0
                pauses = Pauses(now() + self._client.timeout)
            refused += 1
            stop = not isinstance(error, TryAgain) or not self._client.may_send(refused)
            if stop or not pauses.wait():
                return self._stopped(error)
        return self._results

    def _stopped(self, error):
        """Nothing more is sent: the first that was not done has the reason, the others that they wait."""
        for at in range(self._next, len(self._operations)):
            self._results[at] = error if at == self._next else Unreachable(
                "not sent, since one before it failed: %s" % error)
        if isinstance(error, OutcomeUnknown) and self._next < len(self._operations):
            self._results[self._next] = Unreachable("not sent, since one before it failed: %s" % error)
        return self._results

    def _pass(self):
        """None, or why one has to wait or to stop. self._next is where to go on."""
        deadline = now() + self._client.timeout
        try:
            connection = self._client.servers.take(deadline, {})
        except Unreachable as e:
            return e
        window = _Window(self._client, connection)
        try:
            error = self._carry(window)
        except BaseException:  # also ^C: the rest of a reply must not answer the next request
            connection.close()
            raise
        if error is None:
            self._client.servers.give(connection)
        else:
            connection.close()
            self._client.servers.failed(connection.server)
        return error

    def _carry(self, window):
        refused = None  # the first of those refused with nothing done, behind which nothing was done
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
        return self._results[refused]

    def _give_up(self, window, why):
        """Those under way have no answer: the writes are unknown, reads alone can be sent again."""
        server = window.connection.server
        under_way = [at for at, _, _, _ in window.under_way]
        if not isinstance(why, OutcomeUnknown):
            if all(self._operations[at].is_read for at in under_way):
                self._next = under_way[0] if under_way else self._next
                return Unreachable("%s:%s: %s" % (server[0], server[1], why))
        for at in under_way:
            self._results[at] = OutcomeUnknown("%s of %s:%s may happen or not: %s" % (
                (self._operations[at].fields["op"],) + server + (why,)))
        return OutcomeUnknown(str(why))


class _Window(object):
    """What was sent on a connection and not answered yet: (place, bytes, id, deadline) each."""

    def __init__(self, client, connection):
        self.connection = connection
        self.under_way = collections.deque()
        self._client = client
        self._bytes = 0

    def send(self, at, operation):
        """False, with nothing sent, where answers have to come first."""
        number = self._client.next_id()
        deadline = now() + self._client.timeout
        line = self._client.line(values.encode(operation.fields), operation.fields, number, deadline)
        full = self._bytes + len(line) > WINDOW_BYTES or len(self.under_way) >= WINDOW_REQUESTS
        if self.under_way and full:
            return False
        try:
            self.connection.send(line, deadline)
        except NotSent:
            raise
        except Broken:  # sent whole all the same
            self.under_way.append((at, len(line), number, deadline))
            raise
        self.under_way.append((at, len(line), number, deadline))
        self._bytes += len(line)
        return True

    def receive(self, operations):
        """The place of the first under way, and its result or exception."""
        at, length, number, deadline = self.under_way[0]
        operation = operations[at]
        reply = self._client.reply(self.connection, number, operation.fields, operation.check, deadline)
        self.under_way.popleft()
        self._bytes -= length
        return at, operation.result(reply) if reply["ok"] else refusal(reply)
