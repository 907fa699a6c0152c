"""PostgreSQL servers for tests that break them, and transactions that meet there; see tests.support.meeting."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.meeting import Stage
from tests.support.postgres import Cluster, own_cluster, shared_cluster


@pytest.fixture
def cluster() -> Cluster:
    return shared_cluster()


@pytest.fixture(scope="session")
def _mortal() -> Iterator[Cluster]:
    with own_cluster(durable=True, tcp="127.0.0.1") as made:
        yield made


@pytest.fixture
def mortal(_mortal: Cluster) -> Cluster:
    """One to kill, in which what is committed outlives that. Tests leave it running."""
    return _mortal


@pytest.fixture
def stage() -> Iterator[Stage]:
    cluster = shared_cluster()
    made = Stage(cluster.url(cluster.make_registry()))
    yield made
    made.go.set()
    made.database.close()


@pytest.fixture(params=[True, False], ids=["committed", "rolled-back"])
def commits(request: pytest.FixtureRequest) -> bool:
    return request.param
