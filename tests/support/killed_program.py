"""`c3`, and the runner of the jobs it makes, each killed at a moment that a test names.

python -m tests.support.killed_program MOMENT c3 ARGUMENTS…

MOMENT is a key of MOMENTS. The runner is the real one in a process of its own, as ever; SIGKILL comes right before or
after the call named there, from the process itself: no other way hits the moment every time.
"""

from __future__ import annotations

import inspect
import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any, Final, NamedTuple


class Moment(NamedTuple):
    """At the `number`th call of `name`, in the module, of the process that is `killed`."""

    killed: str
    module: str
    name: str
    after: bool = False
    number: int = 1


MOMENTS: Final = {
    "deploy, before the directory": Moment("c3", "c3fs.cli.deploy", "create_workspace"),
    "deploy, directory made": Moment("c3", "c3fs.cli.deploy", "create_workspace", after=True),
    "deploy, recorded": Moment("c3", "c3fs.cli.deploy", "_start"),
    "deploy, runner started": Moment("c3", "c3fs.cli.deploy", "_start", after=True),
    "runner, started": Moment("runner", "c3fs.cli.runner", "run"),
    "SCHEDULING": Moment("runner", "c3fs.registry.sql", "SqlRegistry.move_job", after=True),
    "before the checkout": Moment("runner", "c3fs.data.download", "Download.into"),
    "in the checkout": Moment("runner", "c3fs.data.download", "Download._file", after=True),
    "checked out": Moment("runner", "c3fs.agent.workspace", "Workspace.fill", after=True),
    "RUNNING": Moment("runner", "c3fs.registry.sql", "SqlRegistry.move_job", after=True, number=2),
    "mounting": Moment("runner", "c3fs.agent.launch", "_start", after=True),
    "script ended": Moment("runner", "c3fs.agent.report", "script"),
    "before collecting": Moment("runner", "c3fs.publish.collect", "Collector.run"),
    "collected": Moment("runner", "c3fs.publish.collect", "Collector.run", after=True),
    "first blob": Moment("runner", "c3fs.store.directory", "DirectoryStore.put"),
    "first blob stored": Moment("runner", "c3fs.store.directory", "DirectoryStore.put", after=True),
    "uploaded": Moment("runner", "c3fs.registry.sql", "SqlRegistry.register"),
    "registered": Moment("runner", "c3fs.registry.sql", "SqlRegistry.register", after=True),
    "before clearing up": Moment("runner", "c3fs.agent.workspace", "Workspace.remove_workdir"),
    "cleared up": Moment("runner", "c3fs.agent.workspace", "Workspace.remove_workdir", after=True),
    "before the final state": Moment("runner", "c3fs.registry.sql", "SqlRegistry.move_job", number=3),
    "final state": Moment("runner", "c3fs.registry.sql", "SqlRegistry.move_job", after=True, number=3),
    "finder, before it clears": Moment("c3", "c3fs.cli.lost", "clear"),
    "finder, cleared": Moment("c3", "c3fs.cli.lost", "clear", after=True),
    "finder, marked": Moment("c3", "c3fs.registry.sql", "SqlRegistry.move_job", after=True),
}


def arm(moment: Moment) -> None:
    owner: Any = import_module(moment.module)
    *path, name = moment.name.split(".")
    for part in path:
        owner = getattr(owner, part)
    setattr(owner, name, _killing(getattr(owner, name), moment))


def _killing(call: Callable[..., Any], moment: Moment) -> Callable[..., Any]:
    calls = 0

    def count(after: bool) -> None:
        nonlocal calls
        if after is moment.after:
            calls += 1
            if calls == moment.number:
                os.kill(os.getpid(), signal.SIGKILL)

    @wraps(call)
    def replaced(*args: Any, **kwargs: Any) -> Any:
        count(after=False)
        done = call(*args, **kwargs)
        count(after=True)
        return done

    @wraps(call)
    async def replaced_async(*args: Any, **kwargs: Any) -> Any:
        count(after=False)
        done = await call(*args, **kwargs)
        count(after=True)
        return done

    return replaced_async if inspect.iscoroutinefunction(call) else replaced


def main(moment: str, program: str, arguments: list[str]) -> None:
    if MOMENTS[moment].killed == program:
        arm(MOMENTS[moment])
    if program == "runner":
        sys.argv[1:] = arguments
        import_module("c3fs.cli.runner").main()
    else:
        deploy: Any = import_module("c3fs.cli.deploy")
        deploy.RUNNER = (sys.executable, "-P", os.path.abspath(__file__), moment, "runner")
        import_module("c3fs.cli.program").run_program(import_module("c3fs.cli.c3").c3, "c3", arguments)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
