"""Hooks every test shares; fixtures live beside the tests that use them, or in tests/support."""

from __future__ import annotations

import inspect
from functools import partial

import pytest
import trio


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an `async def` test with trio; its fixtures are ordinary ones."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names if name in pyfuncitem.funcargs}
    trio.run(partial(pyfuncitem.obj, **arguments), strict_exception_groups=True)
    return True
