"""The program `c3fs`: mounts, and what is under them."""

from __future__ import annotations

from typing import Final

import click

from c3fs.cli.imported import Imported
from c3fs.cli.program import Group, run_program, version_option
from c3fs.cli.shells import completion

_COMMANDS: Final = {
    "admin": "c3fs.cli.admin:admin",
    "agent": "c3fs.cli.agent:agent",
    "gc": "c3fs.cli.gc:gc",
    "manifest": "c3fs.cli.manifest:manifest",
    "mount": "c3fs.cli.mount:mount",
    "mounts": "c3fs.cli.umount:mounts",
    "serve": "c3fs.cli.serve:serve",
    "umount": "c3fs.cli.umount:umount",
}


@click.group("c3fs", cls=Group, commands=Imported(_COMMANDS))
@version_option("c3fs")
def c3fs() -> None:
    """Mount the artifacts of finished jobs, read-only and verified.

    \b
    Example: c3fs mount /jobs/job_1700000000000_abc123 /mnt/model
             c3fs umount /mnt/model
             c3fs gc --dry-run

    \b
    Completion in bash: eval "$(c3fs completion bash)"
    """


c3fs.add_command(completion)


def main() -> None:
    run_program(c3fs, "c3fs")


if __name__ == "__main__":
    main()
