"""Several jobs at once, from several shells, on one home."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest
import trio

from c3fs.core.digest import Digest
from c3fs.core.manifest import Manifest, decode_inventory
from c3fs.core.ref import parse_ref
from c3fs.fuse.mounts import list_mounts
from c3fs.registry.sql import SqlRegistry
from c3fs.store.directory import DirectoryStore
from tests.support.programs import BIN, TIMEOUT, Home, own_home, processes_of

pytestmark = pytest.mark.mounts

SHELLS = 8


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    yield from own_home(tmp_path_factory.mktemp("shells"))


def unique_bytes(home: Home) -> int:
    """Of the blobs that all published trees need, their inventories among them; reckoned from the manifests."""
    store = DirectoryStore(f"{home.root}/home/store")

    async def blobs_of(manifest: Manifest) -> dict[Digest, int]:
        found: dict[Digest, int] = {}
        for part in manifest.inventory.parts:
            digest = Digest.parse(part.blob)
            found[digest] = part.size
            found |= decode_inventory(await store.get(digest))
        return found

    async def reckon() -> int:
        found: dict[Digest, int] = {}
        with SqlRegistry.open(f"sqlite:///{home.root}/home/registry.db") as registry:
            manifests = list((await registry.artifacts()).values())
            for project in await registry.projects():
                manifests += await registry.versions(parse_ref(f"/projects/{project}/source"))
        for manifest in manifests:
            found |= await blobs_of(manifest)
        assert await store.missing(dict.fromkeys(found, b"")) == set()
        return sum(found.values())

    return trio.run(reckon)


def test_many_shells_share_one_home(home: Home) -> None:
    first = home.deploy("first", "head -c 3000000 /dev/urandom > $C3_ARTIFACTS_DIR/data")
    spec = "script: run.sh\ndatasets:\n  - ref: /projects/first/jobs/@last/artifacts\n    mount: /data/first\n"
    script = "cd $C3_ARTIFACTS_DIR; cp /data/first/data .; cmp data /data/first/data; date +%N > own"
    folders = [home.project(name, spec, script) for name in ("left", "right")]
    shells = [
        subprocess.Popen(
            [f"{BIN}/c3", "deploy", "-f"],
            cwd=folders[number % 2],
            env=home.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(SHELLS)
    ]
    said = [shell.communicate(timeout=2 * TIMEOUT)[0] for shell in shells]
    assert [shell.returncode for shell in shells] == [0] * SHELLS, said
    jobs = home.c3("squeue", "--json").json
    assert [job["status"] for job in jobs] == ["SUCCEEDED"] * (SHELLS + 1)
    assert len({job["job_id"] for job in jobs}) == SHELLS + 1
    for project in ("left", "right"):
        assert home.c3("data", "ls", f"/projects/{project}/source").out == "@v1\n"
    assert home.c3("balance", "--json").json["stored"] == unique_bytes(home)
    consumers = home.c3("lineage", "--down", first, "--json").json["consumers"]
    assert {node["job_id"] for node in consumers} == {job["job_id"] for job in jobs} - {first}
    leave_nothing(home)


def leave_nothing(home: Home) -> None:
    """Of jobs that have ended: no mount, no process, no working directory, no half-written blob, no complaint."""
    assert not [record for record in list_mounts() if record.mountpoint.startswith(f"{home.root}/")]
    for job in os.listdir(home.root / "home" / "jobs"):
        assert "work" not in os.listdir(home.root / "home" / "jobs" / job)
        assert (home.root / "home" / "jobs" / job / "runner.log").read_bytes() == b""
        assert processes_of(job) == []
    assert os.listdir(home.root / "home" / "store" / "tmp") == []
