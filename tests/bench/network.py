"""What a team measures: blobs to and from SeaweedFS beside curl, many mounts at once, and the control plane's answers.

All servers are on loopback and on the same cores as what is measured; so are curl and its server.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import trio

from c3fs.api.client import Request, open_client
from c3fs.api.endpoint import Remote
from c3fs.api.messages import BlobUrls, Claim, ClaimedBlobs, Digests, Missing
from c3fs.core.manifest import Manifest
from tests.bench.data import MIB, large_files
from tests.bench.measures import BIN, Bench, timed
from tests.bench.pace import paced
from tests.bench.rounds import Run
from tests.support.ports import free_block
from tests.support.postgres import own_cluster
from tests.support.programs import eventually
from tests.support.seaweed import BUCKET, own_seaweed

CURLS: Final = 8
"""Connections of the peer."""
PEER: Final = f"curl, {CURLS} connections"
SIZE: Final = 1024 * MIB
MOUNTS: Final = 100
MOUNT_ROUNDS: Final = 3
"""A minute each."""
REQUESTS_PER_S: Final = 200
SECONDS: Final = 15.0
ACCOUNT: Final = "bench"


@dataclass
class Plane:
    """A control plane on loopback over PostgreSQL and SeaweedFS, and somebody who may do everything."""

    base: Path
    endpoint: str
    key: str = field(repr=False)
    homes: int = 0

    @property
    def remote(self) -> Remote:
        return Remote(self.endpoint, self.key)

    def bench(self) -> Bench:
        """A machine that has nothing yet."""
        self.homes += 1
        base = self.base / f"machine{self.homes}"
        base.mkdir()
        own = {
            "C3_HOME": str(base / "home"),
            "C3_CACHE_DIR": str(base / "cache"),
            "C3_CACHE_SIZE": "4GiB",
            "C3_API_ENDPOINT": self.endpoint,
            "C3_API_KEY": self.key,
        }
        return Bench(base, {**os.environ, **own})


@contextmanager
def plane(base: Path) -> Generator[Plane]:
    with ExitStack() as stack:
        postgres = stack.enter_context(own_cluster(durable=True))
        seaweed = stack.enter_context(own_seaweed())
        port = free_block("127.0.0.1", 1, (0,))
        own = {"C3_DB": postgres.url(postgres.make_empty()), "C3_STORE": f"s3://{BUCKET}/bench"}
        environment = {**os.environ, **seaweed.variables(), **own, "C3_HOME": str(base / "plane")}

        def c3fs(*arguments: str) -> str:
            command = [BIN / "c3fs", *arguments]
            return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout

        c3fs("admin", "add-account", ACCOUNT)
        c3fs("admin", "add-user", ACCOUNT, "ann", "--role", "admin")
        key = c3fs("admin", "add-key", ACCOUNT, "ann").strip()
        command = ["setpriv", "--pdeathsig", "KILL", BIN / "c3fs", "serve", "--port", str(port), "--quiet"]
        with subprocess.Popen([*command, "--rate", "100000"], env=environment, stderr=subprocess.DEVNULL) as server:
            try:
                made = Plane(base, f"http://127.0.0.1:{port}", key)
                eventually("the control plane answers", partial(_answers, made))
                yield made
            finally:
                server.terminate()


def _answers(made: Plane) -> bool:
    command = ["curl", "-sf", "-o", "/dev/null", f"{made.endpoint}/v1/health"]
    return subprocess.run(command, check=False).returncode == 0


class Transfers:
    """A tree of large files, and rounds of moving its blobs."""

    def __init__(self, made: Plane, size: int) -> None:
        self._plane = made
        self._size = size
        self._rounds = 0
        self._source = made.base / "source"
        self._refs: list[str] = []
        self._manifest: Manifest | None = None

    def upload(self) -> float:
        """Seconds until data that nobody has is published: chunked, verified, stored, registered."""
        self._fresh()
        machine = self._plane.bench()
        name = f"/datasets/round{self._rounds}"
        seconds = timed(lambda: machine.c3("c3", "data", "cp", str(self._source), f"{name}/"))
        self._refs.append(name)
        return seconds

    def curl_upload(self) -> float:
        """Seconds for curl to put as many bytes, in blobs of 2 MiB that are ready, past the control plane."""
        self._fresh()
        pieces = self._plane.base / "pieces"
        shutil.rmtree(pieces, ignore_errors=True)
        pieces.mkdir()
        for path in sorted(self._source.iterdir()):
            command = ["split", "-b", "2M", "-a", "4", str(path), f"{pieces}/{path.name}."]
            subprocess.run(command, check=True)
        lines = trio.run(partial(_put_lines, self._plane.remote, sorted(pieces.iterdir())))
        return _curl(lines, self._plane.base / "put.curl")

    def fetch(self) -> float:
        """Seconds until all blobs of the tree are verified and committed to a cache that was empty."""
        machine = self._plane.bench()
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.fetcher", self.ref],
            env=machine.environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        shutil.rmtree(machine.base)
        told = json.loads(done.stdout)
        assert told["cached"] == told["blobs"], told
        return float(told["seconds"])

    def curl_fetch(self) -> float:
        """Seconds for curl to get the same blobs, and drop them."""
        digests = trio.run(partial(_digests, self._plane.bench().environment, self.ref))
        lines = trio.run(partial(_get_lines, self._plane.remote, digests))
        return _curl(lines, self._plane.base / "get.curl")

    @property
    def ref(self) -> str:
        if not self._refs:
            self.upload()
        return self._refs[0]

    def _fresh(self) -> None:
        self._rounds += 1
        shutil.rmtree(self._source, ignore_errors=True)
        large_files(self._source, 4, self._size // 4, seed=self._rounds)


async def _digests(environment: dict[str, str], ref: str) -> list[str]:
    told = await trio.run_process(
        [sys.executable, "-m", "tests.bench.fetcher", "--list", ref], env=environment, capture_stdout=True
    )
    return list(json.loads(told.stdout))


async def _get_lines(remote: Remote, digests: Sequence[str]) -> list[str]:
    lines: list[str] = []
    async with open_client(remote) as client:
        for at in range(0, len(digests), 1000):
            body = Digests(list(digests[at : at + 1000]))
            answer = await client.call(Request("POST", "/blobs/urls", body=body), BlobUrls)
            lines += [f'url = "{where.url}"\noutput = "/dev/null"' for where in answer.urls]
    return lines


async def _put_lines(remote: Remote, pieces: Sequence[Path]) -> list[str]:
    from hashlib import sha256

    from c3fs.core.digest import Digest

    paths: dict[str, Path] = {}
    claims: list[Claim] = []
    for path in pieces:
        data = await trio.to_thread.run_sync(path.read_bytes)
        claims.append(Claim(str(Digest.of(data)), len(data), sha256(data).hexdigest()))
        paths[claims[-1].digest] = path
    lines: list[str] = []
    async with open_client(remote) as client:
        for at in range(0, len(claims), 1000):
            body = ClaimedBlobs(claims[at : at + 1000])
            answer = await client.call(Request("POST", "/blobs/missing", body=body), Missing)
            for slot in answer.missing:
                headers = "".join(f'\nheader = "{name}: {value}"' for name, value in slot.headers.items())
                lines.append(f'url = "{slot.url}"\nupload-file = "{paths[slot.digest]}"\noutput = "/dev/null"{headers}')
    return lines


def _curl(lines: Sequence[str], config: Path) -> float:
    config.write_text("\nnext\n".join(lines) + "\n")
    command = [
        "curl",
        "-sS",
        "--fail-early",
        "-Z",
        "--no-progress-meter",
        "--parallel-max",
        str(CURLS),
        "-K",
        str(config),
    ]
    return timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))


def mount_many(made: Plane, ref: str, count: int = MOUNTS) -> float:
    """Seconds until the last of so many mounts of one job, begun at once on one machine, is live."""
    machine = made.bench()
    points = [machine.base / f"mnt{number}" for number in range(count)]
    for point in points:
        point.mkdir()
    begin = time.perf_counter()
    started = [
        subprocess.Popen([BIN / "c3fs", "mount", ref, str(point)], env=machine.environment, cwd="/") for point in points
    ]
    try:
        assert [one.wait(300) for one in started] == [0] * count
        return time.perf_counter() - begin
    finally:
        for point in points:
            machine.c3("c3fs", "umount", str(point))


@dataclass(frozen=True, slots=True)
class Latencies:
    """In seconds, from when a request was due."""

    median: float
    p99: float
    worst: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latencies:
        return cls(statistics.median(seconds), statistics.quantiles(seconds, n=100)[98], max(seconds))


def read_manifests(made: Plane, ref: str, rate: float = REQUESTS_PER_S, seconds: float = SECONDS) -> Latencies:
    """How long manifests take that are asked for at an even rate, whether those before have come or not."""
    request = (
        f"GET /v1/manifests?ref={ref} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {made.key}\r\n\r\n".encode()
    )
    port = int(made.endpoint.rpartition(":")[2])
    return Latencies.of(trio.run(partial(paced, "127.0.0.1", port, request, rate, seconds)))


def teamwork(run: Run, scale: float) -> None:
    base = run.bench.base / "team"
    base.mkdir()
    size = max(int(SIZE * scale), 64 * MIB) // MIB * MIB
    with plane(base) as made:
        moves = Transfers(made, size)
        name, rate = f"{size >> 20} MiB", size / 1e6
        run.measure(f"publish {name} to SeaweedFS", moves.upload, moves.curl_upload, PEER, rate, "MB/s")
        run.measure(f"fetch {name} from SeaweedFS into the cache", moves.fetch, moves.curl_fetch, PEER, rate, "MB/s")
        seconds = [mount_many(made, moves.ref) for _ in range(min(run.rounds, MOUNT_ROUNDS))]
        median = statistics.median(seconds)
        run.single[f"{MOUNTS} mounts of one job begun at once, until the last is live"] = (
            f"{median:.1f} s ({min(seconds):.1f}-{max(seconds):.1f})"
        )
        read_manifests(made, moves.ref, seconds=2)
        rounds = [read_manifests(made, moves.ref) for _ in range(run.rounds)]
        middle = statistics.median(one.median for one in rounds)
        slow = statistics.median(one.p99 for one in rounds)
        run.single[f"manifests at {REQUESTS_PER_S}/s from one control plane, PostgreSQL"] = (
            f"p50 {1000 * middle:.1f} ms, p99 {1000 * slow:.1f} ms"
        )
