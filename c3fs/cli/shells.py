"""The shells' side of completion: the scripts that `completion` prints, and how bash is answered.

click's own script for bash takes words as bash splits them, at `@`, `:` and `=` too, and knows nothing of quotes. Ours
sends the line up to the cursor. bash replaces only what follows the last of its word breaks, or the quote that is open:
so that much is left off the answers, and they are quoted the way the user has begun to.
"""

from __future__ import annotations

import os
import re
from typing import Final, NamedTuple

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    ZshComplete,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from c3fs.cli.program import Command

_BREAKS: Final = " \t\n\"'@><=;|&(:"
"""bash's own COMP_WORDBREAKS."""
_KEPT_BREAKS: Final = "@$"
"""Those of them with which bash begins a word, instead of after them: what follows may be a host or a variable."""
_ODD: Final = {
    "": re.compile(r"[^\w@%+=:,./-]"),
    '"': re.compile(r'["$`\\]'),
    "'": re.compile(r"'"),
}
"""What is quoted: outside of quotes, in double and in single ones."""


class Typed(NamedTuple):
    """The last word of a line: its text; how many letters of that come before what bash replaces; the quote that is
    open there, if one is."""

    text: str
    kept: int
    quote: str


@add_completion_class
class BashLine(BashComplete):
    """Takes the line up to the cursor, not bash's words."""

    source_template = """\
%(complete_func)s() {
    local type value
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done < <(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" \\
%(complete_var)s=bash_complete "$1" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]] && compopt -o nospace
    return 0
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["COMP_LINE"]
        typed = last_word(line, os.environ.get("COMP_WORDBREAKS", _BREAKS))
        words = split_arg_string(line)[1:]
        return words if not typed.text else words[:-1], typed.text

    def format_completion(self, item: CompletionItem[str]) -> str:
        typed = last_word(os.environ["COMP_LINE"], os.environ.get("COMP_WORDBREAKS", _BREAKS))
        replaced = item.value[typed.kept :] if item.value.startswith(typed.text[: typed.kept]) else item.value
        return f"{item.type},{quoted(replaced, typed.quote)}"

    def complete(self) -> str:
        return super().complete() + "\n"


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


def last_word(line: str, breaks: str = _BREAKS) -> Typed:
    """What stands before the cursor, as bash reads it."""
    text, kept, quote, escaped = "", 0, "", False
    for letter in line:
        if escaped:
            escaped = False
            text += letter if not quote or _ODD[quote].match(letter) else f"\\{letter}"
        elif letter == "\\" and quote != "'":
            escaped = True
        elif quote:
            if letter == quote:
                quote, kept = "", len(text)
            else:
                text += letter
        elif letter in "\"'":
            quote, kept = letter, len(text)
        elif letter.isspace():
            text, kept = "", 0
        else:
            text += letter
            if letter in breaks:
                kept = len(text) - (letter in _KEPT_BREAKS)
    return Typed(text, kept, quote)


def quoted(text: str, quote: str) -> str:
    """As it is to stand in the line, after `quote` if that is open."""
    return _ODD[quote].sub(r"'\\''" if quote == "'" else r"\\\g<0>", text)
