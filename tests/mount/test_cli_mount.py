"""`c3fs mount`, `umount` and `mounts`: the real programs, the real kernel."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from c3fs.fuse.mounts import find_mount
from tests.support.programs import BIN, TIMEOUT, Home, eventually, is_mounted, own_home, server_of

pytestmark = pytest.mark.mounts

REST_MAX = 60 << 20
"""Bytes of memory a mount may hold at rest."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    yield from own_home(tmp_path_factory.mktemp("mount"))


@pytest.fixture(scope="module")
def job(home: Home) -> str:
    """A finished job with a few artifacts."""
    script = """
    mkdir -p out/deep
    echo 42 > out/answer; ln -s answer out/link; head -c 700000 /dev/zero | tr '\\0' x > out/deep/large
    echo '{}' > $C3_ARTIFACTS_DIR/metrics.json
    """
    return home.deploy("made", script, "output: [out]\n")


@pytest.fixture
def mnt(home: Home) -> Iterator[Path]:
    """A mountpoint; what a test leaves mounted there is unmounted."""
    path = home.mountpoint()
    yield path
    if find_mount(str(path)) is not None:
        home.c3fs("umount", "--lazy", str(path))


def state_of(home: Home, mountpoint: Path) -> str:
    (state,) = [row["state"] for row in home.c3fs("mounts", "--json").json if row["mountpoint"] == str(mountpoint)]
    return state


def test_a_mount_is_live_when_the_command_returns(home: Home, job: str, mnt: Path) -> None:
    done = home.c3fs("mount", f"/jobs/{job}", str(mnt))
    assert (done.out, done.err) == ("", "")
    assert (mnt / "out" / "answer").read_text() == "42\n"
    assert (mnt / "artifacts" / "metrics.json").read_text() == "{}\n"
    assert (mnt / "out" / "link").readlink() == Path("answer")
    assert {"ref": f"/jobs/{job}", "mountpoint": str(mnt), "state": "live"} in home.c3fs("mounts", "--json").json
    pid = server_of(mnt)
    home.c3fs("umount", str(mnt))
    assert not is_mounted(mnt)
    eventually("the serving process ends", lambda: not os.path.exists(f"/proc/{pid}"))


def test_a_sub_path_mounts_that_directory_alone(home: Home, job: str, mnt: Path) -> None:
    home.c3fs("mount", f"/projects/made/jobs/{job}/out/deep/", str(mnt))
    assert os.listdir(mnt) == ["large"]
    assert (mnt / "large").stat().st_size == 700_000


@pytest.mark.parametrize("which", ["@last", "@name:made"])
def test_what_a_name_means_is_frozen_when_it_is_mounted(home: Home, job: str, mnt: Path, which: str) -> None:
    done = home.c3fs("mount", f"/projects/made/jobs/{which}/out", str(mnt))
    assert done.err == f"c3fs: /projects/made/jobs/{which} is /jobs/{job}\n"
    assert (mnt / "answer").read_text() == "42\n"
    assert f"/jobs/{job}/out" in [row["ref"] for row in home.c3fs("mounts", "--json").json]


def test_what_is_mounted_by_hand_is_not_deleted(home: Home, mnt: Path) -> None:
    job = home.deploy("deleted", "echo 1 > $C3_ARTIFACTS_DIR/x")
    home.c3fs("mount", f"/jobs/{job}/artifacts", str(mnt))
    refused = home.c3("data", "rm", "-y", f"/projects/deleted/jobs/{job}", code=4)
    assert refused.err == f"c3: error: /jobs/{job} is mounted at {mnt}; `c3fs umount {mnt}`, or --force\n"
    assert (mnt / "x").read_text() == "1\n"
    home.c3("data", "rm", "-y", "--force", f"/jobs/{job}")
    assert "was deleted on" in home.c3fs("mount", f"/jobs/{job}", str(mnt), code=3).err


def test_the_serving_process_is_small_and_holds_no_folder(home: Home, job: str, mnt: Path) -> None:
    home.c3fs("mount", f"/jobs/{job}", "mnt")
    pid = server_of(mnt)
    status = Path(f"/proc/{pid}/status").read_text()
    resident = int(status.split("VmRSS:")[1].split()[0]) << 10
    assert resident < REST_MAX
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert os.getpgid(pid) == pid  # of a session of its own: a closed terminal does not end it


def test_the_serving_process_loads_nothing_it_does_not_need() -> None:
    code = "import sys, c3fs.cli.serving; print(*sys.modules)"
    out = subprocess.run([f"{BIN}/python", "-P", "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(out.stdout.split())
    assert {"pyfuse3", "lmdb"} <= loaded
    unwanted = {"sqlalchemy", "click", "rich", "fastcdc", "yaml", "platformdirs"}
    assert not loaded & unwanted
    assert not {name for name in loaded if name.startswith(("c3fs.publish.", "c3fs.registry.sql", "c3fs.agent."))}


@pytest.mark.parametrize(
    ("ref", "code", "why"),
    [
        ("/jobs/{job}/missing", 3, "missing: no such file or directory"),
        ("/jobs/{job}/out/answer", 3, "out/answer: not a directory"),
        ("/jobs/{job}/out/answer/x", 3, "out/answer: not a directory"),
        ("/jobs/job_1700000000000_abc123", 3, "/jobs/job_1700000000000_abc123: no such ref"),
        ("/projects/other/jobs/{job}", 3, "no such ref"),
        ("/datasets/none", 3, "/datasets/none: no such ref"),
        ("/jobs/../x", 2, "not a ref: '/jobs/../x'"),
        ("", 2, "not a ref: '': it is empty"),
        ("/", 2, "names no job"),
        ("jobs/{job}", 2, "does not start with a slash"),
        ("/jobs/{job}/a\nb", 2, "control character"),
        ("/jobs/{job}/../../x", 2, "is reserved"),
        ("/jobs/{job}//out", 2, "is empty"),
    ],
)
def test_a_ref_that_cannot_be_mounted_is_refused(
    home: Home, job: str, mnt: Path, ref: str, code: int, why: str
) -> None:
    done = home.c3fs("mount", ref.format(job=job), str(mnt), code=code)
    assert done.err.startswith("c3fs: error: ")
    assert done.err.count("\n") == 1
    assert why in done.err
    assert not is_mounted(mnt)


def test_a_mountpoint_must_be_a_directory(home: Home, job: str) -> None:
    (home.root / "file").write_text("")
    for name, why in (("missing", "no such directory; make it first"), ("file", "Not a directory")):
        done = home.c3fs("mount", f"/jobs/{job}", name, code=5)
        assert f"{home.root}/{name}: {why}" in done.err


def test_a_mountpoint_in_use_is_refused_and_a_full_one_noted(home: Home, job: str, mnt: Path) -> None:
    (mnt / "hidden").write_text("")
    try:
        done = home.c3fs("mount", f"/jobs/{job}", str(mnt))
        assert done.err == f"c3fs: {mnt} is not empty: the mount hides what is in it\n"
        again = home.c3fs("mount", f"/jobs/{job}", str(mnt), code=5)
        assert f"/jobs/{job} is mounted there" in again.err
        home.c3fs("umount", str(mnt))
    finally:
        (mnt / "hidden").unlink()


def test_two_mounts_of_one_mountpoint_at_once_leave_one(home: Home, job: str, mnt: Path) -> None:
    command = [f"{BIN}/c3fs", "mount", f"/jobs/{job}", str(mnt)]
    running = [subprocess.Popen(command, env=home.env, stderr=subprocess.DEVNULL) for _ in range(3)]
    assert sorted(process.wait(TIMEOUT) for process in running) == [0, 5, 5]
    home.c3fs("umount", str(mnt))
    assert not is_mounted(mnt)


def test_a_busy_mount_says_who_holds_it(home: Home, job: str, mnt: Path) -> None:
    home.c3fs("mount", f"/jobs/{job}", str(mnt))
    with (mnt / "out" / "answer").open():
        done = home.c3fs("umount", str(mnt), code=5)
        assert f"({os.getpid()})" in done.err
        assert "--lazy" in done.err
        home.c3fs("umount", "--lazy", str(mnt))
    assert not is_mounted(mnt)


def test_only_our_mounts_are_unmounted(home: Home, mnt: Path) -> None:
    for path in (str(mnt), "/proc", str(home.root / "nowhere")):
        assert "not a c3fs mount" in home.c3fs("umount", path, code=5).err
    assert os.path.ismount("/proc")


def test_what_a_killed_mount_left_is_cleared(home: Home, job: str, mnt: Path) -> None:
    for clear in (["umount", str(mnt)], ["mount", f"/jobs/{job}", str(mnt)]):
        home.c3fs("mount", f"/jobs/{job}", str(mnt))
        os.kill(server_of(mnt), signal.SIGKILL)
        eventually("the mount is dead", lambda: state_of(home, mnt) == "dead")
        home.c3fs(*clear)
    assert (mnt / "out" / "answer").read_text() == "42\n"


def test_a_stopped_server_is_silent_and_blocks_no_command(home: Home, job: str, mnt: Path) -> None:
    home.c3fs("mount", f"/jobs/{job}", str(mnt))
    pid = server_of(mnt)
    os.kill(pid, signal.SIGSTOP)
    try:
        assert state_of(home, mnt) in ("silent", "live")
        assert "is mounted there" in home.c3fs("mount", f"/jobs/{job}", str(mnt), code=5).err
        home.c3fs("umount", "--lazy", str(mnt))
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually("the serving process ends", lambda: not os.path.exists(f"/proc/{pid}"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_foreground_mount_unmounts_on_a_signal(home: Home, job: str, mnt: Path, number: signal.Signals) -> None:
    command = [f"{BIN}/c3fs", "mount", "--foreground", f"/jobs/{job}", str(mnt)]
    with subprocess.Popen(command, env=home.env, stderr=subprocess.PIPE) as process:
        eventually("the mount is live", lambda: is_mounted(mnt) and os.path.ismount(mnt))
        assert server_of(mnt) == process.pid
        descriptor = os.open(mnt / "out" / "answer", os.O_RDONLY)  # an open file does not hold it up
        process.send_signal(number)
        _, said = process.communicate(timeout=TIMEOUT)
        with pytest.raises(OSError, match="not connected"):
            os.close(descriptor)
    assert process.returncode == 0
    assert b"unmounting: " + number.name.encode() in said
    assert not is_mounted(mnt)


def test_a_foreground_mount_ends_when_it_is_unmounted(home: Home, job: str, mnt: Path) -> None:
    command = [f"{BIN}/c3fs", "mount", "--foreground", f"/jobs/{job}", str(mnt)]
    with subprocess.Popen(command, env=home.env, stderr=subprocess.DEVNULL) as process:
        eventually("the mount is live", lambda: is_mounted(mnt) and os.path.ismount(mnt))
        home.c3fs("umount", str(mnt))
        assert process.wait(TIMEOUT) == 0


def test_the_log_of_a_mount_has_its_life(home: Home, job: str, mnt: Path) -> None:
    home.c3fs("mount", f"/jobs/{job}", str(mnt))
    pid = server_of(mnt)
    home.c3fs("umount", str(mnt))
    (log,) = (home.root / "home" / "logs").glob("mount-*-mnt-*.log")

    def is_told() -> bool:
        text = log.read_text()
        return f"process {pid}" in text and text.splitlines()[-1].split(" ", 3)[3].startswith("unmounted ")

    eventually("the log tells of the unmount", is_told)


def test_a_mount_that_cannot_be_served_leaves_nothing(home: Home, tmp_path: Path) -> None:
    """The store has lost the root's blob: one line, the code for damage, nothing mounted, nobody left."""
    for own in own_home(tmp_path / "lost"):
        lost = own.deploy("lost", "echo x > $C3_ARTIFACTS_DIR/x")
        blob: str = own.c3fs("manifest", f"/jobs/{lost}").json["root"]["span"]["blob"]
        (own.root / "home" / "store" / blob[:2] / blob).unlink()
        point = own.mountpoint()
        done = own.c3fs("mount", f"/jobs/{lost}", str(point), code=7)
        assert done.err == f"c3fs: error: the store has no blob {blob}\n"
        assert not is_mounted(point)
        with pytest.raises(AssertionError):
            server_of(point)


def test_incomplete_artifacts_mount_with_a_warning(home: Home, mnt: Path) -> None:
    folder = home.project("failing", "script: run.sh\n", "echo 1 > $C3_ARTIFACTS_DIR/partial; exit 3")
    failed = home.c3("deploy", "-f", cwd=folder, code=1).out.split()[0]
    done = home.c3fs("mount", f"/jobs/{failed}", str(mnt))
    assert done.err.startswith(f"c3fs: /jobs/{failed} is incomplete: ")
    assert (mnt / "artifacts" / "partial").read_text() == "1\n"
