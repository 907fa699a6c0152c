"""A team's machines, killed and started again while a chain of jobs runs: it ends right, or says truthfully how not.

What is right is asked at the end, of whatever was killed when: a job that SUCCEEDED has its artifacts, byte for byte;
one that did not says why; the ledger says what the blobs of all manifests come to, and after a gc the store has exactly
those.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

from tests.support.programs import eventually
from tests.support.team import ACCOUNT, Program, Team, processes_below, team

pytestmark = [pytest.mark.networks, pytest.mark.mounts, pytest.mark.timeout(600)]

T = TypeVar("T")

FILES: Final = 40
MAKE: Final = """\
import os, random
rng = random.Random({seed})
out = os.environ["C3_ARTIFACTS_DIR"]
for n in range({files}):
    with open(f"{{out}}/{{n}}.bin", "wb") as file:
        file.write(rng.randbytes(rng.randrange(1, 200_000)))
with open(f"{{out}}/large.bin", "wb") as file:
    file.write(rng.randbytes(9_000_000))
"""
PASS_ON: Final = "set -e; cp -r data/. $C3_ARTIFACTS_DIR/; echo {stage} > $C3_ARTIFACTS_DIR/stage; sleep 0.3"
"""Each stage's artifacts are those of the one before, but for a file: few bytes are charged for it."""


@dataclass
class Chain:
    """Jobs of which each mounts what the one before has made."""

    team: Team
    jobs: list[str]
    stages: int

    def run(self) -> None:
        """Deploy each stage when the one before has SUCCEEDED; end early when one has not."""
        for stage in range(self.stages):
            spec = "project: chain\nscript: run.sh\n"
            script = f"python3 - <<'E'\n{MAKE.format(seed=1, files=FILES)}E\n"
            if stage:
                spec += f"datasets:\n  - ref: /jobs/{self.jobs[-1]}/artifacts\n    mount: data\n"
                script = PASS_ON.format(stage=stage)
            folder = self.team.client.project(f"stage{stage}", spec, script)
            self.jobs.append(patiently(lambda folder=folder: self._deploy(folder)))
            if self.await_end(self.jobs[-1])["status"] != "SUCCEEDED":
                return

    def _deploy(self, folder: Path) -> str | None:
        done = self.team.client.c3("deploy", cwd=folder, code=None)
        return done.out.strip() if done.code == 0 else None

    def await_end(self, job_id: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            done = self.team.client.c3("show", "--json", job_id, code=None)
            return done.json if done.code == 0 and done.json["finished"] is not None else None

        return patiently(look)


def patiently(attempt: Callable[[], T | None], within: float = 180.0) -> T:
    """What `attempt` comes to, tried until it is something: commands may fail while a machine is away."""
    deadline = time.monotonic() + within
    while (found := attempt()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def expected() -> dict[str, bytes]:
    rng = random.Random(1)
    files = {f"{n}.bin": rng.randbytes(rng.randrange(1, 200_000)) for n in range(FILES)}
    return {**files, "large.bin": rng.randbytes(9_000_000)}


def check(chain: Chain, *, may_fail: frozenset[str] = frozenset()) -> None:
    """All that must be true in the end. `may_fail` are the reasons a job may give."""
    client = chain.team.client
    shown = [client.c3("show", "--json", job).json for job in chain.jobs]
    for number, job in enumerate(shown):
        if job["status"] != "SUCCEEDED":
            said = client.c3("logs", job["job_id"]).out
            assert (job["status"], job["reason"] in may_fail) == ("FAILED", True), f"{job['reason']}\n{said}"
            continue
        folder = client.root / f"pulled-{job['job_id']}"
        folder.mkdir()
        client.c3("pull", job["job_id"], cwd=folder)
        there = {path.name: path.read_bytes() for path in (folder / job["job_id"] / "artifacts").iterdir()}
        if number:
            assert there.pop("stage") == f"{number}\n".encode()
        assert there == expected()
    if not may_fail:
        assert [job["status"] for job in shown] == ["SUCCEEDED"] * chain.stages
    check_ledger(chain.team)


def check_ledger(made: Team) -> None:
    """Charged is what the manifests name, and after a gc the store has that and no more."""
    stored = made.client.c3("balance", "--json").json["stored"]
    swept = json.loads(made.gc("--grace", "0", "--json"))[ACCOUNT]
    assert swept["named"]["bytes"] == stored
    again = json.loads(made.gc("--grace", "0", "--json"))[ACCOUNT]
    assert again["named"]["bytes"] == stored
    assert again["deleted"]["blobs"] == 0


@pytest.fixture
def two_agents(tmp_path: Path) -> Iterator[Team]:
    with team(tmp_path, durable=True) as made:
        yield made


@pytest.fixture
def one_agent(tmp_path: Path) -> Iterator[Team]:
    with team(tmp_path, ["a"]) as made:
        yield made


def restart_plane(made: Team) -> None:
    made.plane.kill()
    made.plane.start()
    made.await_plane()


def restart_store(made: Team) -> None:
    made.seaweed.kill()
    made.seaweed.start()


def restart_postgres(made: Team) -> None:
    made.postgres.kill()
    made.postgres.start()


RESTARTS: Final = {"control plane": restart_plane, "store": restart_store, "postgres": restart_postgres}


def disturbed(chain: Chain, disturb: Callable[[Team], None], moments: list[float]) -> None:
    """Run the chain, and disturb it so many seconds after the beginning."""
    worker = threading.Thread(target=chain.run)
    begun = time.monotonic()
    worker.start()
    for moment in sorted(moments):
        worker.join(max(0.0, begun + moment - time.monotonic()))
        if worker.is_alive():
            disturb(chain.team)
    worker.join(400)
    assert not worker.is_alive()


def test_what_a_stage_has_made_is_on_its_machine_and_the_next_there_fetches_nothing(one_agent: Team) -> None:
    chain = Chain(one_agent, [], 2)
    chain.run()
    log = one_agent.client.c3("logs", "-f", chain.jobs[1]).out
    assert "fetched 0 B in 0 blobs" in log or "100 % of reads were hits" in log, log
    check(chain)
    assert not list((one_agent.root / "a" / "home" / "jobs").iterdir())


@pytest.mark.parametrize("what", RESTARTS)
def test_a_chain_ends_right_when_this_is_killed_and_started_again(two_agents: Team, what: str) -> None:
    chain = Chain(two_agents, [], 3)
    disturbed(chain, RESTARTS[what], [1.5, 5.0, 8.5])
    check(chain)


def test_a_job_whose_agent_is_killed_is_lost_after_its_lease_and_others_go_on(two_agents: Team) -> None:
    client = two_agents.client
    folder = client.project("long", "project: chain\nscript: run.sh\n", "sleep 300\n")
    job = client.c3("deploy", cwd=folder).out.strip()
    eventually("the job runs", lambda: client.c3("show", "--json", job).json["status"] == "RUNNING")
    name = client.c3("show", "--json", job).json["agent"]
    two_agents.kill_machine(name)
    chain = Chain(two_agents, [], 2)
    chain.run()
    ended = chain.await_end(job)
    assert (ended["status"], ended["reason"]) == ("FAILED", "AGENT_LOST")
    assert isinstance(two_agents.agents[name], Program)
    two_agents.agents[name].start()
    eventually("what the job left is cleared away", lambda: not (two_agents.jobs_of(name) / job / "work").exists())
    check(chain)


def test_a_runner_that_is_killed_is_told_at_once_by_its_agent(one_agent: Team) -> None:
    client = one_agent.client
    folder = client.project("long", "project: chain\nscript: run.sh\n", "sleep 300\n")
    job = client.c3("deploy", cwd=folder).out.strip()
    eventually("the job runs", lambda: client.c3("show", "--json", job).json["status"] == "RUNNING")
    one_agent.kill_runner(job)
    ended = Chain(one_agent, [], 1).await_end(job)
    assert (ended["status"], ended["reason"]) == ("FAILED", "AGENT_LOST")


def test_a_machine_that_is_off_the_network_for_a_while_goes_on_with_its_job(one_agent: Team) -> None:
    client = one_agent.client
    folder = client.project("brief", "project: chain\nscript: run.sh\n", "sleep 6; echo done > $C3_ARTIFACTS_DIR/x\n")
    job = client.c3("deploy", cwd=folder).out.strip()
    eventually("the job runs", lambda: client.c3("show", "--json", job).json["status"] == "RUNNING")
    one_agent.network.cut("a")
    time.sleep(8)
    one_agent.network.mend("a")
    ended = Chain(one_agent, [], 1).await_end(job)
    assert ended["status"] == "SUCCEEDED", client.c3("logs", job).out


def test_a_cancel_from_elsewhere_ends_the_job(one_agent: Team) -> None:
    client = one_agent.client
    folder = client.project("long", "project: chain\nscript: run.sh\n", "echo begun; sleep 300\n")
    job = client.c3("deploy", cwd=folder).out.strip()
    eventually("the log is read here", lambda: "begun" in client.c3("logs", job).out)
    client.c3("cancel", job)
    assert Chain(one_agent, [], 1).await_end(job)["status"] == "CANCELED"
    assert "somebody asked for the job's end" in client.c3("logs", job).out


@pytest.mark.campaign
@pytest.mark.timeout(3000)
def test_a_chain_ends_truthfully_whatever_is_killed_when(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for number in range(12):
        with team(tmp_path / str(number), durable=True) as made:
            chain = Chain(made, [], 4)
            what = rng.choice([*RESTARTS, "agent"])
            moments = [rng.uniform(0, 20) for _ in range(rng.randrange(1, 5))]
            print(what, moments)
            disturbed(chain, RESTARTS.get(what, restart_agents), moments)
            check(chain, may_fail=frozenset({"AGENT_LOST"} if what == "agent" else ()))


def restart_agents(made: Team) -> None:
    for name in made.agents:
        made.kill_machine(name)
        made.agents[name].start()


@pytest.mark.parametrize(
    ("agents", "jobs"), [(4, 12), pytest.param(8, 200, marks=[pytest.mark.campaign, pytest.mark.timeout(3000)])]
)
def test_no_job_is_run_by_two_agents(tmp_path: Path, agents: int, jobs: int) -> None:
    """Each run leaves a line in one file, which all machines of this test share."""
    names = [f"m{number}" for number in range(agents)]
    with team(tmp_path, names) as made:
        runs = tmp_path / "runs"
        folder = made.client.project("short", "project: many\nscript: run.sh\n", f"echo $C3_JOB_ID >> {runs}\n")
        ids = [made.client.c3("deploy", cwd=folder).out.strip() for _ in range(jobs)]
        chain = Chain(made, ids, jobs)
        assert {chain.await_end(job)["status"] for job in ids} == {"SUCCEEDED"}
        assert sorted(runs.read_text().split()) == sorted(ids)


def test_two_agents_that_publish_the_same_at_once_are_charged_for_it_once(two_agents: Team) -> None:
    """Each waits until the other runs, on the disk that the machines of this test share, and so they end together."""
    client, meeting = two_agents.client, two_agents.root / "meeting"
    meeting.mkdir()
    both = f"touch {meeting}/$C3_JOB_ID; while [ $(ls {meeting} | wc -l) -lt 2 ]; do sleep 0.05; done\n"
    script = f"{both}python3 - <<'E'\n{MAKE.format(seed=1, files=FILES)}E\n"
    folder = client.project("same", "project: chain\nscript: run.sh\n", script)
    chain = Chain(two_agents, [client.c3("deploy", cwd=folder).out.strip() for _ in range(2)], 1)
    ended = [chain.await_end(job) for job in chain.jobs]
    assert {(job["status"], job["agent"]) for job in ended} == {("SUCCEEDED", "a"), ("SUCCEEDED", "b")}
    lines = client.c3("balance", "--json").json["lines"]
    charges = sorted(line["delta"] for line in lines if line["ref"].startswith("/jobs/"))
    assert charges[0] < 10_000 < 9_000_000 < charges[1]
    check_ledger(two_agents)


SECRET: Final = re.compile(rb"c3_(?:key|job)_[0-9A-Za-z]{20}|X-Amz-Signature|Signature=|AWS_SECRET")


def test_no_log_and_no_list_of_processes_has_a_secret(two_agents: Team) -> None:
    """Also when requests are refused, and a job is lost. The job's own log has what its script prints."""
    client = two_agents.client
    folder = client.project("first", "project: chain\nscript: run.sh\n", "echo 1 > $C3_ARTIFACTS_DIR/x")
    first = client.c3("deploy", "-f", cwd=folder).out.split()[0]
    spec = f"project: chain\nscript: run.sh\ndatasets:\n  - ref: /jobs/{first}\n    mount: /data/x\n"
    folder = client.project("second", spec, "cat /data/x/artifacts/x; sleep 300")
    second = client.c3("deploy", "-v", cwd=folder).out.strip()
    eventually("the data is read", lambda: "\n1\n" in client.c3("logs", second).out)
    lists = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in processes_below(two_agents.root)]
    assert len(lists) > 5
    stranger = two_agents.home("client", "c3_key_" + "0" * 42)
    refused = stranger.run("c3", "-v", "squeue", code=10)
    two_agents.kill_runner(second)
    Chain(two_agents, [], 1).await_end(second)
    two_agents.plane.end()
    logs = [path.read_bytes() for path in two_agents.root.rglob("*log") if path.is_file()]
    assert len(logs) >= 3
    for text in (*lists, *logs, refused.err.encode()):
        assert not SECRET.search(text), text[-3000:]
    assert two_agents.seaweed.variables()["AWS_SECRET_ACCESS_KEY"].encode() not in b"".join(logs)
