"""The fields of a `.c3` file that are for other runners: their shapes, and the places of what is refused."""

from __future__ import annotations

import pytest

from c3fs.core.jobfile import parse_job_spec
from c3fs.errors import InvalidJobSpecError


@pytest.mark.parametrize(
    ("text", "ignored"),
    [
        ("gpu: l40:2", {"gpu": "l40:2"}),
        ("gpu: H100_80GB", {"gpu": "H100_80GB"}),
        ("python: 3", {"python": "3"}),
        ("python: 3.10", {"python": "3.10"}),
        ("python: '3.11.4'", {"python": "3.11.4"}),
        ("python: {version: 3.11, project: ./}", {"python.version": "3.11", "python.project": "./"}),
        ("docker: rust:1", {"docker": "rust:1"}),
        (f"docker: ghcr.io/Me/x:v2@sha256:{'0' * 64}", {"docker": f"ghcr.io/Me/x:v2@sha256:{'0' * 64}"}),
        ("docker:\n  context: .\n", {"docker.context": "."}),
    ],
)
def test_fields_for_other_runners(text: str, ignored: dict[str, str]) -> None:
    assert parse_job_spec(f"script: x\n{text}", ".c3").ignored == ignored


S = "script: run.sh\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{S}gpu: l40:0", "2:6: `gpu:` is not 'l40:0', but a GPU, like l40, or several, like l40:2"),
        (f"{S}gpu: l40 x2", "2:6: `gpu:` is not 'l40 x2', but a GPU, like l40, or several, like l40:2"),
        (
            f"{S}gpu: 'l40: 2'",
            "2:6: `gpu:` is not 'l40: 2', but a GPU, like l40, or several, like l40:2",
        ),
        (f"{S}gpu: {{l40: 2}}", "2:6: `gpu:` is one value, not a mapping"),
        (f"{S}hardware: a b", "2:11: `hardware:` is not 'a b', but a name of letters, digits, '.', '_' and '-'"),
        (f"{S}provider: ../x", "2:11: `provider:` is not '../x', but a name of letters, digits, '.', '_' and '-'"),
        (f"{S}python: three", "2:9: `python:` is not 'three', but a version of Python, like 3.11"),
        (f"{S}python: 3.11.x", "2:9: `python:` is not '3.11.x', but a version of Python, like 3.11"),
        (f"{S}python: {{version: old}}", "2:19: `version:` is not 'old', but a version of Python, like 3.11"),
        (f"{S}python: {{}}", "2:9: `python:` is an empty mapping"),
        (f"{S}python: [3.11]", "2:9: `python:` is one value, not a list"),
        (f"{S}docker:", "2:8: `docker:` has no value; give it one or take the line out"),
        (f"{S}docker: a b", "2:9: `docker:` is not 'a b', but an image, like rust:1 or ghcr.io/me/tools:v2"),
        (f"{S}docker: {{}}", "2:9: `docker:` is an empty mapping"),
        (f"{S}docker:\n  img: x", "3:3: `docker:` needs `image:`, or `context:` or `dockerfile:` to build one"),
        (f"{S}docker: {{image: a b}}", "2:17: `image:` is not 'a b', but an image, like rust:1 or ghcr.io/me/tools:v2"),
        (f"{S}docker: {{image: }}", "2:16: `image:` has no value; give it one or take the line out"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidJobSpecError) as raised:
        parse_job_spec(text, ".c3")
    assert str(raised.value) == f".c3:{message}"
