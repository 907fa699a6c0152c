"""The description of the routes, and a control plane that is asked whatever the description allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, cast

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import (
    CHECKS,  # pyright: ignore[reportUnknownVariableType] - generic in what it does not say
    load_all_checks,
)

from c3fs.api.messages import VERSION
from c3fs.server.app import ROUTES
from c3fs.server.openapi import describe
from tests.support.served import Served, served

SMALL: Final = 16
LARGE: Final = 400
"""Requests a route: in every run, and in a campaign."""
WITHIN: Final = 60.0
CHECKED: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("plane"), "--rate", "100000", "--quiet") as running:
        yield running


def test_the_description_is_served_and_says_every_route(plane: Served) -> None:
    got = httpx.get(f"{plane.url}{VERSION}/openapi.json", timeout=WITHIN).json()
    assert got["openapi"] == "3.1.0"
    described = {f"{method.upper()} {path[4:]}" for path, methods in got["paths"].items() for method in methods}
    assert described == {route.name for route in ROUTES}
    names = [operation["operationId"] for methods in got["paths"].values() for operation in methods.values()]
    assert len(set(names)) == len(names)


def test_references_lead_somewhere() -> None:
    description = describe(ROUTES, "0")
    known = set(description["components"]["schemas"])

    def walk(value: object) -> None:
        if isinstance(value, dict):
            for key, inner in cast(dict[str, object], value).items():
                if key == "$ref":
                    assert str(inner).rsplit("/", 1)[1] in known
                walk(inner)
        elif isinstance(value, list):
            for inner in cast(list[object], value):
                walk(inner)

    walk(description)


def _ask(plane: Served, name: str, requests: int) -> None:
    """Requests that the description allows, and some that it does not; no answer may be one that it does not say."""
    schema: Any = schemathesis.openapi.from_dict(describe(ROUTES, "0"))
    method, path = name.split(" ")
    operation = schema[f"{VERSION}/{path}"][method]
    allowed = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    refused = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    load_all_checks()
    checks = cast(list[Any], CHECKS.get_by_names(CHECKED))
    headers = {"Authorization": f"Bearer {plane.key}"}

    @given(case=allowed | refused)
    @settings(
        max_examples=requests,
        deadline=None,
        derandomize=requests == SMALL,
        database=None,
        suppress_health_check=list(cast(Iterable[HealthCheck], HealthCheck)),
    )
    def ask(case: Any) -> None:
        case.call_and_validate(base_url=plane.url, headers=headers, checks=checks, timeout=WITHIN)

    ask()
    assert plane.process.poll() is None


@pytest.mark.parametrize("name", [route.name for route in ROUTES])
def test_every_answer_is_one_that_is_described(plane: Served, name: str) -> None:
    _ask(plane, name, SMALL)


@pytest.mark.campaign
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [route.name for route in ROUTES])
def test_every_answer_is_one_that_is_described_at_length(plane: Served, name: str) -> None:
    _ask(plane, name, LARGE)
