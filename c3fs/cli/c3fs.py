"""The program `c3fs`: mounts, and what is under them."""

from __future__ import annotations

import click

from c3fs.cli.gc import gc
from c3fs.cli.manifest import manifest
from c3fs.cli.mount import mount
from c3fs.cli.program import Group, run_program, version_option
from c3fs.cli.shells import completion
from c3fs.cli.umount import mounts, umount


@click.group("c3fs", cls=Group)
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


for command in (mount, umount, mounts, manifest, gc, completion):
    c3fs.add_command(command)


def main() -> None:
    run_program(c3fs, "c3fs")


if __name__ == "__main__":
    main()
