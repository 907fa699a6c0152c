"""A place to publish from and one to publish to."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.publishing import Publisher
from tests.support.trees import build


@pytest.fixture
def publisher(tmp_path: Path) -> Generator[Publisher]:
    made = Publisher(tmp_path)
    yield made
    made.close()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return build(tmp_path / "work", {b"artifacts": {}})
