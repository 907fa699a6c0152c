"""`c3fs gc`, and durations."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from c3fs.cli.durations import parse_duration
from c3fs.cli.exits import UsageError
from c3fs.core.digest import Digest
from c3fs.core.ref import parse_ref
from c3fs.registry.sql import SqlRegistry
from c3fs.store.directory import DirectoryStore
from tests.support.blobs import seeded
from tests.support.invoked import Invoked


def remove(home: Path, job: str) -> None:
    async def main() -> None:
        with SqlRegistry.open(f"sqlite:///{home}/registry.db") as registry:
            await registry.remove([parse_ref(f"/jobs/{job}")])

    trio.run(main)


def blobs(home: Path) -> int:
    return len(list((home / "store").glob("??/*")))


def test_what_nothing_names_any_more_is_deleted_when_it_is_old(cli: Invoked) -> None:
    home = cli.root / "home"
    kept, removed = cli.job({b"a": seeded(1, 5000)}), cli.job({b"b": seeded(2, 7000)})
    stored = cli.c3("balance", "--json").json["stored"]
    count = blobs(home)
    remove(home, removed)
    balance = cli.c3("balance", "--json").json["stored"]
    assert stored - balance > 7000

    young = cli.c3fs("gc")
    assert "deleted 0 blobs" in young.out
    assert "for being young" in young.out
    would = cli.c3fs("gc", "--dry-run", "--grace", "0", "--json").json
    assert would["dry_run"]
    assert blobs(home) == count
    done = cli.c3fs("gc", "--grace", "0s", "--json").json
    assert {**done, "dry_run": True} == would
    assert done["deleted"]["bytes"] == stored - balance
    # The ledger follows: what is charged is what is there.
    assert done["named"] == {"blobs": blobs(home), "bytes": balance}
    assert cli.c3fs("gc", "--grace=0").out.startswith("deleted 0 blobs (0 B); ")
    assert cli.c3("balance", "--json").json["stored"] == balance
    assert cli.c3("data", "ls", f"/jobs/{kept}").out


def test_notes_go_to_stderr(cli: Invoked) -> None:
    home = cli.root / "home"
    cli.job({b"a": seeded(1, 5000)})
    foreign = home / "store" / "00" / "README"
    foreign.write_text("mine")
    half = home / "store" / "tmp" / "half"
    half.touch()
    os.utime(half, (0, 0))
    done = cli.c3fs("gc", "--json")
    assert (done.json["foreign"], done.json["temporary"], done.json["left"]) == (1, 1, 0)
    assert "removed 1 half-written blob\n" in done.err
    assert "1 thing in the store's directory" in done.err
    assert foreign.exists()
    assert not half.exists()


def test_a_new_home_has_nothing_to_delete(cli: Invoked) -> None:
    assert cli.c3fs("gc").out == "deleted 0 blobs (0 B); 0 blobs (0 B) stay for being named\n"


def test_a_file_system_without_locks_is_told(cli: Invoked, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(95, "Operation not supported")

    home = cli.root / "home"
    trio.run(DirectoryStore(f"{home}/store").put, Digest.of(b"x"), b"x")
    monkeypatch.setattr("fcntl.flock", refuse)
    assert "knows no locks" in cli.c3fs("gc", "--grace", "0", code=8).err


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("90s", 90), ("30m", 1800), ("24h", 86_400), ("7D", 604_800), (" 1.5h ", 5400)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text, "--grace") == seconds


@pytest.mark.parametrize("text", ["", "90", "h", "-1h", "1w", "1h30m", "1e3s", "1.s", "9999999999s", "٣s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(UsageError, match="--grace: not a duration"):
        parse_duration(text, "--grace")


def test_a_wrong_duration_is_a_wrong_command_line(cli: Invoked) -> None:
    assert "write it like 90s, 30m, 24h, 7d or 0" in cli.c3fs("gc", "--grace", "1w", code=2).err
