"""A bench on which one job is run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from c3fs.registry.sql import SqlRegistry
from tests.support.jobs import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    registry = SqlRegistry.open(f"sqlite:///{tmp_path}/registry.db")
    made = Bench(tmp_path, registry)
    yield made
    if made.workspace is not None:
        made.workspace.close()
    registry.close()
