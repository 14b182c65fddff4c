# SPDX-License-Identifier: AGPL-3.0-or-later
"""zatt keeps one dictionary identical on several machines; this is its client for Python."""

from .client import *  # noqa: F401,F403
from .client import __all__ as __all__

__version__ = "0.1.0"
