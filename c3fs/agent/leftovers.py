"""What jobs leave on a machine that runs them for others: taken away when it is of no use any more."""

from __future__ import annotations

import logging
import os
import time
from typing import Final

from c3fs.agent.abandoned import claimed, clear
from c3fs.agent.workspace import LOCK, remove_tree
from c3fs.core.ids import is_job_id

log = logging.getLogger(__name__)

KEPT: Final = 7 * 86400.0
"""Seconds that the working directory of a job which did not succeed is kept for people to look into."""


def tidy(jobs_directory: str, kept: float = KEPT) -> None:
    """Clear away jobs whose agent died here: their mounts and working directories; remove what has been kept for that
    many seconds. Of a job that runs nothing is touched. Blocks; takes GONE_WITHIN for each dead one at most."""
    for name in filter(is_job_id, os.listdir(jobs_directory)):
        directory = f"{jobs_directory}/{name}"
        try:
            with claimed(directory) as is_ours:
                if not is_ours:
                    continue
                if _died(directory):
                    log.warning("%s: its agent died here; clearing away what it left", name)
                    clear(directory, name, stored=None)
                elif time.time() - os.lstat(directory).st_mtime > kept:
                    remove_tree(directory)
        except OSError as error:
            log.warning("%s: cannot be cleared away: %s", directory, error)


def remove_ended(directory: str) -> None:
    """Remove the directory of a job that has ended and whose working directory is gone; others are kept."""
    if os.path.isdir(directory) and not os.path.lexists(f"{directory}/work"):
        remove_tree(directory)


def _died(directory: str) -> bool:
    """Who ends a job frees the room that its lock occupies, last of all but one."""
    try:
        return os.stat(f"{directory}/{LOCK}").st_size > 0
    except FileNotFoundError:
        return False
