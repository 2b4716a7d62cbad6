"""Commands that permissions bind, also where the tests run as the superuser."""

from __future__ import annotations

import os
import shutil

import pytest


def bound_by_permissions() -> tuple[str, ...]:
    """What to put before a command so that permissions bind it, the superuser's too."""
    if os.geteuid() != 0:
        return ()
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv to give up the rights of the superuser")
    return ("setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search")
