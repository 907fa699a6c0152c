"""An agent whose disk is full."""

from __future__ import annotations

from pathlib import Path

import pytest

from c3fs.agent.room import Roomy
from c3fs.agent.taking import Taken
from c3fs.errors import ExecutionError
from tests.support.records import make_job


class Line:
    """Has a job for everybody."""

    asked = 0

    async def take(self, attempt: str, wait: float) -> Taken | None:
        self.asked += 1
        return Taken(make_job(1), "c3_job_secret", attempt, 30)


async def test_a_job_is_taken_where_there_is_room_for_it_and_nowhere_else(tmp_path: Path) -> None:
    line = Line()
    assert await Roomy(line, str(tmp_path), 1).take("a", 0) is not None
    with pytest.raises(ExecutionError, match=f"{tmp_path} has .* left, and a job is begun with 4096.0 PiB at least"):
        await Roomy(line, str(tmp_path), 1 << 62).take("b", 0)
    assert line.asked == 1
