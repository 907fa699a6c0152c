"""Ctrl-C in the middle of a copy: the real program, stopped where its store does not answer."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from c3fs.core.span import Span
from tests.support.blobs import SteeredStore, seeded
from tests.support.encoded import Encoder, Holes
from tests.support.invoked import Invoked
from tests.support.programs import BIN, TIMEOUT, eventually


@pytest.mark.parametrize("arguments", [["pull", "{job}"], ["data", "cp", "/jobs/{job}", "{job}"]])
def test_an_interrupted_copy_leaves_whole_files_only(cli: Invoked, arguments: list[str]) -> None:
    store = SteeredStore()
    spans = [store.span(seeded(at, 1 << 20)) for at in range(2)]
    root = Encoder(store).root({b"a": b"whole", b"large": Holes(tuple(spans)), b"z": b"later"})
    job = cli.job({}, made=(store, root))
    pipe = replace_by_pipe(cli, spans[1])
    here = cli.root / job
    command = [f"{BIN}/c3", *(argument.format(job=job) for argument in arguments)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            eventually("the large file is under way", lambda: (here / "a").exists() and any(here.glob(".c3-part-*")))
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=TIMEOUT)
        finally:
            process.kill()
    assert process.returncode == 130
    assert b"Traceback" not in said
    assert os.listdir(here) == ["a"]
    os.unlink(pipe)
    (cli.root / "home" / "store" / pipe[-64:-62] / pipe[-64:]).write_bytes(seeded(1, 1 << 20))
    cli.c3("pull", job)
    assert sorted(os.listdir(here)) == ["a", "large", "z"]
    assert (here / "large").read_bytes() == seeded(0, 1 << 20) + seeded(1, 1 << 20)


def replace_by_pipe(cli: Invoked, span: Span) -> str:
    """Let the store hang at that blob: opening a pipe waits for a writer."""
    name = str(span.blob)
    path = f"{cli.root}/home/store/{name[:2]}/{name}"
    os.unlink(path)
    os.mkfifo(path)
    return path
