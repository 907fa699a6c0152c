"""Hooks every test shares; fixtures live beside the tests that use them, or in tests/support."""

from __future__ import annotations

import inspect
from functools import partial

import pytest
import trio

from tests.support import requirements

MARKERS = (
    "mounts: makes real FUSE mounts",
    "namespaces: makes private mount namespaces",
    "ordinary_user: runs programs as a user without rights; root runs the test",
    "postgres: runs a PostgreSQL server of its own",
    "networks: makes machines of a network out of namespaces, with servers on them",
    "ceph: stores blobs in Ceph RGW; runs with --ceph only",
    "campaign: minutes long, or many thousands of cases; runs with --campaign only",
)

_LEFT_OUT = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--campaign", action="store_true", help="also run the tests marked `campaign`")
    parser.addoption("--ceph", action="store_true", help="also run the tests marked `ceph`; scripts/test installs it")


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs Ceph, unless it was asked for."""
    left_out = [] if config.getoption("--ceph") else [item for item in items if item.get_closest_marker("ceph")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        config.stash[_LEFT_OUT] = len(left_out)
        items[:] = [item for item in items if not item.get_closest_marker("ceph")]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    left_out = config.stash.get(_LEFT_OUT, 0)
    if left_out:
        terminalreporter.write_line(f"{left_out} tests need Ceph RGW and were left out: --ceph runs them")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine, or this run, is not for; see tests.support.requirements."""
    if item.get_closest_marker("campaign") and not item.config.getoption("--campaign"):
        pytest.skip("a long campaign: --campaign runs it")
    for marker in requirements.CHECKS:
        if item.get_closest_marker(marker):
            requirements.demand(marker)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an `async def` test with trio; its fixtures are ordinary ones."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names if name in pyfuncitem.funcargs}
    trio.run(partial(pyfuncitem.obj, **arguments), strict_exception_groups=True)
    return True
