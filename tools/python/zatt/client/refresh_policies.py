# SPDX-License-Identifier: AGPL-3.0-or-later
"""When a DistributedDict looks at the store, and when at the copy it has.

RefreshPolicyAlways, the default, asks the store at every read: no copy, nothing is ever old. Under
any other policy reads are answered from a copy of the whole dictionary, which is fetched at
the first read, and again at each read for which can_update() is true. A policy of your own
is any object with that method. Give each DistributedDict its own policy object: they count.
"""

import datetime

from .connection import now


class RefreshPolicyAlways(object):
    """Every read asks the store."""

    def can_update(self):
        return True


class RefreshPolicyLock(object):
    """Reads fetch a new copy as long as the attribute `lock` is true."""

    def __init__(self, status=True):
        self.lock = status

    def can_update(self):
        return self.lock


class RefreshPolicyCount(object):
    """Every `maximum`-th read fetches a new copy."""

    def __init__(self, maximum=10):
        self.maximum = maximum
        self.counter = 0

    def can_update(self):
        self.counter += 1
        if self.counter < self.maximum:
            return False
        self.counter = 0
        return True


class RefreshPolicyTime(object):
    """A read fetches a new copy when this policy did not let one do so for `delta`."""

    def __init__(self, delta=datetime.timedelta(minutes=1)):
        self.delta = delta
        self.last_refresh = None

    def can_update(self):
        time = now()
        if self.last_refresh is not None and time - self.last_refresh <= self.delta.total_seconds():
            return False
        self.last_refresh = time
        return True
