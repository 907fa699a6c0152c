"""What every command of both programs shares: the guard around click, `-v`, help texts as they are written."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import click

from c3fs.cli.exits import PIPE_CLOSED, USAGE, Invocation, UsageError, guard

F = TypeVar("F", bound=Callable[..., Any])


class Command(click.Command):
    """Takes `-v`, wherever on the line the user puts it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(_verbose())


class Group(click.Group):
    command_class = Command
    group_class = type

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(_verbose())

    def invoke(self, ctx: click.Context) -> Any:
        """click makes exit code 1 of a closed pipe; the shell's own tools show 141."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise click.exceptions.Exit(PIPE_CLOSED) from None


def run_program(command: click.Command, program: str, arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    open_standard_streams()
    invocation = Invocation(program)
    logging.basicConfig(format=f"{program}: %(levelname)s: %(message)s", level=logging.WARNING)
    sys.exit(guard(invocation, lambda: _invoke(command, invocation, arguments)))


def open_standard_streams() -> None:
    """Whoever closed one (`c3 … >&-`) must not find it taken by a database that is then written to."""
    for descriptor, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != descriptor:
                os.dup2(null, descriptor)
                os.close(null)
            setattr(sys, name, os.fdopen(descriptor, "r" if descriptor == 0 else "w", closefd=False))


def version_option(program: str) -> Callable[[F], F]:
    def show(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            from importlib.metadata import version  # 9 ms

            click.echo(f"{program} {version('c3fs')}")
            ctx.exit()

    return click.option(
        "--version", is_flag=True, expose_value=False, is_eager=True, callback=show, help="Show the version."
    )


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


def _verbose() -> click.Option:
    def note(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
        if value:
            ctx.ensure_object(Invocation).verbose = True

    return click.Option(
        ["-v", "--verbose"], is_flag=True, expose_value=False, callback=note, help="Show the traceback of errors."
    )


def _invoke(command: click.Command, invocation: Invocation, arguments: list[str] | None) -> int | None:
    """Run it; click's own errors become ours."""
    try:
        result: Any = command.main(arguments, invocation.program, standalone_mode=False, obj=invocation)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return USAGE
    except click.ClickException as error:
        raise UsageError(_message_of(error)) from error
    except click.Abort:
        raise KeyboardInterrupt from None
    return result if isinstance(result, int) else None


def _message_of(error: click.ClickException) -> str:
    message = " ".join(error.format_message().split()).removesuffix(".")
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    return message if ctx is None else f"{message}; see `{ctx.command_path} --help`"
