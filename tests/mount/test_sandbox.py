"""The private world of a job, with real namespaces, as root and as an ordinary user.

What is mounted is a tmpfs (tests.support.sandbox_program): these tests are about where, for whom and how long.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Final

import pytest

from c3fs.agent.init import parents
from c3fs.agent.outcome import exit_code
from c3fs.agent.protocol import End, MountStatistics
from tests.support.programs import eventually
from tests.support.requirements import ORDINARY_UID
from tests.support.sandboxes import TIMEOUT, Agent, Sandboxed, assert_ended, open_pidfds

USERS: Final = (
    pytest.param(0, id="as-is", marks=pytest.mark.namespaces),
    pytest.param(ORDINARY_UID, id="ordinary", marks=pytest.mark.ordinary_user),
)
FORBIDDEN: Final = (
    *("unshare", "--user", "--map-root-user", "--", "sh", "-c"),
    'for kind in mnt user; do echo 0 >/proc/sys/user/max_${kind}_namespaces; done; exec "$@"',
    "sh",
)
"""A command's prefix: in a user namespace that allows none below it, as some machines do for everybody."""


@pytest.fixture(params=USERS)
def job(request: pytest.FixtureRequest) -> Iterator[Sandboxed]:
    sandboxed = Sandboxed(request.param)
    yield sandboxed
    left = sandboxed.host_mounts()
    sandboxed.close()
    assert left == []


# --- where mounts appear ---------------------------------------------------------------------------------


def test_mount_below_a_directory_the_machine_does_not_have(job: Sandboxed) -> None:
    top = job.absent
    result = job.run(job.launch(f"cat {top}/deep/x/ref; ls {top}", {f"{top}/deep/x": "/jobs/a"}))
    assert (result.end, result.returncode) == (End.EXITED, 0)
    assert "/jobs/adeep\n" in job.log
    assert f"c3: mounted /jobs/a at {top}/deep/x\n" in job.log
    assert not os.path.exists(top)


def test_the_rest_of_the_machine_is_as_it_was(job: Sandboxed) -> None:
    names = sorted([*os.listdir("/"), job.absent[1:]])
    script = f"ls -A / | sort > names; stat -c %F /bin /etc/passwd > kinds; touch {job.host}/sub/new"
    assert job.run(job.launch(script, {job.absent: "/jobs/a"})).returncode == 0
    with open(f"{job.workdir}/names", encoding="utf-8") as file:
        assert sorted(file.read().split()) == names
    with open(f"{job.workdir}/kinds", encoding="utf-8") as file:
        kinds = file.read().splitlines()
    assert kinds == ["symbolic link" if os.path.islink("/bin") else "directory", "regular file"]
    assert os.path.exists(f"{job.host}/sub/new")


def test_mount_over_a_directory_with_content(job: Sandboxed) -> None:
    result = job.run(job.launch(f"ls {job.host}/sub; ls {job.host}", {f"{job.host}/sub": "/jobs/a"}))
    assert result.returncode == 0
    assert job.log.endswith("ref\nfile\nlink\nsub\n")
    assert os.listdir(f"{job.host}/sub") == []
    assert "vanishes" not in job.log


def test_mount_in_a_directory_with_content_keeps_the_content(job: Sandboxed) -> None:
    script = f"""
        cd {job.host}; ls; cat file new/ref far/off/ref
        echo more >> file; echo more > sub/more; echo more > more; [ -L link ] && cat link/more
    """
    mounts = {f"{job.host}/new": "/jobs/a", f"{job.host}/far/off": "/jobs/b"}
    assert job.run(job.launch(script, mounts)).returncode == 0
    assert "far\nfile\nlink\nnew\nsub\nof the host\n/jobs/a/jobs/bmore\n" in job.log
    assert f"c3: note: what the script adds to {job.host} itself is lost when the job ends\n" in job.log
    assert sorted(os.listdir(job.host)) == ["file", "link", "sub"]
    assert os.listdir(f"{job.host}/sub") == ["more"]
    with open(f"{job.host}/file", encoding="utf-8") as file:
        assert file.read() == "of the host\nmore\n"


def test_mount_in_a_directory_that_has_the_job_in_it(job: Sandboxed) -> None:
    """The one that is replaced may be the one that the replacement is made in."""
    result = job.run(job.launch(f"ls {job.base}; cat {job.base}/new/ref > out", {f"{job.base}/new": "/jobs/a"}))
    assert result.returncode == 0
    assert job.log.endswith("host\njob\nnew\n")
    assert os.listdir(job.workdir) == ["out"]


def test_mounts_here_and_there_at_once(job: Sandboxed) -> None:
    places = [f"{job.absent}/x", f"{job.host}/new", f"{job.host}/sub", f"{job.workdir}/in/side"]
    mounts = {place: f"/jobs/{number}" for number, place in enumerate(places)}
    script = "\n".join(f"cat {place}/ref" for place in places)
    result = job.run(job.launch(script, mounts))
    assert result.returncode == 0
    assert "/jobs/0/jobs/1/jobs/2/jobs/3" in job.log
    assert [report.mount.target.decode() for report in result.mounts] == places
    assert {report.statistics for report in result.mounts} == {MountStatistics(2048, 1, 3)}
    assert os.listdir(f"{job.workdir}/in/side") == []


def test_the_mounts_are_not_seen_outside_while_the_job_runs(job: Sandboxed) -> None:
    agent = job.start(job.launch("echo here; sleep 60", {f"{job.absent}/x": "/jobs/a"}))
    agent.wait_for("here\n")
    assert job.host_mounts() == []
    assert not os.path.exists(job.absent)
    agent.process.send_signal(signal.SIGTERM)
    assert agent.result().end is End.CANCELED


def test_mounts_of_a_shared_machine_come_in_and_ours_do_not_go_out(job: Sandboxed) -> None:
    """A machine's mounts are shared, as systemd makes them; a home may be mounted on demand while the job runs."""
    mounts = {f"{job.host}/new": "/jobs/a", f"{job.host}/sub/old": "/jobs/b"}
    os.mkdir(f"{job.host}/sub/old")
    os.mkdir(f"{job.host}/sub/late")
    outside = f"""
        mount --bind {job.host}/sub {job.host}/sub && mount --make-shared {job.host}/sub || exit 8
        "$@" & until grep -qs ^here {job.log_path}; do sleep 0.01; done
        grep -c "{job.host}/sub/old" /proc/self/mountinfo > {job.base}/seen
        mount -t tmpfs late {job.host}/sub/late && touch {job.host}/sub/late/done; wait $!
    """
    script = f"echo here; until [ -e {job.host}/sub/late/done ]; do sleep 0.01; done; cat {job.host}/sub/old/ref"
    prefix = ("unshare", "--user", "--map-root-user", "--mount", "--", "sh", "-c", outside, "sh")
    result = job.run(job.launch(script, mounts, time_limit=20), prefix)
    assert (result.end, result.returncode) == (End.EXITED, 0)
    assert job.log.endswith("/jobs/b")
    with open(f"{job.base}/seen", encoding="utf-8") as file:
        assert file.read() == "0\n"


def test_too_many_names_beside_a_mount_point(job: Sandboxed) -> None:
    for number in range(4100):
        os.mkdir(f"{job.host}/{number}")
    result = job.run(job.launch("true", {f"{job.host}/new": "/jobs/a"}))
    assert result.end is End.MOUNT_FAILED
    assert result.error.startswith(f"{job.host} has more than 4096 names; make the mount points")


@pytest.mark.parametrize("target", ["{host}/file", "{host}/file/below", "{workdir}/script/below"])
def test_a_file_in_the_way(job: Sandboxed, target: str) -> None:
    os.symlink("../script", f"{job.workdir}/script")
    path = target.format(host=job.host, workdir=job.workdir)
    result = job.run(job.launch("true", {path: "/jobs/a"}))
    assert result.end is End.MOUNT_FAILED
    assert os.path.dirname(path) in result.error


# --- the script ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mounted", [False, True], ids=["bare", "mounted"])
@pytest.mark.parametrize(
    ("script", "returncode"),
    [("exit 0", 0), ("exit 7", 7), ("false\ntrue", 0), ("kill -9 $$", -9), ("kill -TERM $$", -15), ("nope", 127)],
)
def test_how_the_script_ends(job: Sandboxed, mounted: bool, script: str, returncode: int) -> None:
    result = job.run(job.launch(script, {job.absent: "/jobs/a"} if mounted else {}))
    assert (result.end, result.returncode) == (End.EXITED, returncode)


def test_what_the_script_finds(job: Sandboxed) -> None:
    script = """
        pwd; id -u; id -g; echo "$C3_TEST|$HOME|"; cat; echo pid $$; tail -1 /proc/self/stat | cut -d' ' -f6
        grep -E 'Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd; kill -0 1 2>/dev/null; ps ax | wc -l
    """
    environment = {b"C3_TEST": "Zoë \udcff".encode("utf-8", "surrogateescape")}
    assert job.run(job.launch(script, environment=environment), ("nohup",)).returncode == 0
    lines = job.log.splitlines()
    uid = str(job.uid or os.getuid())
    assert lines[:3] == [job.workdir, uid, str(job.uid or os.getgid())]
    assert lines[3] == "Zoë \udcff||"
    assert lines[4] == "pid 2"
    assert lines[5] == "2"  # a session of its own
    assert {line.split()[1] for line in lines if line.startswith("Sig")} == {"0" * 16}
    assert [line for line in lines[8:] if line.isdigit()][:3] == ["0", "1", "2"]


@pytest.mark.campaign
def test_a_long_script(job: Sandboxed) -> None:
    """The sandbox ends with the thread that started it, and trio's worker threads end after ten idle seconds."""
    assert job.run(job.launch("sleep 15; exit 6")).returncode == 6


def test_unicode_and_an_unfinished_last_line(job: Sandboxed) -> None:
    launch = job.launch("mkdir -p 'größe 目'; echo -n 'ε > 0' | tee 'größe 目/x'", {job.absent: "/jobs/a"})
    assert job.run(launch).returncode == 0
    assert job.log.endswith("\nε > 0")
    assert os.listdir(f"{job.workdir}/größe 目") == ["x"]


def test_files_keep_the_users_own_name(job: Sandboxed) -> None:
    assert job.run(job.launch("touch mine", {job.absent: "/jobs/a"})).returncode == 0
    assert os.stat(f"{job.workdir}/mine").st_uid == (job.uid or os.getuid())


def test_no_working_directory(job: Sandboxed) -> None:
    launch = job.launch("true")
    os.rmdir(job.workdir)
    result = job.run(launch)
    assert result.end is End.BROKEN
    assert result.error == f"cannot start the script: {job.workdir}: No such file or directory"


# --- how it ends -----------------------------------------------------------------------------------------

DAEMON: Final = """
trap '' TERM
(setsid bash -c 'trap "" TERM HUP; (trap "" TERM; echo $BASHPID > daemon; exec sleep 61) & exec sleep 62' &)
until [ -s daemon ]; do sleep 0.01; done
"""


@pytest.mark.parametrize(("end", "returncode"), [("exit 4", 4), ("kill -9 $$", -9), ("kill -9 -1", 0)])
def test_daemons_die_with_the_script(job: Sandboxed, end: str, returncode: int) -> None:
    agent = job.start(job.launch(f"{DAEMON}\necho started\nsleep 0.2\n{end}", grace=0.5))
    agent.wait_for("started")
    fds = open_pidfds(agent.descendants())
    assert len(fds) >= 4
    result = agent.result()
    assert (result.end, result.returncode) == (End.EXITED, returncode)
    assert_ended(fds, within=0)


def test_a_process_that_is_about_to_end_may(job: Sandboxed) -> None:
    """As `tee` in `exec > >(tee log)` is: it has to read the script's last lines yet."""
    assert job.run(job.launch("(trap '' HUP; sleep 0.3; echo last) &\nexit 0")).returncode == 0
    assert job.log == "last\n"


def test_time_limit(job: Sandboxed) -> None:
    script = "trap 'echo told; exit 0' TERM; echo waiting; while :; do sleep 0.05; done"
    result = job.run(job.launch(script, {job.absent: "/jobs/a"}, time_limit=0.5))
    assert (result.end, result.returncode) == (End.TIMED_OUT, 0)
    assert "waiting\n" in job.log
    assert job.log.endswith("told\n")


def test_time_limit_of_a_script_that_does_not_listen(job: Sandboxed) -> None:
    result = job.run(job.launch(f"{DAEMON}\nsleep 60", time_limit=0.5, grace=0.3))
    assert (result.end, result.returncode) == (End.TIMED_OUT, -9)


def test_the_time_limit_is_the_scripts_alone(job: Sandboxed) -> None:
    """Neither mounting nor ending what it left counts."""
    result = job.run(job.launch("(trap '' TERM HUP; exec sleep 60) &\nexit 0", time_limit=1.5, grace=1.0))
    assert (result.end, result.returncode) == (End.EXITED, 0)


def test_cancel_while_the_script_runs(job: Sandboxed) -> None:
    agent = job.start(job.launch("echo running; sleep 60", {job.absent: "/jobs/a"}))
    agent.wait_for("running")
    agent.process.send_signal(signal.SIGTERM)
    result = agent.result()
    assert (result.end, result.returncode) == (End.CANCELED, -15)
    assert result.mounts[0].statistics is not None


@pytest.mark.parametrize("end", [End.CANCELED, End.TIMED_OUT])
def test_daemons_die_with_a_script_that_is_ended(job: Sandboxed, end: End) -> None:
    """Double forks, sessions of their own, deaf to SIGTERM and SIGHUP, and one that forks all the time."""
    forks = "(setsid nohup bash -c 'trap \"\" TERM; while :; do (sleep 63 &); sleep 0.05; done' > nohup 2>&1 &)"
    limit = 1.5 if end is End.TIMED_OUT else None
    script = f"{DAEMON}\n{forks}\ntrap 'echo told' TERM; echo started; while :; do sleep 64 & wait; done"
    agent = job.start(job.launch(script, {job.absent: "/jobs/a"}, time_limit=limit, grace=0.5))
    agent.wait_for("started")
    fds = open_pidfds(agent.descendants())
    assert len(fds) >= 7  # sandbox, server, init, script, two daemons, and the one that forks
    if end is End.CANCELED:
        agent.process.send_signal(signal.SIGTERM)
    result = agent.result()
    assert (result.end, result.returncode) == (end, -9)
    assert "told\n" in job.log
    assert_ended(fds, within=0)
    assert [pid for pid in parents() if working_directory(pid).startswith(job.workdir)] == []


def working_directory(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:  # it has ended
        return ""


def test_cancel_reaches_what_is_stopped(job: Sandboxed) -> None:
    agent = job.start(job.launch("sleep 60 & echo running; kill -STOP $! $$"))
    agent.wait_for("running")
    agent.process.send_signal(signal.SIGTERM)
    assert agent.result().end is End.CANCELED


def test_cancel_while_mounting(job: Sandboxed) -> None:
    agent = job.start(job.launch("echo ran", {job.absent: "/jobs/silent"}))
    eventually("the server is there", lambda: len(agent.descendants()) == 2)
    agent.process.send_signal(signal.SIGTERM)
    result = agent.result()
    assert (result.end, result.returncode) == (End.CANCELED, None)
    assert "ran" not in job.log


def test_kill_minus_one_does_not_reach_the_mounts(job: Sandboxed) -> None:
    script = f"trap '' TERM; kill -TERM -1; kill -9 1; kill -TERM 1; cat {job.absent}/ref"
    result = job.run(job.launch(script, {job.absent: "/jobs/a"}))
    assert (result.end, result.returncode) == (End.EXITED, 0)
    assert job.log.endswith("/jobs/a")


# --- kill -9 of the agent --------------------------------------------------------------------------------


def kill_and_check(agent: Agent) -> None:
    assert_ended(agent.kill())


def test_kill_9_while_the_script_and_its_daemons_run(job: Sandboxed) -> None:
    agent = job.start(job.launch(f"{DAEMON}\necho started; sleep 60", {job.absent: "/jobs/a"}))
    agent.wait_for("started")
    assert len(agent.descendants()) >= 6  # sandbox, server, init, script, two daemons
    kill_and_check(agent)


def test_kill_9_while_mounting(job: Sandboxed) -> None:
    agent = job.start(job.launch("true", {job.absent: "/jobs/silent"}))
    eventually("the server is there", lambda: len(agent.descendants()) == 2)
    kill_and_check(agent)


def test_kill_9_while_the_job_is_being_ended(job: Sandboxed) -> None:
    agent = job.start(job.launch(f"{DAEMON}\necho started; sleep 60", {job.absent: "/jobs/a"}, grace=50))
    agent.wait_for("started")
    agent.process.send_signal(signal.SIGTERM)
    kill_and_check(agent)


def test_kill_9_while_it_unmounts(job: Sandboxed) -> None:
    agent = job.start(job.launch("echo done", {job.absent: "/jobs/deaf"}))
    agent.wait_for("done")
    kill_and_check(agent)


@pytest.mark.parametrize("after", [0, 1, 2])
def test_kill_9_while_it_starts(job: Sandboxed, after: int) -> None:
    """As soon as there are so many processes below the agent, whatever they are doing."""
    agent = job.start(job.launch("sleep 60", {job.absent: "/jobs/a"}))
    eventually(f"more than {after} processes", lambda: len(agent.descendants()) > after)
    kill_and_check(agent)


def test_kill_9_of_the_sandbox_itself(job: Sandboxed) -> None:
    agent = job.start(job.launch("echo started; sleep 60", {job.absent: "/jobs/a"}))
    agent.wait_for("started")
    below = agent.descendants()
    fds = open_pidfds(below)
    os.kill(min(below), signal.SIGKILL)
    agent.process.communicate(timeout=TIMEOUT)
    assert agent.process.returncode == 1
    assert_ended(fds)


# --- mounts that fail ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manner", "error"),
    [
        ("refused", "cannot mount /jobs/refused: the store has no such blob"),
        ("crashing", "cannot mount /jobs/crashing: its process ended before it was mounted; the log has more"),
        ("silent", "cannot mount /jobs/silent: it was not ready in time"),
    ],
)
def test_a_mount_that_fails(job: Sandboxed, manner: str, error: str) -> None:
    mounts = {f"{job.absent}/a": "/jobs/a", f"{job.absent}/b": f"/jobs/{manner}"}
    result = job.run(job.launch("echo ran", mounts, mount_timeout=1.0))
    assert (result.end, result.returncode, result.error) == (End.MOUNT_FAILED, None, error)
    assert "ran\n" not in job.log


def test_a_mount_that_ends_too_early(job: Sandboxed) -> None:
    """The script finds out by itself; the log says why."""
    result = job.run(job.launch("sleep 0.3; exit 5", {job.absent: "/jobs/fleeting"}))
    assert (result.end, result.returncode) == (End.EXITED, 5)
    assert f"warning: the mount of /jobs/fleeting at {job.absent} has ended before the job" in job.log


@pytest.fixture
def fuse_job() -> Iterator[Sandboxed]:
    sandboxed = Sandboxed(0)
    yield sandboxed
    left = sandboxed.host_mounts()
    sandboxed.close()
    assert left == []


@pytest.mark.mounts
@pytest.mark.namespaces
@pytest.mark.parametrize("cancel", [True, False])
def test_a_process_that_waits_for_a_dead_mount_does_not_keep_the_job(fuse_job: Sandboxed, cancel: bool) -> None:
    """SIGKILL does not reach it before the kernel has an answer, or the mount has no server any more."""
    job = fuse_job
    script = f"cat {job.absent}/x &\nuntil grep -q request_wait /proc/$!/wchan; do sleep 0.01; done\necho waiting"
    launch = job.launch(f"{script}\n{'wait' if cancel else 'exit 4'}", {job.absent: "/jobs/hanging"}, grace=0.2)
    agent = job.start(launch)
    agent.wait_for("waiting")
    fds = open_pidfds(agent.descendants())
    if cancel:
        agent.process.send_signal(signal.SIGTERM)
    result = agent.result()
    assert (result.end, result.returncode) == ((End.CANCELED, -15) if cancel else (End.EXITED, 4))
    assert_ended(fds, within=0)


@pytest.mark.mounts
@pytest.mark.namespaces
def test_kill_9_while_a_process_waits_for_a_dead_mount(fuse_job: Sandboxed) -> None:
    agent = fuse_job.start(fuse_job.launch(f"echo here; cat {fuse_job.absent}/x", {fuse_job.absent: "/jobs/hanging"}))
    agent.wait_for("here")
    kill_and_check(agent)


# --- where namespaces are forbidden ----------------------------------------------------------------------


def test_forbidden_namespaces_with_data_sets(job: Sandboxed) -> None:
    result = job.run(job.launch("echo ran", {job.absent: "/jobs/a"}), FORBIDDEN)
    assert result.end is End.MOUNT_FAILED
    assert "private namespaces are not permitted" in result.error
    assert "sysctl -w user.max_user_namespaces=15000" in result.error
    assert job.log == ""


def test_forbidden_namespaces_without_data_sets(job: Sandboxed) -> None:
    agent = job.start(job.launch(f"{DAEMON}\necho started; sleep 0.2; exit 3", grace=0.5), FORBIDDEN)
    agent.wait_for("started")
    fds = open_pidfds(agent.descendants())
    result = agent.result()
    assert (result.end, result.returncode) == (End.EXITED, 3)
    assert job.log.startswith("c3: private namespaces are not permitted here; the job runs without them\n")
    assert_ended(fds, within=0)


def test_forbidden_namespaces_and_kill_9(job: Sandboxed) -> None:
    agent = job.start(job.launch(f"{DAEMON}\necho started; sleep 60"), FORBIDDEN)
    agent.wait_for("started")
    kill_and_check(agent)


def test_forbidden_namespaces_and_cancel(job: Sandboxed) -> None:
    agent = job.start(job.launch(f"{DAEMON}\necho started; sleep 60", grace=0.3), FORBIDDEN)
    agent.wait_for("started")
    agent.process.send_signal(signal.SIGTERM)
    result = agent.result()
    # bash is killed itself, or sees that before: then it says of the sleep that it was.
    assert (result.end, exit_code(result.returncode)) == (End.CANCELED, 137)
