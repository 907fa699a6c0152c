"""The control plane's database and store, as its engineer names them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from c3fs.errors import SettingsError

F = TypeVar("F", bound=Callable[..., Any])

VARIABLE: Final = "C3_DB"


def _checked(ctx: click.Context, parameter: click.Parameter, url: str | None) -> str | None:
    """A password on the command line is in every process list."""
    told = ctx.get_parameter_source(str(parameter.name))
    if told is ParameterSource.COMMANDLINE and urlsplit(url).password is not None:
        raise SettingsError(f"--db: everybody sees a password there; say it in {VARIABLE}, PGPASSWORD or ~/.pgpass")
    return url


def _database(*, required: bool) -> Callable[[F], F]:
    return click.option(
        "--db",
        metavar="URL",
        envvar=VARIABLE,
        show_envvar=True,
        required=required,
        callback=_checked,
        help="The database: sqlite:////absolute/path or postgresql://user@host/name.",
    )


def _store(*, required: bool) -> Callable[[F], F]:
    return click.option(
        "--store",
        metavar="URL",
        envvar="C3_STORE",
        show_envvar=True,
        required=required,
        help="The blobs: file:///absolute/path or s3://bucket/prefix.",
    )


database_option = _database(required=True)
store_option = _store(required=True)
optional_database = _database(required=False)
optional_store = _store(required=False)


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return parts._replace(netloc=f"{parts.username or ''}@{parts.netloc.rpartition('@')[2]}").geturl()
