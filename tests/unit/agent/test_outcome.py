"""The truth table of DESIGN, section 7."""

from __future__ import annotations

import itertools

import pytest

from c3fs.agent.outcome import Upload, decide, ended_with, exit_code, ran, succeeded
from c3fs.agent.protocol import End, SandboxResult
from c3fs.core.job import JobState, Reason, may_become

RETURNCODES = (0, 1, 42, 255, -9, -15, None)


@pytest.mark.parametrize(
    ("end", "returncode", "upload", "state", "reason"),
    [
        (End.EXITED, 0, Upload.STORED, JobState.SUCCEEDED, None),
        (End.EXITED, 0, Upload.FAILED, JobState.FAILED, Reason.UPLOAD_ERROR),
        (End.EXITED, 0, Upload.CANCELED, JobState.CANCELED, None),
        (End.EXITED, 3, Upload.CANCELED, JobState.FAILED, Reason.SCRIPT_ERROR),
        (End.EXITED, 3, Upload.STORED, JobState.FAILED, Reason.SCRIPT_ERROR),
        (End.EXITED, 3, Upload.FAILED, JobState.FAILED, Reason.SCRIPT_ERROR),
        (End.EXITED, -9, Upload.STORED, JobState.FAILED, Reason.SCRIPT_ERROR),
        (End.CANCELED, None, Upload.SKIPPED, JobState.CANCELED, None),
        (End.CANCELED, -15, Upload.STORED, JobState.CANCELED, None),
        (End.CANCELED, 0, Upload.FAILED, JobState.CANCELED, None),
        (End.TIMED_OUT, -15, Upload.STORED, JobState.TIMED_OUT, None),
        (End.TIMED_OUT, -15, Upload.CANCELED, JobState.TIMED_OUT, None),
        (End.TIMED_OUT, 0, Upload.FAILED, JobState.TIMED_OUT, None),
        (End.MOUNT_FAILED, None, Upload.SKIPPED, JobState.FAILED, Reason.MOUNT_ERROR),
        (End.BROKEN, None, Upload.SKIPPED, JobState.FAILED, Reason.AGENT_ERROR),
    ],
)
def test_the_table(end: End, returncode: int | None, upload: Upload, state: JobState, reason: Reason | None) -> None:
    outcome = decide(SandboxResult(end, returncode), upload)
    assert (outcome.state, outcome.reason) == (state, reason)


@pytest.mark.parametrize(("end", "returncode", "upload"), list(itertools.product(End, RETURNCODES, Upload)))
def test_every_combination(end: End, returncode: int | None, upload: Upload) -> None:
    result = SandboxResult(end, returncode, error="why")
    outcome = decide(result, upload)
    assert may_become(JobState.RUNNING, outcome.state)
    assert (outcome.state is JobState.FAILED) == (outcome.reason is not None)
    assert (outcome.state is JobState.SUCCEEDED) == (succeeded(result) and upload is Upload.STORED)
    assert (outcome.reason is Reason.UPLOAD_ERROR) == (
        succeeded(result) and upload not in (Upload.STORED, Upload.CANCELED)
    )
    assert bool(outcome.why) == (outcome.state is not JobState.SUCCEEDED)
    assert outcome.exit_code is None or 0 <= outcome.exit_code <= 255


@pytest.mark.parametrize(("end", "returncode"), list(itertools.product(End, RETURNCODES)))
def test_artifacts_exist_only_when_the_script_ran(end: End, returncode: int | None) -> None:
    expected = end in (End.EXITED, End.TIMED_OUT) or (end is End.CANCELED and returncode is not None)
    assert ran(SandboxResult(end, returncode)) is expected


@pytest.mark.parametrize(
    ("returncode", "code", "text"),
    [
        (0, 0, "the script ended with exit code 0"),
        (7, 7, "the script ended with exit code 7"),
        (-9, 137, "the script was killed by signal 9 (SIGKILL)"),
        (-15, 143, "the script was killed by signal 15 (SIGTERM)"),
        (-40, 168, "the script was killed by signal 40 (real-time)"),
        (None, None, "the script did not end"),
    ],
)
def test_exit_codes(returncode: int | None, code: int | None, text: str) -> None:
    assert exit_code(returncode) == code
    assert ended_with(returncode) == text
