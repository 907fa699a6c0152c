"""Real processes that call one registry at the same moment, and the ledger after any sequence of calls."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import trio
from hypothesis import given, settings, strategies as st

from c3fs.core.job import JobState
from c3fs.errors import ConflictError
from c3fs.registry.base import Registration, Registry
from tests.support.racer import Answer, race
from tests.support.records import job_id, make_blobs, make_job, make_manifest, open_registry

PROCESSES = 4


def size_of(numbers: range | set[int]) -> int:
    return sum(size for _, size in make_blobs(numbers))


def test_processes_that_make_the_registry_at_once(address: str) -> None:
    assert race(address, *[["open"]] * PROCESSES) == [[]] * PROCESSES
    with open_registry(address) as registry:
        assert trio.run(registry.balance).stored == 0


def test_every_transition_has_one_winner(registry: Registry, address: str) -> None:
    jobs = 25

    async def add() -> None:
        for number in range(jobs):
            await registry.add_job(make_job(number))

    trio.run(add)
    states = [JobState.SCHEDULING, JobState.CANCELED, JobState.FAILED, JobState.SCHEDULING]
    # Cancelling and failing are allowed after scheduling too: so two may win, but only in that order.
    answers = race(address, *[["move", state, "0", str(jobs)] for state in states])
    for number in range(jobs):
        won = [state for state, of in zip(states, answers, strict=True) if not of[number].error]
        assert won.count(JobState.SCHEDULING) <= 1
        ended = [state for state in won if state is not JobState.SCHEDULING]
        assert len(ended) == 1
        assert trio.run(registry.job, job_id(number)).state is ended[0]
    errors = {answer.error for of in answers for answer in of}
    assert errors == {"", "IllegalTransitionError"}


def test_an_id_is_taken_once(address: str) -> None:
    answers = race(address, *[["add", "0", "25"]] * PROCESSES)
    for calls in zip(*answers, strict=True):
        assert sorted(answer.error for answer in calls) == [""] + ["ConflictError"] * (PROCESSES - 1)


def test_one_manifest_registered_by_many_is_charged_once(registry: Registry, address: str) -> None:
    command = ["register"]
    for number in range(10):
        command += [f"/jobs/{job_id(number)}", "same", str(number * 10), str(number * 10 + 500)]
    answers = race(address, *[command] * PROCESSES)
    for calls in zip(*answers, strict=True):
        assert sorted(answer.created for answer in calls) == [False] * (PROCESSES - 1) + [True]
    charged = sum(answer.charged for of in answers for answer in of)
    balance = trio.run(registry.balance)
    assert balance.stored == charged == size_of(range(590))
    assert len(balance.lines) == 10


def test_manifests_that_share_blobs_are_charged_together_for_each_once(registry: Registry, address: str) -> None:
    commands = [
        ["register"]
        + [
            text
            for number in range(10)
            for text in (f"/jobs/{job_id(process * 10 + number)}", "x", str(number * 50), str(number * 50 + 400))
        ]
        for process in range(PROCESSES)
    ]
    answers = race(address, *commands)
    assert all(answer.created for of in answers for answer in of)
    charged = sum(answer.charged for of in answers for answer in of)
    assert trio.run(registry.balance).stored == charged == size_of(range(850))


def test_of_different_trees_under_one_ref_one_is_published(registry: Registry, address: str) -> None:
    commands = [
        ["register", f"/jobs/{job_id(1)}", str(process), str(process * 100), str(process * 100 + 100)]
        for process in range(PROCESSES)
    ]
    answers = [of[0] for of in race(address, *commands)]
    assert sorted(answer.error for answer in answers) == [""] + ["ConflictError"] * (PROCESSES - 1)
    winner = answers.index(next(answer for answer in answers if not answer.error))
    assert answers[winner] == Answer("", size_of(range(winner * 100, winner * 100 + 100)), created=True)
    assert trio.run(registry.balance).stored == answers[winner].charged


# --- the ledger after any sequence -----------------------------------------------------------------------

PUBLISHED = st.tuples(
    st.integers(1, 6),  # version
    st.sampled_from("ab"),  # content
    st.frozensets(st.integers(0, 15), max_size=8),  # blobs
)


@settings(max_examples=60, deadline=None)
@given(st.lists(PUBLISHED, max_size=12))
def test_the_balance_is_the_sum_of_the_unique_blobs(sequence: list[tuple[int, str, frozenset[int]]]) -> None:
    with TemporaryDirectory() as folder, open_registry(f"sqlite:///{Path(folder)}/registry.db") as registry:
        trio.run(check_sequence, registry, sequence)


async def check_sequence(registry: Registry, sequence: list[tuple[int, str, frozenset[int]]]) -> None:
    """Register one after another, and compare with a model of sets."""
    published: dict[int, str] = {}
    named: set[int] = set()
    lines = 0
    for version, content, blobs in sequence:
        manifest = make_manifest(f"/datasets/d/@v{version}", content)
        try:
            done = await registry.register(manifest, make_blobs(blobs), mark=0)
        except ConflictError:
            assert published[version] != content
        else:
            created = version not in published
            assert done == Registration(size_of(set(blobs) - named) if created else 0, created, manifest)
            if created:
                published[version] = content
                named |= blobs
                lines += 1
        balance = await registry.balance(lines=100)
        assert balance.stored == size_of(named)
        assert len(balance.lines) == lines
        assert balance.stored == sum(line.delta for line in balance.lines)
        assert not balance.lines or balance.lines[0].balance == balance.stored
