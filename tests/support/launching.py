"""Starts servers that are to go with this process, from any thread.

PR_SET_PDEATHSIG is sent when the *thread* that forked ends, and trio's worker threads end after ten idle seconds: so
all of them are forked by one thread that stays.
"""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

_LAUNCHER: Final = ThreadPoolExecutor(1, "launcher")


def launch(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """subprocess.Popen(command, **options)."""
    return _LAUNCHER.submit(partial(subprocess.Popen[bytes], command, **options)).result()
