"""Completion in bash and zsh: the scripts that `completion` prints, and what arguments complete to.

Whoever presses Tab wants no message, no wait and no change: what goes wrong is nothing to complete, nothing is made,
and jobs without an agent are not looked for.

click's own script for bash takes words as bash splits them, at `@` and `:` too. Ours sends the line, and takes off what
bash keeps in front of what it replaces: all up to its own word, but for an `@` there (it may begin a host's name).
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Final

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    ZshComplete,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from c3fs.cli.exits import run_async
from c3fs.cli.program import Command
from c3fs.cli.settings import Settings, find_settings
from c3fs.core.directory import Directory, Entry
from c3fs.core.ref import Ref
from c3fs.errors import C3Error
from c3fs.registry.base import Registry

ITEMS_MAX: Final = 500
"""More is nothing to choose from."""
_TOPS: Final = ("/datasets/", "/jobs/", "/projects/")

Items = list[CompletionItem[str]]


@add_completion_class
class BashLine(BashComplete):
    """Takes the line up to the cursor, not bash's words."""

    source_template = """\
%(complete_func)s() {
    local current=${COMP_WORDS[COMP_CWORD]} type value kept=0
    [[ $current == [:=] ]] && current=
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            typed)
                kept=$((${#value} - ${#current}))
                [[ $kept -gt 0 && ${value:kept-1:1} == @ ]] && kept=$((kept - 1))
                ;;
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$(printf %%q "${value:kept}")") ;;
        esac
    done < <(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" %(complete_var)s=bash_complete "$1" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]] && compopt -o nospace
    return 0
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)[1:]
        if not words or line[-1:].isspace():
            return words, ""
        return words[:-1], words[-1]

    def complete(self) -> str:
        return f"typed,{self.get_completion_args()[1]}\n{super().complete()}\n"


@add_completion_class
class ZshDirectories(ZshComplete):
    """Leaves no blank after a name that ends in a slash: there is more to type."""

    source_template = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local -a described directories response
    local type value help
    (( ! $+commands[%(prog_name)s] )) && return 1
    response=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \\
%(complete_var)s=zsh_complete %(prog_name)s 2>/dev/null)}")
    for type value help in ${response}; do
        case $type in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            plain)
                if [[ $value == */ ]]; then
                    directories+=("$value")
                elif [[ $help == _ ]]; then
                    described+=("${value//:/\\:}")
                else
                    described+=("$value:$help")
                fi ;;
        esac
    done
    (( $#directories )) && compadd -U -V refs -S '' -a directories
    (( $#described )) && _describe -V words described -U
    return 0
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""


@click.command("completion", cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    Example: eval "$(c3 completion bash)"       in ~/.bashrc
             eval "$(c3 completion zsh)"        in ~/.zshrc, after compinit
    """
    root = ctx.find_root()
    program = root.info_name or ""
    found = get_completion_class(shell)
    assert found is not None, shell
    click.echo(found(root.command, {}, program, f"_{program}_COMPLETE".upper()).source())


def complete_job(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Jobs, the newest first."""

    async def jobs(registry: Registry) -> Items:
        found = (job for job in await registry.jobs() if job.id.startswith(incomplete))
        return [
            CompletionItem(job.id, help=f"{job.project} {job.name} {job.state}") for job in islice(found, ITEMS_MAX)
        ]

    return _quietly(lambda settings: _with_registry(settings, jobs))


def complete_ref(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """The names below the last slash: of a namespace, or of a published tree."""
    above, slash, _ = incomplete.rpartition("/")
    if not slash:
        return [CompletionItem("/")]

    async def names(settings: Settings) -> Items:
        paths = [f"{above}/{name}" for name in await _names(settings, above or "/")]
        return [CompletionItem(path) for path in islice((p for p in paths if p.startswith(incomplete)), ITEMS_MAX)]

    return _quietly(names)


def complete_path(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """A ref, or a local path."""
    if incomplete.startswith(_TOPS):
        return complete_ref(ctx, parameter, incomplete)
    tops = [CompletionItem(top) for top in _TOPS if incomplete and top.startswith(incomplete)]
    return [*tops, CompletionItem(incomplete, type="file")]


def _quietly(work: Callable[[Settings], Awaitable[Items]]) -> Items:
    try:
        settings = find_settings()
        return [] if settings is None else run_async(lambda: work(settings))
    except (C3Error, OSError):
        return []


async def _with_registry(settings: Settings, work: Callable[[Registry], Awaitable[Items]]) -> Items:
    from c3fs.cli.wiring import open_registry

    async with open_registry(settings, sweep=False) as registry:
        return await work(registry)


async def _names(settings: Settings, place_text: str) -> list[str]:
    """Directories end in a slash; what they are does not matter, as long as there is more to type."""
    from c3fs.cli.browse import leaves, namespace_rows
    from c3fs.cli.places import parse_place
    from c3fs.cli.plan import directory_at
    from c3fs.cli.wiring import open_registry, reading

    place = parse_place(place_text)
    async with open_registry(settings, sweep=False) as registry:
        if not isinstance(place, Ref):
            rows = await namespace_rows(registry, place)
            words = {"versions": ["@latest/"], "jobs": ["@last/"] if place.project else []}
            return [*words.get(place.kind, []), *(f"{os.fsdecode(row.name)}/" for row in rows)]
        manifest = await registry.manifest(place)
    names: list[str] = []
    if not settings.has_cache:
        return names
    async with reading(settings.storage) as reader:
        tree = reader.view(manifest).tree
        async for leaf in leaves(tree, await directory_at(tree, place.sub)):
            names += [name for found in leaf if (name := _name(found.entry)) is not None]
            if len(names) > ITEMS_MAX:
                break
    return names


def _name(entry: Entry) -> str | None:
    """None for what no shell lets one type."""
    try:
        name = entry.name.decode()
    except UnicodeDecodeError:
        return None
    if not name.isprintable():
        return None
    return f"{name}/" if isinstance(entry, Directory) else name
