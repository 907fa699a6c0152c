"""The program `c3`: jobs and their data."""

from __future__ import annotations

from typing import Final

import click

from c3fs.cli.imported import Imported
from c3fs.cli.program import Group, run_program, version_option
from c3fs.cli.shells import completion

_COMMANDS: Final = {
    "balance": "c3fs.cli.balance:balance",
    "cancel": "c3fs.cli.cancel:cancel",
    "deploy": "c3fs.cli.deploy:deploy",
    "key": "c3fs.cli.key:key",
    "lineage": "c3fs.cli.lineage:lineage",
    "login": "c3fs.cli.login:login",
    "logout": "c3fs.cli.login:logout",
    "logs": "c3fs.cli.logs:logs",
    "pull": "c3fs.cli.pull:pull",
    "quota": "c3fs.cli.quota:quota",
    "show": "c3fs.cli.show:show",
    "squeue": "c3fs.cli.squeue:squeue",
    "user": "c3fs.cli.user:user",
    "whoami": "c3fs.cli.login:whoami",
}
_DATA_COMMANDS: Final = {
    "cp": "c3fs.cli.data_cp:cp",
    "diff": "c3fs.cli.data_diff:data_diff",
    "du": "c3fs.cli.data_du:du",
    "log": "c3fs.cli.data_log:log",
    "ls": "c3fs.cli.data_ls:ls",
    "rm": "c3fs.cli.data_rm:rm",
}


@click.group("c3", cls=Group, commands=Imported(_COMMANDS))
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


@c3.group("data", cls=Group, commands=Imported(_DATA_COMMANDS))
def data() -> None:
    """List and copy the artifacts of jobs.

    \b
    Example: c3 data ls -l /jobs/job_1700000000000_abc123/artifacts
    """


c3.add_command(completion)


def main() -> None:
    run_program(c3, "c3")


if __name__ == "__main__":
    main()
