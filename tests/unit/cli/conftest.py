"""A home whose commands run in the test's own process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.invoked import Invoked


@pytest.fixture
def cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Iterator[Invoked]:
    invoked = Invoked(tmp_path, monkeypatch, capfdbinary)
    yield invoked
    for workspace in invoked.workspaces:
        workspace.close()
