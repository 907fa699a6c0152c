"""The same programs for an ordinary user: fusermount3 for mounts by hand, a user namespace for those of jobs.

Everything runs in a private mount namespace whose /dev/fuse everybody may open, as distributions have it; the
machine's own stays as it is.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.requirements import ORDINARY_UID, ordinary_python

pytestmark = pytest.mark.ordinary_user

REPOSITORY = Path(__file__).resolve().parents[2]

AS_USER = r"""
set -eu
mknod -m 666 "$BASE/fuse" c 10 229
mount --bind "$BASE/fuse" /dev/fuse
exec setpriv --reuid="$WHO" --regid="$WHO" --clear-groups --inh-caps=-all bash -c "$1"
"""

PRELUDE = r"""
set -eu
cd "$BASE/place"
c3() { "$PYTHON" -P -m c3fs.cli.c3 "$@"; }
c3fs() { "$PYTHON" -P -m c3fs.cli.c3fs "$@"; }
mkdir -p one two mnt
"""


class User:
    def __init__(self, base: Path) -> None:
        self.base = base
        place = base / "place"
        place.mkdir()
        os.chown(place, ORDINARY_UID, ORDINARY_UID)
        python = ordinary_python()
        assert python is not None
        self.environment = {
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(place),
            "BASE": str(base),
            "WHO": str(ORDINARY_UID),
            "PYTHON": python,
            "PYTHONPATH": f"{REPOSITORY}:{sysconfig.get_path('purelib')}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run it as the user; bash's `c3` and `c3fs` are the programs."""
        command = ["unshare", "--mount", "bash", "-c", AS_USER, "as-user", PRELUDE + script]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=110, check=False, cwd="/"
        )


@pytest.fixture
def user() -> Iterator[User]:
    """Of a place of their own: pytest's directories are for root alone."""
    base = Path(tempfile.mkdtemp(prefix="c3fs-user-"))
    base.chmod(0o755)
    yield User(base)
    shutil.rmtree(base)


def test_a_chain_and_a_mount_by_hand(user: User) -> None:
    done = user.run(r"""
    printf 'script: run.sh\noutput: [out]\n' > one/.c3
    printf 'id -u; mkdir out; seq 100000 > out/numbers; chmod 600 out/numbers\n' > one/run.sh
    first=$(c3 deploy -f one | sed 1q\;d); c3 logs -f $first >&2
    printf 'script: run.sh\ndatasets:\n- {ref: /jobs/%s, mount: /data/prev}\n- {ref: /jobs/%s/out, mount: in}\n' \
        $first $first > two/.c3
    printf 'id -u; cmp in/numbers /data/prev/out/numbers; sha256sum < in/numbers; touch in/x || true\n' > two/run.sh
    c3 deploy -f two
    c3fs mount /jobs/$first/out mnt
    sha256sum < mnt/numbers
    stat -c '%u %a' mnt/numbers
    touch mnt/x || true
    c3fs mounts
    c3fs umount mnt
    ls -A mnt
    ls -d /data 2>&1 || true
    test $(stat -c %a .local/share/c3) = 700 && test $(stat -c %a .cache/c3) = 700 && echo private
    """)
    digest = subprocess.run("seq 100000 | sha256sum", shell=True, capture_output=True, text=True, check=True).stdout
    assert done.returncode == 0, done
    lines = done.stdout.splitlines()
    assert lines.count(digest.strip()) == 2
    assert str(ORDINARY_UID) in lines
    assert f"{ORDINARY_UID} 400" in lines
    assert "private" in lines
    assert done.stdout.count("Read-only file system") + done.stderr.count("Read-only file system") == 2
    assert "cannot access '/data'" in done.stdout
    assert re.search(r"/jobs/job_\S+ +\S+/mnt +live", done.stdout)


def test_what_cannot_be_read_of_a_project_is_one_error(user: User) -> None:
    done = user.run(r"""
    printf 'script: run.sh\n' > one/.c3
    printf 'cat sub/x\n' > one/run.sh
    mkdir one/sub && echo text > one/sub/x && chmod 0 one/sub/x
    set +e
    c3 deploy one; echo $?
    chmod 644 one/sub/x; chmod 0 one/sub
    c3 deploy one; echo $?
    chmod 755 one/sub; echo '*' > one/.c3ignore; chmod 0 one/.c3ignore
    c3 deploy one; echo $?
    c3 squeue --json; ls .local/share/c3/jobs
    echo sub >> one/secret; chmod 0 one/secret; rm -f one/.c3ignore; echo secret > one/.c3ignore
    c3 deploy -f one; echo $?
    """)
    lines = done.stdout.splitlines()
    assert (lines[:4], lines[-1]) == (["8", "8", "2", "[]"], "0"), done
    assert "text" in lines
    place = f"{user.base}/place/one"
    hint = "cannot be read: Permission denied; what a job does not need can be named in .c3ignore"
    assert done.stderr.splitlines()[:3] == [
        f"c3: error: {place}/sub/x: {hint}",
        f"c3: error: {place}/sub: {hint}",
        f"c3: error: {place}/.c3ignore:1: cannot be read: Permission denied",
    ]


def test_a_store_that_may_not_be_written_to(user: User) -> None:
    done = user.run(r"""
    printf 'script: run.sh\n' > one/.c3
    printf 'echo x > $C3_ARTIFACTS_DIR/x; chmod -R a-w $HOME/.local/share/c3/store; echo of the script\n' > one/run.sh
    set +e
    c3 deploy -f one; echo $?
    chmod -R u+w .local/share/c3/store
    cat .local/share/c3/jobs/*/work/artifacts/x
    c3 squeue --json
    """)
    *log, code, kept, jobs = done.stdout.splitlines()
    assert (code, kept) == ("1", "x"), done
    assert "of the script" in log
    (job,) = json.loads(jobs)
    assert (job["status"], job["reason"], job["exit_code"]) == ("FAILED", "UPLOAD_ERROR", 0)
    assert "Permission denied; give this user the right to read and write there" in done.stdout
    assert f"c3: the working directory is kept: {user.base}/place/.local/share/c3/jobs/" in done.stderr


def test_what_root_must_allow_is_said(user: User) -> None:
    done = user.run(r"""
    printf 'script: "true"\n' > one/.c3
    first=$(c3 deploy -f one | sed 1q\;d); c3 logs -f $first >&2
    set +e
    c3fs mount --allow-other /jobs/$first mnt; echo $?
    c3fs mount /jobs/$first /; echo $?
    mkdir mnt/x && chmod 555 mnt
    c3fs mount /jobs/$first mnt; echo $?
    grep -c "$BASE.*fuse.c3fs" /proc/self/mountinfo
    """)
    assert done.stdout.split() == ["5", "5", "5", "0"], done
    assert "user_allow_other in /etc/fuse.conf" in done.stderr
    assert "must be able to write to the mountpoint" in done.stderr


def test_python_is_what_the_tests_run(user: User) -> None:
    """Else the tests above would test another interpreter's packages."""
    done = user.run('"$PYTHON" -c "import sys; print(sys.version_info[:2])"')
    assert done.stdout.strip() == str(sys.version_info[:2])
