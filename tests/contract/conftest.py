"""Registries by address: the one fixture that a further kind of registry adds a parameter to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from c3fs.registry.base import Registry
from tests.support.postgres import shared_cluster
from tests.support.records import open_registry


def sqlite_address(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/registry.db"


def postgres_address(_: Path) -> str:
    cluster = shared_cluster()
    return cluster.url(cluster.make_registry())


SQL = [
    pytest.param(sqlite_address, id="sqlite"),
    pytest.param(postgres_address, id="postgres", marks=pytest.mark.postgres),
]


@pytest.fixture(params=SQL)
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where there is an empty registry, which any process can open with tests.support.records.open_registry."""
    make: Callable[[Path], str] = request.param
    return make(tmp_path)


@pytest.fixture(params=SQL)
def sql_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The same, of a database that c3fs.registry.sql can open: for tests that set its clock."""
    make: Callable[[Path], str] = request.param
    return make(tmp_path)


@pytest.fixture
def registry(address: str) -> Iterator[Registry]:
    with open_registry(address) as opened:
        yield opened
