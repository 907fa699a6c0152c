"""`c3 squeue`, `c3 balance`, `c3 logs` and `c3fs manifest` on a home with made-up jobs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from c3fs.cli.squeue import took
from c3fs.core.job import JobState
from tests.support.blobs import seeded
from tests.support.invoked import Invoked
from tests.support.records import EPOCH, make_job


def test_squeue_filters(cli: Invoked) -> None:
    a, b = cli.job({}, project="a"), cli.job({}, project="b", state=JobState.FAILED)

    def ids(*arguments: str) -> list[str]:
        return [job["job_id"] for job in cli.c3("squeue", "--json", *arguments).json]

    assert sorted(ids()) == [a, b]
    assert ids("--project", "a") == [a]
    assert ids("--state", "failed") == [b]
    assert ids("--project", "a", "--state", "FAILED") == []
    assert len(ids("-n", "1")) == 1
    assert cli.c3("squeue", "-n", "1").err == ""
    table = cli.c3("squeue").out.splitlines()
    assert table[0].split() == ["JOB", "ID", "PROJECT", "NAME", "STATUS", "REASON", "EXIT", "CREATED", "TIME"]
    assert {line.split()[0] for line in table[1:]} == {a, b}
    assert "is not a project" in cli.c3("squeue", "--project", "A", code=2).err
    assert "'LOST' is not one of" in cli.c3("squeue", "--state", "LOST", code=2).err


def test_squeue_filters_by_several_states(cli: Invoked) -> None:
    jobs = {
        state: cli.job(None, project="b" if state is JobState.FAILED else "a", state=state, alive=True)
        for state in (JobState.RUNNING, JobState.FAILED, JobState.SUCCEEDED, JobState.CANCELED, JobState.PENDING)
    }

    def states(*arguments: str) -> list[str]:
        return [job["status"] for job in cli.c3("squeue", "--json", *arguments).json]

    assert states("--state", "failed,RUNNING") == ["FAILED", "RUNNING"]
    assert states("--state", "failed, running", "--state", "canceled,failed") == ["CANCELED", "FAILED", "RUNNING"]
    assert states("--state", "failed,running", "-n", "1") == ["FAILED"]
    assert states("--state", "failed,running,canceled", "--project", "a", "-n", "1") == ["CANCELED"]
    assert len(states()) == len(jobs)
    for wrong in ("", "FAILED,", "FAILED,LOST", "fail"):
        assert "is not one of" in cli.c3("squeue", "--state", wrong, code=2).err


def test_squeue_shapes_what_scripts_rely_on(cli: Invoked) -> None:
    job = cli.job({}, state=JobState.FAILED)
    (row,) = cli.c3("squeue", "--json").json
    times = {name: row.pop(name) for name in ("created", "started", "finished")}
    assert row == {
        "job_id": job,
        "project": "demo",
        "name": "named",
        "status": "FAILED",
        "reason": "SCRIPT_ERROR",
        "exit_code": 1,
    }
    assert times["created"] == "2026-11-23T10:00:00.000Z"
    assert all(time.endswith("Z") for time in times.values())


def test_balance_adds_up(cli: Invoked) -> None:
    job = cli.job({b"a": seeded(2, 5000)})
    found = cli.c3("balance", "--json").json
    assert found["stored"] == sum(line["delta"] for line in found["lines"])
    assert found["stored"] > 5000
    assert found["lines"][0]["ref"] == f"/jobs/{job}"
    assert found["quota"] > found["stored"]
    shown = cli.c3("balance").out
    assert shown.startswith("Stored ")
    assert f"/jobs/{job}" in shown


def test_the_quota_is_shown_and_set(cli: Invoked) -> None:
    cli.job({b"a": seeded(2, 5000)})
    told = cli.c3("quota", "1KiB")
    stored = cli.c3("balance", "--json").json["stored"]
    assert told.out.splitlines() == [
        f"Stored   {stored / 1024:.1f} KiB",
        f"Quota    1.0 KiB ({stored / 10.24:.1f} % used)",
    ]
    assert (
        f"warning: {(stored - 1024) / 1024:.1f} KiB over the quota of 1.0 KiB ({stored / 10.24:.1f} % used)" in told.err
    )
    assert cli.c3("balance").err == cli.c3("quota").err == told.err
    nothing = cli.c3("quota", "0", "--json")
    assert nothing.json == {"quota": 0, "stored": stored, "percent": None}
    assert "over the quota of 0 B; " in nothing.err
    assert cli.c3("quota", "1EiB", code=2).out == ""
    assert cli.c3("quota", "1.5 GiB", "--json").json["quota"] == 3 << 29
    assert cli.c3("balance").err == ""
    for wrong, why in (
        ("much", "not a size"),
        ("-1", "No such option"),
        ("1025PiB", "not a size"),
        ("2000000TiB", "too much"),
    ):
        assert why in cli.c3("quota", wrong, code=2).err
    assert cli.c3("quota", "--json").json["quota"] == 3 << 29


def test_an_unfinished_job_without_an_agent_is_found_lost(cli: Invoked) -> None:
    cli.job(None, state=JobState.RUNNING)
    (row,) = cli.c3("squeue", "--json").json
    assert (row["status"], row["reason"]) == ("FAILED", "AGENT_LOST")


def test_logs_of_nobody(cli: Invoked) -> None:
    job = cli.job({})
    assert "no log on this machine" in cli.c3("logs", job).err
    assert "no such job" in cli.c3("logs", "job_1700000000000_zzzzzz", code=3).err
    assert "is not a job id" in cli.c3("logs", "jobs_1", code=2).err
    assert "is not a job id" in cli.c3("pull", "jobs_1", code=2).err
    assert "no such job" in cli.c3("pull", "job_1700000000000_zzzzzz", code=3).err


def test_a_manifest_is_shown(cli: Invoked) -> None:
    job = cli.job({b"out": {b"a": b"1"}})
    assert cli.c3fs("manifest", f"/jobs/{job}/out").json["ref"] == f"/jobs/{job}"
    assert cli.c3fs("manifest", "--inventory", f"/jobs/{job}").out == ""


def test_the_time_a_job_took() -> None:
    job = replace(make_job(1), started=EPOCH, finished=EPOCH + timedelta(seconds=3723))
    assert took(job) == "1:02:03"
    assert took(replace(job, finished=EPOCH - timedelta(hours=2))) == "0:00:00"  # the clock was set back
    assert took(replace(job, started=None)) == "-"
