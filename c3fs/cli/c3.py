"""The program `c3`: jobs and their data."""

from __future__ import annotations

import click

from c3fs.cli.balance import balance
from c3fs.cli.cancel import cancel
from c3fs.cli.data_cp import cp
from c3fs.cli.data_diff import data_diff
from c3fs.cli.data_du import du
from c3fs.cli.data_log import log
from c3fs.cli.data_ls import ls
from c3fs.cli.data_rm import rm
from c3fs.cli.deploy import deploy
from c3fs.cli.lineage import lineage
from c3fs.cli.logs import logs
from c3fs.cli.program import Group, run_program, version_option
from c3fs.cli.pull import pull
from c3fs.cli.quota import quota
from c3fs.cli.shells import completion
from c3fs.cli.show import show
from c3fs.cli.squeue import squeue


@click.group("c3", cls=Group)
@version_option("c3")
def c3() -> None:
    """Run batch jobs, and use what they produce.

    What a job writes to $C3_ARTIFACTS_DIR and its output directories is found at /jobs/<job id>/ when it has
    ended: list it, copy it, or name that path under `datasets:` in the .c3 file of the next job.

    \b
    Example: c3 deploy -f
             c3 data ls /jobs/

    \b
    Completion in bash: eval "$(c3 completion bash)"
    """


@c3.group("data", cls=Group)
def data() -> None:
    """List and copy the artifacts of jobs.

    \b
    Example: c3 data ls -l /jobs/job_1700000000000_abc123/artifacts
    """


for command in (deploy, squeue, show, logs, cancel, lineage, pull, balance, quota, completion):
    c3.add_command(command)
for command in (ls, cp, rm, du, log, data_diff):
    data.add_command(command)


def main() -> None:
    run_program(c3, "c3")


if __name__ == "__main__":
    main()
