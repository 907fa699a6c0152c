"""One table from errors to exit codes, and what the guard prints."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import textwrap

import click
import pytest
import trio

from c3fs import errors
from c3fs.cli import exits, program
from c3fs.cli.exits import CODES, Invocation, ToldError, UsageError, code_of, guard, leaf_of, run_async
from c3fs.errors import C3Error, JobNotFoundError, MountBusyError


def _all_errors() -> list[type[C3Error]]:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    return [kind for kind in kinds if issubclass(kind, C3Error)]


@pytest.mark.parametrize("kind", _all_errors(), ids=lambda kind: kind.__name__)
def test_every_error_has_a_code_of_its_own_family(kind: type[C3Error]) -> None:
    """Only the root may fall through to the root's entry: a new family must be put into the table."""
    entry = next(above for above in kind.__mro__ if above in CODES)
    assert entry is not C3Error or kind is C3Error


def test_the_codes_are_told_in_the_package() -> None:
    import c3fs.cli

    documented = inspect.getdoc(c3fs.cli) or ""
    lines = {int(line.split()[0]) for line in documented.splitlines() if line.split()[:1] and line.split()[0].isdigit()}
    assert {*CODES.values(), exits.OK, exits.DIFFERENT} == lines


def _raising(error: BaseException) -> int:
    raise error


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("no"), 2, "no"),
        (errors.InvalidRefError("x", "it is empty"), 2, "not a ref: 'x': it is empty; a ref looks like"),
        (JobNotFoundError("job_1_abcdef"), 3, "no such job"),
        (errors.JobNotFinishedError("job_1_abcdef", "RUNNING"), 4, "is RUNNING"),
        (MountBusyError("/mnt"), 5, "/mnt is busy"),
        (errors.DeadlineError("the mount", 30), 6, "did not finish in 30 s"),
        (errors.BlobMissingError("ab"), 7, "no blob ab"),
        (errors.InvalidFormatError("directory", "not sorted"), 7, "invalid directory: not sorted"),
        (PermissionError(13, "Permission denied", "/x"), 8, "/x: Permission denied"),
        (ToldError("the mount is away", 6), 6, "the mount is away"),
        (ZeroDivisionError("oh"), 70, "ZeroDivisionError: oh; this is a defect of c3fs; run again with -v"),
    ],
)
def test_an_error_is_one_line_and_a_code(
    error: Exception, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guard(Invocation("c3"), lambda: _raising(error)) == code
    told = capsys.readouterr().err
    assert told.startswith("c3: error: ")
    assert line in told
    assert told.count("\n") == 1


def test_verbose_adds_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    guard(Invocation("c3", verbose=True), lambda: _raising(UsageError("no")))
    told = capsys.readouterr().err
    assert told.startswith("c3: error: no\nTraceback ")
    assert "_raising" in told


def test_an_interrupt_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert guard(Invocation("c3"), lambda: _raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == ""


def test_what_a_nursery_groups_is_told_as_it_is() -> None:
    async def fail() -> None:
        async with trio.open_nursery() as outer:
            async with trio.open_nursery() as inner:
                inner.start_soon(trio.sleep_forever)
                raise JobNotFoundError("job_1_abcdef")
            outer.cancel_scope.cancel()

    with pytest.raises(JobNotFoundError):
        run_async(fail)


def test_an_interrupt_comes_before_what_it_broke() -> None:
    group = BaseExceptionGroup("", [ValueError(), BaseExceptionGroup("", [C3Error("x"), KeyboardInterrupt()])])
    assert code_of(leaf_of(group)) == 130


def test_control_characters_of_a_name_are_told_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    guard(Invocation("c3"), lambda: _raising(errors.PathNotFoundError(b"a\xff\nb")))
    assert capsys.readouterr().err == "c3: error: a\\xff b: no such file or directory\n"


_PIPE_PROGRAM = textwrap.dedent(
    """
    import click
    from c3fs.cli.program import Group, run_program

    @click.group(cls=Group)
    def top() -> None: ...

    @top.command("spew")
    def spew() -> None:
        from c3fs.cli import output
        for at in range(1_000_000):
            output.write(f"{at}\\n")

    run_program(top, "c3", ["spew"])
    """
)


def test_a_closed_pipe_ends_quietly() -> None:
    """`c3 … | head -1` shows one line and nothing else, and 141 as any tool of the shell does."""
    script = '"$0" -c "$1" | head -1; exit ${PIPESTATUS[0]}'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable, _PIPE_PROGRAM], capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (141, b"0\n", b"")


def test_a_full_disk_behind_stdout_is_an_error() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", _PIPE_PROGRAM], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert done.returncode == 8
    assert done.stderr == f"c3: error: {os.strerror(28)}\n".encode()


def test_closed_streams_are_nobody_elses() -> None:
    code = "import os, sys; from c3fs.cli import program; program.open_standard_streams(); print(1); os.fstat(2)"
    script = '"$0" -c "$1" <&- >&- 2>&-'
    subprocess.run(["bash", "-c", script, sys.executable, code], check=True, timeout=60)


@click.group(cls=program.Group)
def _top() -> None:
    """A program."""


@_top.command("fail")
@click.option("--number", type=int)
def _fail(number: int | None) -> None:
    raise UsageError("no")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["fail", "--nunber", "1"], "c3: error: No such option '--nunber'"),
        (["fail", "--number", "x"], "'x' is not a valid integer; see `c3 fail --help`"),
        (["fial"], "c3: error: No such command 'fial'"),
        (["fail"], "c3: error: no"),
    ],
)
def test_a_wrong_command_line_is_one_line(arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.run_program(_top, "c3", arguments)
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert line in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("arguments", [["-v", "fail"], ["fail", "-v"]])
def test_verbose_may_be_said_anywhere(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        program.run_program(_top, "c3", arguments)
    assert "Traceback" in capsys.readouterr().err
