"""`c3fs serve`: the control plane over HTTP."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import click

from c3fs.cli import output
from c3fs.cli.databases import database_option, store_option, without_password
from c3fs.cli.exits import OK, UsageError, guard, run_async
from c3fs.cli.program import Command, Invocation
from c3fs.cli.settings import store_variables

if TYPE_CHECKING:
    from c3fs.server.plane import ControlPlane
    from c3fs.server.serve import Listen


@click.command("serve", cls=Command)
@database_option
@store_option
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where to listen.")
@click.option("--port", default=8400, show_default=True, type=click.IntRange(0, 65535), help="0 is any that is free.")
@click.option("--certificate", type=click.Path(exists=True), metavar="FILE", help="PEM; with --key: serve in TLS.")
@click.option("--key", type=click.Path(exists=True), metavar="FILE", help="PEM: the certificate's private key.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes.")
@click.option(
    "--rate", default=500.0, show_default=True, type=click.FloatRange(1), help="Requests a second for a user."
)
@click.option("--quiet", is_flag=True, help="Log no requests.")
def serve(
    db: str,
    store: str,
    host: str,
    port: int,
    certificate: str | None,
    key: str | None,
    workers: int,
    rate: float,
    quiet: bool,
) -> None:
    """Serve the control plane until SIGTERM or Ctrl-C.

    Jobs, manifests, users and keys are in the database, blobs in the store, an account's apart from all others'. The
    first account, user and key are made with c3fs admin. S3's address and credentials come from the usual AWS
    variables.

    \b
    Example: c3fs serve --db sqlite:////var/lib/c3fs/registry.db --store file:///var/lib/c3fs/store
             c3fs serve --host 0.0.0.0 --db postgresql://c3@db/c3 --store s3://blobs/c3
    """
    from c3fs.server.serve import Listen, address_of, bind
    from c3fs.server.workers import run_workers

    if (certificate is None) != (key is None):
        raise UsageError("--certificate and --key go together")
    listen = Listen(host, port, certificate, key)
    _log(quiet=quiet)
    _try_out(db, store)
    with bind(listen) as bound:
        output.write(f"{address_of(listen, bound)} (database {without_password(db)}, store {store})\n")
        output.flush()
        work = partial(_work, db, store, rate, listen, bound)
        code = work(None) if workers == 1 else run_workers(workers, lambda lifeline: _guarded(work, lifeline))
    if code:
        raise click.exceptions.Exit(code)


def _log(*, quiet: bool) -> None:
    for name in ("c3fs.server", *([] if quiet else ["c3fs.access"])):
        logging.getLogger(name).setLevel(logging.INFO)


def _try_out(db: str, store: str) -> None:
    """Whatever is wrong with them is said before anybody connects; the tables are made, or brought up to date."""
    from c3fs.registry.control import ControlDatabase
    from c3fs.server.stores import open_gateways

    database = ControlDatabase.open(db)
    try:
        open_gateways(store, store_variables(), database)
    finally:
        database.close()


def _guarded(work: Callable[[int | None], int], lifeline: int) -> int:
    """A worker has left the program that it was forked from."""
    return guard(Invocation("c3fs serve"), lambda: work(lifeline))


def _work(db: str, store: str, rate: float, listen: Listen, bound: socket.socket, lifeline: int | None) -> int:
    """One process's part: everything but the socket is its own."""
    from c3fs.server.serve import serve as serve_plane

    plane = _plane(db, store, rate)
    try:
        run_async(partial(serve_plane, plane, listen, bound, lifeline))
    finally:
        plane.database.close()
    return OK


def _plane(db: str, store: str, rate: float) -> ControlPlane:
    from c3fs.registry.control import ControlDatabase
    from c3fs.server.limits import Limit
    from c3fs.server.plane import ControlPlane
    from c3fs.server.stores import open_gateways

    database = ControlDatabase.open(db)
    gateways = open_gateways(store, store_variables(), database)
    return ControlPlane(database, gateways, keys=Limit(rate, 2 * rate), tend=gateways.run)
