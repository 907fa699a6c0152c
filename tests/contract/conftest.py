"""Registries by address: the one fixture that a further kind of registry adds a parameter to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from c3fs.registry.base import Registry
from c3fs.registry.control import ControlDatabase
from tests.support.control import SetClock, open_control
from tests.support.planes import http_address
from tests.support.postgres import shared_cluster
from tests.support.records import open_registry


def sqlite_address(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/registry.db"


def postgres_address(_: Path) -> str:
    cluster = shared_cluster()
    return cluster.url(cluster.make_registry())


def http_address_of(make: Callable[[Path], str]) -> Callable[[Path], str]:
    """That of a control plane over such a database."""
    return lambda tmp_path: http_address(make(tmp_path))


SQL = [
    pytest.param(sqlite_address, id="sqlite"),
    pytest.param(postgres_address, id="postgres", marks=pytest.mark.postgres),
]
HTTP = [
    pytest.param(http_address_of(sqlite_address), id="http-sqlite"),
    pytest.param(http_address_of(postgres_address), id="http-postgres", marks=pytest.mark.postgres),
]


@pytest.fixture(params=SQL + HTTP)
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


@pytest.fixture
def sql_registry(sql_address: str) -> Iterator[Registry]:
    """For tests that add jobs as no control plane takes them: of any state, directory and time."""
    with open_registry(sql_address) as opened:
        yield opened


@pytest.fixture
def clock() -> SetClock:
    """That of `control`."""
    return SetClock()


@pytest.fixture
def control(sql_address: str, clock: SetClock) -> Iterator[ControlDatabase]:
    """A control plane's database, with nothing in it."""
    with open_control(sql_address, clock) as opened:
        yield opened
