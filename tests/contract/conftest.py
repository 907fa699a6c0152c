"""Registries by address: the one fixture that a further kind of registry adds a parameter to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from c3fs.registry.base import Registry
from tests.support.records import open_registry


@pytest.fixture(params=["sqlite"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where there is an empty registry, which any process can open with tests.support.records.open_registry."""
    addresses = {"sqlite": f"sqlite:///{tmp_path}/registry.db"}
    return addresses[request.param]


@pytest.fixture
def registry(address: str) -> Iterator[Registry]:
    with open_registry(address) as opened:
        yield opened
