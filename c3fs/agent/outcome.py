"""What becomes of a job: the truth table of script and upload.

script                            artifacts           job
exit 0                            stored              SUCCEEDED, also when its end is asked for meanwhile
exit 0                            not stored          FAILED, UPLOAD_ERROR
exit 0                            upload canceled     CANCELED: nobody has lost what they did not give up
another code, or a signal         whatever            FAILED, SCRIPT_ERROR
canceled, timed out               whatever            CANCELED, TIMED_OUT
could not start                   none                CANCELED, or FAILED, MOUNT_ERROR or AGENT_ERROR
"""

from __future__ import annotations

import signal
from enum import StrEnum
from typing import NamedTuple

from c3fs.agent.protocol import End, SandboxResult
from c3fs.core.job import JobState, Reason


class Upload(StrEnum):
    """What became of the artifacts. CANCELED: the upload was ended by a cancel, and nothing is published. SKIPPED:
    there was no script whose artifacts could be uploaded."""

    STORED = "stored"
    FAILED = "failed"
    CANCELED = "canceled"
    SKIPPED = "skipped"


class Outcome(NamedTuple):
    """`why` is for people; `exit_code` is the script's as a shell gives it: 128 + n for signal n."""

    state: JobState
    reason: Reason | None
    exit_code: int | None
    why: str


def ran(result: SandboxResult) -> bool:
    """Did the script run, so that there may be artifacts?"""
    return result.end in (End.EXITED, End.TIMED_OUT) or (result.end is End.CANCELED and result.returncode is not None)


def succeeded(result: SandboxResult) -> bool:
    """Did the script itself succeed?"""
    return result.end is End.EXITED and result.returncode == 0


def decide(result: SandboxResult, upload: Upload) -> Outcome:
    """The state a job ends in. What became of the upload matters only when the script succeeded."""
    code = exit_code(result.returncode)
    match result.end:
        case End.MOUNT_FAILED:
            return Outcome(JobState.FAILED, Reason.MOUNT_ERROR, None, result.error)
        case End.BROKEN:
            return Outcome(JobState.FAILED, Reason.AGENT_ERROR, code, result.error)
        case End.CANCELED:
            return Outcome(JobState.CANCELED, None, code, "canceled")
        case End.TIMED_OUT:
            return Outcome(JobState.TIMED_OUT, None, code, "the script took longer than `time:` allows")
        case End.EXITED if result.returncode != 0:
            return Outcome(JobState.FAILED, Reason.SCRIPT_ERROR, code, ended_with(result.returncode))
        case End.EXITED if upload is Upload.CANCELED:
            return Outcome(JobState.CANCELED, None, code, "the script succeeded, and the upload was canceled")
        case End.EXITED if upload is not Upload.STORED:
            why = "the script succeeded, but its artifacts could not be stored"
            return Outcome(JobState.FAILED, Reason.UPLOAD_ERROR, code, why)
        case End.EXITED:
            return Outcome(JobState.SUCCEEDED, None, code, "")


def exit_code(returncode: int | None) -> int | None:
    return returncode if returncode is None or returncode >= 0 else 128 - returncode


def ended_with(returncode: int | None) -> str:
    """How the script ended, for people."""
    if returncode is None:
        return "the script did not end"
    if returncode >= 0:
        return f"the script ended with exit code {returncode}"
    number = -returncode
    known = {member.value: member.name for member in signal.Signals}
    return f"the script was killed by signal {number} ({known.get(number, 'real-time')})"
