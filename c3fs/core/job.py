"""A job's states, the transitions between them, and why a job failed."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class JobState(StrEnum):
    PENDING = "PENDING"
    SCHEDULING = "SCHEDULING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    TIMED_OUT = "TIMED_OUT"


class Reason(StrEnum):
    """Why a job FAILED; a code for scripts. The job log has the sentence for people."""

    SCRIPT_ERROR = "SCRIPT_ERROR"  # the script ended with another code than 0, or by a signal
    UPLOAD_ERROR = "UPLOAD_ERROR"  # exit 0, but its artifacts could not be collected and stored
    MOUNT_ERROR = "MOUNT_ERROR"  # a data set could not be mounted, or the sandbox not be made
    AGENT_ERROR = "AGENT_ERROR"  # the agent itself broke
    AGENT_LOST = "AGENT_LOST"  # the agent died while it ran the job


FINAL: Final = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED, JobState.TIMED_OUT})

TRANSITIONS: Final[dict[JobState, frozenset[JobState]]] = {
    JobState.PENDING: frozenset({JobState.SCHEDULING, JobState.CANCELED, JobState.FAILED}),
    JobState.SCHEDULING: frozenset({JobState.RUNNING, JobState.CANCELED, JobState.FAILED}),
    JobState.RUNNING: frozenset(FINAL),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELED: frozenset(),
    JobState.TIMED_OUT: frozenset(),
}


def may_become(state: JobState, wanted: JobState) -> bool:
    return wanted in TRANSITIONS[state]
