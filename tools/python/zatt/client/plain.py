# SPDX-License-Identifier: AGPL-3.0-or-later
"""Client: the protocol as methods, over whichever server works.

It repeats only what is safe to repeat: what was refused with nothing done, what was never sent
whole, and reads. A write that was sent and not answered is OutcomeUnknown, and is never repeated.
"""

import collections
import itertools

from . import values
from .connection import Broken, NotSent, checked_timeout, now
from .errors import OutcomeUnknown, TryAgain, refusal
from .pipeline import Pipeline
from .servers import Pauses, Servers, named, unreachable

READS = ("get", "scan", "count", "status", "ping")
LONGEST_TIMEOUT_MS = 600000
LONGEST_READ_S = 5.0  # of one server, where there are others
PAGE_ITEMS = 1000

Item = collections.namedtuple("Item", ["key", "value", "rev"])

_no_value = object()


class Client(object):
    """A zatt cluster, as the protocol has it.

        >>> client = Client('127.0.0.1:5254')
        >>> client.set('lamp', {'on': True}) > 0
        True
        >>> client.get('lamp').value
        {'on': True}

    servers   one or more of the cluster's members: 'host:port', 'host:port,host:port',
              ('host', port), or a list of these. The other members are learned from them.
    port      of the one host that `servers` is the name of
    timeout   seconds that a call may take in all. (The look-up of a name cannot be bounded.)
    attempts  how often at most a write that was refused with nothing done is sent within that
              time; None: as often as fits.

    Writes take one condition, and raise ConditionFailed, with the key as it is, where it does not
    hold: if_absent=True, if_exists=True, if_rev=N (0: absent), or if_value=V, which compares JSON
    texts: 1 and 1.0 differ. stale=True on a read answers at once from what the asked server has,
    also without a leader; it may miss even the writes before it.

    retry_unknown=True on a set or delete sends it again, within the timeout, where no answer came. It
    takes no condition: the second could meet what the first one did. What others write meanwhile may
    be written over, and a delete returns None where the first had been carried out.

    Nothing is dialled before the first call. Threads may share a Client; each call in progress has a
    connection of its own. A forked child may go on with it, and a pickle of it opens connections of
    its own. Errors are those of zatt.client.errors.
    """

    def __init__(self, servers="127.0.0.1:5254", port=None, timeout=5.0, attempts=None):
        self.timeout = timeout
        self.attempts = attempts
        self.servers = Servers(named(servers, port))
        self._ids = itertools.count(1)

    def __getstate__(self):
        return {"servers": self.servers.given(), "timeout": self.timeout, "attempts": self.attempts}

    def __setstate__(self, state):
        Client.__init__(self, **state)

    @property
    def timeout(self):
        """Seconds that a call may take in all."""
        return self._timeout

    @timeout.setter
    def timeout(self, seconds):
        self._timeout = checked_timeout(seconds)

    @property
    def attempts(self):
        """How often at most a write that was refused with nothing done is sent; None: as fits."""
        return self._attempts

    @attempts.setter
    def attempts(self, attempts):
        if attempts is not None and type(attempts) is not int:
            raise TypeError("attempts is an int or None, not %r" % (attempts,))
        if attempts is not None and attempts < 1:
            raise ValueError("attempts is at least 1, or None, not %r" % (attempts,))
        self._attempts = attempts

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __repr__(self):
        return "Client(%r)" % ",".join("%s:%s" % server for server in self.servers.known())

    def close(self):
        """Closes the connections; a later call opens new ones."""
        self.servers.close()

    def get(self, key, stale=False):
        """Item(key, value, rev), or None where there is no such key."""
        fields, check, result = self.request_get(key, stale)
        return result(self._call(fields, check))

    def set(self, key, value, retry_unknown=False, **condition):
        """The revision of the write."""
        _check_retry(retry_unknown, condition)
        fields, check, result = self.request_set(key, value, condition)
        return result(self._call(fields, check, retry_unknown=retry_unknown))

    def delete(self, key, retry_unknown=False, **condition):
        """The revision of the write, or None where there is no such key."""
        _check_retry(retry_unknown, condition)
        fields, check, result = self.request_delete(key, condition)
        return result(self._call(fields, check, retry_unknown=retry_unknown))

    def incr(self, key, by=1, **condition):
        """Adds to an integer of 64 bits (an absent key is 0), atomically: what it is then.

        ConditionFailed where the value is something else, or would leave its 64 bits.
        """
        fields, check, result = self.request_incr(key, by, condition)
        return result(self._call(fields, check))

    def pipeline(self):
        """Collects operations, and sends them without waiting for each answer; see Pipeline."""
        return Pipeline(self)

    def scan(self, prefix="", after=None, limit=None, keys_only=False, stale=False):
        """Yields an Item for each key that begins with `prefix`, in the order of their bytes.

        Those strictly after the key `after`, at most `limit` of them; the value is None under
        keys_only. It asks for a page at a time: each page is one picture, two pages are two.
        """
        values.check_key(prefix)
        if after is not None:
            values.check_key(after)
        fields = _read({"op": "scan", "prefix": prefix, "keys_only": keys_only}, stale)
        while limit is None or limit > 0:
            fields["limit"] = PAGE_ITEMS if limit is None else min(limit, PAGE_ITEMS)
            if after is not None:
                fields["after"] = after
            page = self._call(fields, _check_scan)
            for item in page["items"]:
                after = item["key"]
                yield Item(after, item.get("value"), item["rev"])
            if not page["more"]:
                return
            if limit is not None:
                limit -= len(page["items"])

    def count(self, prefix="", stale=False):
        """How many keys begin with `prefix`."""
        values.check_key(prefix)
        return self._call(_read({"op": "count", "prefix": prefix}, stale), _check_count)["count"]

    def status(self):
        """What the asked server knows of the cluster, a dict; also while there is no leader."""
        reply = self._call({"op": "status"}, _check_nothing)
        self.servers.learn(reply)
        return _without_frame(reply)

    def ping(self):
        """True once a server has answered."""
        self._call({"op": "ping"}, _check_nothing)
        return True

    def add_member(self, member, host, port, timeout=60.0):
        """Makes the server with this id and address a member: all members then, a dict.

        Needs servers that serve it; others refuse, with a BadRequest that says so.
        """
        fields = {"op": "add_member", "member": member, "address": [host, port]}
        return self._call(fields, _check_members, timeout)["members"]

    def remove_member(self, member, timeout=60.0):
        """Makes it no member any more: all members then. As add_member otherwise."""
        fields = {"op": "remove_member", "member": member}
        return self._call(fields, _check_members, timeout)["members"]

    def request(self, fields, timeout=None):
        """Sends a request as it is, once, and returns its reply, also where that is not ok.

        For what has no method here. Everything but a plain read is taken for a write: where it was
        sent and no reply came, it is OutcomeUnknown.
        """
        if type(fields) is not dict:
            raise TypeError("a request is a dict")
        for name, value in fields.items():
            values.check_key(name)
            values.check_value(value)
        return self._exchange(fields, values.encode(fields), _check_nothing, self._until(timeout), {})

    # --- for Pipeline: what a request is, how its reply is checked, and what of it is the result ---

    def request_get(self, key, stale=False):
        values.check_key(key)
        fields = _read({"op": "get", "key": key}, stale)
        return fields, _check_get, \
            lambda reply: Item(key, reply["value"], reply["rev"]) if reply["found"] else None

    def request_set(self, key, value, condition):
        values.check_key(key)
        values.check_value(value)
        fields = _under({"op": "set", "key": key, "value": value}, condition)
        return fields, _check_rev, lambda reply: reply["rev"]

    def request_delete(self, key, condition):
        values.check_key(key)
        fields = _under({"op": "delete", "key": key}, condition)
        return fields, _check_delete, lambda reply: reply["rev"] if reply["found"] else None

    def request_incr(self, key, by, condition):
        values.check_key(key)
        if type(by) not in values.INTEGERS:
            raise TypeError("by is an int")
        fields = _under({"op": "incr", "key": key, "by": by}, condition)
        return fields, _check_incr, lambda reply: reply["value"]

    def line(self, text, fields, number, deadline):
        return request_line(text, fields, number, deadline)

    def reply(self, connection, number, fields, check, deadline):
        return receive_reply(connection, fields, number, check, deadline)

    def next_id(self):
        return next(self._ids)

    def _until(self, timeout):
        return now() + (self.timeout if timeout is None else checked_timeout(timeout))

    def _call(self, fields, check, timeout=None, retry_unknown=False):
        """The reply where it is ok, sent again where that is safe or asked for; else the exception."""
        deadline = self._until(timeout)
        text = values.encode(fields)
        problems = {}
        pauses = Pauses(deadline)
        unbounded = retry_unknown or fields["op"] in READS
        attempts = itertools.count(1)
        unknown = None
        while True:
            try:
                reply = self._exchange(fields, text, check, deadline, problems, retry_unknown)
                if reply["ok"]:
                    return reply
                error = refusal(reply)
            except (OutcomeUnknown, TryAgain) as e:
                error = e
                if not (retry_unknown and isinstance(error, OutcomeUnknown)):
                    raise unknown or error
            if retry_unknown and isinstance(error, OutcomeUnknown):
                unknown = error
            elif not isinstance(error, TryAgain) or not (unbounded or self.may_send(next(attempts))):
                raise unknown or error
            if not pauses.wait():
                raise unknown or error  # that one was refused says nothing of the one before

    def may_send(self, sent):
        return self.attempts is None or sent < self.attempts

    def _exchange(self, fields, text, check, deadline, problems, retry_unknown=False):
        """One reply, from whichever server gives one; it is checked, ok or not."""
        is_read = fields.get("op") in READS
        may_repeat = is_read or retry_unknown
        pauses = Pauses(deadline)
        while True:
            connection = self.servers.take(deadline, problems)
            # What may be repeated can go elsewhere later; a write that was sent is waited for to the end.
            until = deadline
            if may_repeat and len(self.servers.known()) > 1:
                until = now() + min((deadline - now()) / 2, LONGEST_READ_S)
            try:
                reply = self._ask(connection, fields, text, check, until)
            except NotSent as e:
                why = str(e)
            except Broken as e:
                why = str(e)
                if not is_read:
                    self.servers.failed(connection.server)
                    raise OutcomeUnknown("%s of %s:%s may happen or not: %s" % (
                        (fields.get("op", "a request"),) + connection.server + (why,)))
            else:
                if reply["ok"] or not isinstance(refusal(reply), TryAgain):
                    self.servers.give(connection)
                else:
                    self._leave(connection)
                return reply
            self.servers.failed(connection.server)
            problems[connection.server] = why
            if not pauses.wait():
                raise unreachable(problems)

    def _leave(self, connection):
        """It answers, but another server may do better; where there is none it is kept."""
        if len(self.servers.known()) > 1:
            connection.close()
            self.servers.failed(connection.server)
        else:
            self.servers.give(connection)

    def _ask(self, connection, fields, text, check, deadline):
        """The reply that belongs to this request, or Broken (and the connection closed)."""
        number = fields.get("id", next(self._ids))
        try:
            connection.send(request_line(text, fields, number, deadline), deadline)
            return receive_reply(connection, fields, number, check, deadline)
        except BaseException:  # also ^C: the rest of a reply must not answer the next request
            connection.close()
            raise


def _check_retry(retry_unknown, condition):
    if type(retry_unknown) is not bool:
        raise TypeError("retry_unknown is True or False, not %r" % (retry_unknown,))
    if retry_unknown and _under({}, condition):
        raise TypeError("retry_unknown goes with no condition: a second write could meet the first one")


def receive_reply(connection, fields, number, check, deadline):
    """The next reply, which must belong to this request, or Broken."""
    while True:
        reply = connection.receive_reply(deadline)
        if "ok" in reply or "event" not in reply:  # else pushed, and nobody here's
            break
    _check_frame(reply, number)
    if reply["ok"]:
        check(reply, fields)
    return reply


def request_line(text, fields, number, deadline):
    """The request's line. Its server gives up a little before we do, so that it can say so."""
    more = ""
    if "id" not in fields:
        more += ',"id":%d' % number
    if "timeout_ms" not in fields:
        milliseconds = int((deadline - now()) * 900)
        more += ',"timeout_ms":%d' % max(1, min(milliseconds, LONGEST_TIMEOUT_MS))
    if len(text) == 2:  # {}
        more = more[1:]
    return (text[:-1] + more + "}\n").encode("utf-8")


def _read(fields, stale):
    if stale:
        fields["stale"] = True
    return fields


def _under(fields, condition):
    """The request with "if", from the keyword arguments of a write."""
    wanted = {}
    for name, value in condition.items():
        if name == "if_value":
            values.check_value(value)
            wanted[name] = {"value": value}
        elif name == "if_rev":
            if value is None:
                continue
            if type(value) not in values.INTEGERS:
                raise TypeError("if_rev is an int")
            wanted[name] = {"rev": value}
        elif name in ("if_absent", "if_exists"):
            if value:
                wanted[name] = {"exists": name == "if_exists"}
        else:
            raise TypeError("there is no condition %r; there are if_absent, if_exists, if_rev, "
                            "if_value" % name)
    if len(wanted) > 1:
        raise TypeError("one condition at a time, not %s" % " and ".join(sorted(wanted)))
    for one in wanted.values():
        fields["if"] = one
    return fields


def _check_frame(reply, number):
    ok = reply.get("ok")
    error = reply.get("error")
    if type(ok) is not bool or not ok and type(error) not in values.TEXTS:
        raise Broken("its reply has no ok, or no error")
    # Of a line that it did not take in, a server does not know the id.
    may_lack_id = error in ("too_large", "bad_request", "shutting_down")
    if reply.get("id", _no_value) != number and not ("id" not in reply and may_lack_id):
        raise Broken("its reply is to another request")
    if error == "condition_failed":
        _check_get(reply, None)


def _without_frame(reply):
    return dict((name, value) for name, value in reply.items() if name not in ("ok", "id"))


def _need(reply, name, kind):
    if type(reply.get(name)) is not kind:
        raise Broken("its reply has no %s, or not of type %s" % (name, kind.__name__))


def _check_nothing(reply, fields):
    pass


def _check_rev(reply, fields):
    _need(reply, "rev", int)


def _check_get(reply, fields):
    _need(reply, "found", bool)
    if reply["found"]:
        _need(reply, "rev", int)
        if "value" not in reply:
            raise Broken("its reply has no value")


def _check_delete(reply, fields):
    _need(reply, "found", bool)
    if reply["found"]:
        _need(reply, "rev", int)


def _check_incr(reply, fields):
    _need(reply, "value", int)
    _need(reply, "rev", int)


def _check_count(reply, fields):
    _need(reply, "count", int)


def _check_members(reply, fields):
    _need(reply, "members", dict)


def _check_scan(reply, fields):
    _need(reply, "items", list)
    _need(reply, "more", bool)
    before = fields.get("after")
    for item in reply["items"]:
        if type(item) is not dict or type(item.get("key")) not in values.TEXTS:
            raise Broken("its reply has something else among the items")
        _need(item, "rev", int)
        if "value" not in item and not fields["keys_only"]:
            raise Broken("its reply has no value")
        # Else a scan could go in circles for ever.
        if before is not None and not before.encode("utf-8") < item["key"].encode("utf-8"):
            raise Broken("the keys of its reply are not in order")
        before = item["key"]
    if reply["more"] and not reply["items"]:
        raise Broken("its reply has no items, and more to come")
