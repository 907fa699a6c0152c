"""The states of a job, written down a second time: whoever changes the table must mean it."""

from __future__ import annotations

from itertools import product

import pytest

from c3fs.core.job import FINAL, TRANSITIONS, JobState, may_become

LEGAL = {
    "PENDING": ["SCHEDULING", "CANCELED", "FAILED"],
    "SCHEDULING": ["RUNNING", "CANCELED", "FAILED"],
    "RUNNING": ["SUCCEEDED", "CANCELED", "FAILED", "TIMED_OUT"],
    "SUCCEEDED": [],
    "FAILED": [],
    "CANCELED": [],
    "TIMED_OUT": [],
}


@pytest.mark.parametrize(("state", "wanted"), list(product(JobState, JobState)), ids=str)
def test_transitions(state: JobState, wanted: JobState) -> None:
    assert may_become(state, wanted) is (wanted in LEGAL[state])


def test_a_final_state_is_one_that_nothing_follows() -> None:
    assert {state for state in JobState if not TRANSITIONS[state]} == FINAL
    assert set(TRANSITIONS) == set(JobState)
