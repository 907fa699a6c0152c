"""Tab in a real bash, on a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import time
from collections.abc import Iterator

import pytest

from tests.support.programs import BIN, TIMEOUT, Home, own_home

TAB, TO_BEGINNING, TO_END = b"\t", b"\x01", b"\x05"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    yield from own_home(tmp_path_factory.mktemp("completion"))


class Bash:
    """An interactive bash that has the completion of c3."""

    def __init__(self, home: Home) -> None:
        environment = {**home.env, "PATH": f"{BIN}:{os.environ['PATH']}", "TERM": "dumb", "INPUTRC": "/dev/null"}
        pid, self._terminal = pty.fork()
        if pid == 0:
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], environment)
        self._pid = pid
        self.type(b'PS1=; eval "$(c3 completion bash)"; echo rea""dy\n', until=b"ready\r\n")

    def close(self) -> None:
        os.close(self._terminal)
        os.waitpid(self._pid, 0)

    def type(self, keys: bytes, until: bytes) -> bytes:
        """Type, and read until bash shows that."""
        os.write(self._terminal, keys)
        shown = b""
        deadline = time.monotonic() + TIMEOUT
        while until not in shown:
            ready, _, _ = select.select([self._terminal], [], [], max(deadline - time.monotonic(), 0))
            assert ready, (keys, shown)
            shown += os.read(self._terminal, 4096)
        return shown


@pytest.fixture
def bash(home: Home) -> Iterator[Bash]:
    made = Bash(home)
    yield made
    made.close()


def test_bash_completes_what_is_typed(home: Home, bash: Bash) -> None:
    script = "cd $C3_ARTIFACTS_DIR; mkdir -p deep 'two words' größe:x; touch deep/file 'two words/a file' größe:x/a=b"
    job = home.deploy("completed", script)
    made = f"/jobs/{job}/artifacts"
    for typed, completed in (
        ("c3 sho", "c3 show "),
        ("c3 show job_", f"c3 show {job} "),
        ("c3 data ls /pro", "c3 data ls /projects/"),
        ("c3 data ls /projects/completed/jobs/@l", "c3 data ls /projects/completed/jobs/@last/"),
        ("c3 data ls /projects/completed/jobs/@", "c3 data ls /projects/completed/jobs/@last/"),
        ("c3 data ls /projects/completed/source/@v", "c3 data ls /projects/completed/source/@v1/"),
        (f"c3 data ls {made}/deep/", f"c3 data ls {made}/deep/file "),
        (f"c3 data ls {made}/t", f"c3 data ls {made}/two\\ words/"),
        (f"c3 data ls {made}/two\\ wor", f"c3 data ls {made}/two\\ words/"),
        (f"c3 data ls {made}/two\\ words/", f"c3 data ls {made}/two\\ words/a\\ file "),
        (f'c3 data ls "{made}/two wor', f'c3 data ls "{made}/two words/"'),
        (f'c3 data ls "{made}/two words/', f'c3 data ls "{made}/two words/a file" '),
        (f'c3 data ls {made}/"two wor', f'c3 data ls {made}/"two words/"'),
        (f"c3 data ls {made}/gr", f"c3 data ls {made}/größe:x/"),
        (f"c3 data ls {made}/größe:x/a", f"c3 data ls {made}/größe:x/a=b "),
        (f"c3 show {made}/../..; c3 logs /jobs/", f"c3 show {made}/../..; c3 logs /jobs/{job} "),
        ("c3 show @", "c3 show @last "),
        ("c3 squeue --state=failed,run", "c3 squeue --state=failed,running "),
        ("c3 show nothing", "c3 show nothing"),
    ):
        # After Tab, the line is made an argument of echo: what bash shows while it completes moves the cursor about.
        keys = typed.encode() + TAB + TO_BEGINNING + b"echo 'LINE:" + TO_END + b":'; echo EN''D\n"
        shown = bash.type(keys, until=b"\nEND\r\n").decode()
        assert re.findall(r"\nLINE:(.*):\r\n", shown) == [completed], shown
