"""`scripts/bench [--rounds N] [--scale S] [--only PART] [--results FOLDER]`: see the package."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import trio

from c3fs.publish.publish import PublishRequest, publish_outputs
from c3fs.registry.sql import SqlRegistry
from c3fs.store.directory import DirectoryStore
from tests.bench.data import MIB, large_files, small_files
from tests.bench.measures import (
    Bench,
    copy,
    drop_caches,
    find,
    forget_pages,
    memory,
    read_all,
    timed,
)
from tests.bench.network import teamwork
from tests.bench.report import write
from tests.bench.rounds import Run

RESULTS: Final = Path(__file__).parents[2] / "results"
JOB: Final = "project: bench\njob_name: {name}\nscript: cp -a {source} $C3_ARTIFACTS_DIR/data\n"


def publish_once(base: Path, source: Path) -> float:
    """Seconds to publish `source` into a fresh directory store, all durable."""
    home = base / "publish"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()

    async def publish() -> None:
        store = DirectoryStore(str(home / "store"))
        registry = SqlRegistry.open(f"sqlite:///{home / 'registry.db'}")
        try:
            request = PublishRequest("/jobs/job_1_aaaaaa", os.fsencode(source.parent), (os.fsencode(source.name),))
            await publish_outputs(request, store, registry, now=lambda: datetime.now(UTC))
        finally:
            registry.close()

    return timed(partial(trio.run, publish))


def job(bench: Bench, name: str, source: Path) -> str:
    """Publish `source` as the artifacts of a job that ran here; its ref."""
    folder = bench.base / f"project-{name}"
    folder.mkdir()
    (folder / ".c3").write_text(JOB.format(name=name, source=source))
    before = set((bench.base / "home" / "jobs").glob("*"))
    bench.c3("c3", "deploy", "-f", cwd=folder)
    (made,) = set((bench.base / "home" / "jobs").glob("*")) - before
    return f"/jobs/{made.name}"


def publishing(run: Run, large: Path, small: Path, total: int, files: int) -> None:
    base, target = run.bench.base, run.bench.base / "copy"
    for name, source, amount, unit in (
        (f"publish {total >> 20} MiB in 8 files", large, total / 1e6, "MB/s"),
        (f"publish {files:,} files of 4 KiB", small, files, "files/s"),
    ):
        run.measure(
            name, partial(publish_once, base, source), lambda s=source: timed(partial(copy, s, target)),
            "cp -a, sync", amount, unit,
        )  # fmt: skip
    shutil.rmtree(target, ignore_errors=True)
    shutil.rmtree(base / "publish", ignore_errors=True)


def reading(run: Run, ref: str, large: Path, total: int) -> None:
    with run.bench.mounted(ref) as (mountpoint, process):
        ours = sorted((mountpoint / "artifacts" / "data").iterdir())
        theirs = sorted(large.iterdir())
        rate = total / 1e6
        read_all(ours)

        def ours_warm() -> float:
            forget_pages(ours)
            return timed(partial(read_all, ours))

        def theirs_warm() -> float:
            read_all(theirs)
            return timed(partial(read_all, theirs))

        def cold(paths: list[Path]) -> float:
            drop_caches()
            return timed(partial(read_all, paths))

        name = f"read {total >> 20} MiB"
        run.measure(f"{name}, warm (in the cache)", ours_warm, theirs_warm, "local, page cache", rate, "MB/s")
        run.measure(
            f"{name}, hot (read again)", partial(hot, ours), partial(hot, theirs), "local, page cache", rate, "MB/s"
        )
        if os.geteuid() == 0:
            run.measure(f"{name}, all caches of the kernel dropped", partial(cold, ours), partial(cold, theirs),
                        "local, from disk", rate, "MB/s")  # fmt: skip
        run.memory[f"{name} again and again"] = memory(process)


def hot(paths: list[Path]) -> float:
    read_all(paths)
    return timed(partial(read_all, paths))


def walking(run: Run, ref: str, tree: Path, files: int) -> None:
    peak: list[int] = []

    def ours() -> float:
        with run.bench.mounted(ref) as (mountpoint, process):
            seconds = timed(partial(find, mountpoint))
            peak.append(memory(process))
            return seconds

    run.measure(f"find -ls over {files:,} files, fresh mount", ours, lambda: timed(partial(find, tree)),
                "local, in memory", files, "files/s")  # fmt: skip
    run.memory[f"find over {files:,} files"] = max(peak)


def mounting(run: Run, few: str, many: str, files: int) -> None:
    def mount(ref: str) -> float:
        begin = datetime.now()
        with run.bench.mounted(ref):
            return (datetime.now() - begin).total_seconds()

    run.measure(f"mount a job of {files:,} files", partial(mount, many), partial(mount, few), "c3fs, 10 files")


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="c3fs beside the local file system")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each measure (default: 5)")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the data; 1 is that of README (default: 1)")
    parser.add_argument("--only", choices=PARTS, help="local: one machine; team: a control plane and SeaweedFS")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for bench.json and bench.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="c3fs-bench-", dir=os.environ.get("C3FS_BENCH_DIR")) as name:
        base = Path(name)
        environment = dict(os.environ, C3_HOME=str(base / "home"), C3_CACHE_DIR=str(base / "cache"))
        run = Run(Bench(base, environment), arguments.rounds)
        for part in PARTS if arguments.only is None else [arguments.only]:
            PARTS[part](run, arguments.scale)
        print()
        print(write(arguments.results, run))
        stamp = datetime.now(UTC).strftime("%Y-%m-%d")
        machine = f"Python {platform.python_version()}, Linux {platform.release()}, {os.cpu_count()} cores"
        command = " ".join(["scripts/bench", *sys.argv[1:]])
        print(f"\n{stamp}, {machine}; medians (min-max) of {arguments.rounds} rounds; {command}")


def bench(run: Run, scale: float) -> None:
    base = run.bench.base
    size = max(int(128 * scale), 4) * MIB
    small, files = max(int(20_000 * scale), 100), max(int(100_000 * scale), 1000)
    large_files(base / "large", 8, size)
    small_files(base / "small", small, 4096, 1000)
    small_files(base / "many", files, 16, 1000)
    small_files(base / "few", 10, 16, 10)
    publishing(run, base / "large", base / "small", 8 * size, small)
    refs = {name: job(run.bench, name, base / name) for name in ("large", "many", "few")}
    reading(run, refs["large"], base / "large", 8 * size)
    walking(run, refs["many"], base / "many", files)
    mounting(run, refs["few"], refs["many"], files)


PARTS: Final[dict[str, Callable[[Run, float], None]]] = {"local": bench, "team": teamwork}


if __name__ == "__main__":
    main()
