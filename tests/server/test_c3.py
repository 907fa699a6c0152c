"""The commands against a control plane: data, mounts, keys and users, and what happens when it is gone."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.blobs import seeded
from tests.support.programs import Home, Result, own_home, server_of
from tests.support.seaweed import shared_seaweed
from tests.support.served import Served, served

USAGE, UNAVAILABLE, DAMAGED, LOCAL, DENIED = 2, 6, 7, 8, 10


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("plane")) as running:
        yield running


@pytest.fixture
def home(plane: Served, tmp_path: Path) -> Iterator[Home]:
    """A machine that has logged in."""
    for home in own_home(tmp_path / "machine"):
        home.run("c3", "login", plane.url, said=f"{plane.key}\n", code=0)
        yield home


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    (path / "deep").mkdir(parents=True)
    for number in range(20):
        (path / "deep" / f"{number}").write_bytes(seeded(number, 5000))
    (path / "large").write_bytes(seeded(99, 9 << 20))
    return path


def clean(result: Result, key: str) -> Result:
    assert key not in result.out + result.err
    assert "Traceback" not in result.err
    return result


# --- who one is ----------------------------------------------------------------------------------------


def test_login_keeps_what_is_right_for_its_owner_alone(plane: Served, tmp_path: Path) -> None:
    home = Home(tmp_path)
    done = clean(home.run("c3", "login", f"{plane.url}/", "--json", said=plane.key, code=0), plane.key)
    assert done.json == {"endpoint": plane.url, "account": "acme", "kind": "user", "name": "boss"} | {
        "roles": {"*": "admin"}
    }
    file = tmp_path / "config" / "c3" / "credentials.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert os.listdir(file.parent) == ["credentials.json"]
    assert clean(home.c3("whoami"), plane.key).out.splitlines() == [
        f"user boss of account acme at {plane.url}",
        "admin in all projects",
    ]
    wrong = "c3_key_0000000000000000000000000000"
    refused = clean(home.run("c3", "login", plane.url, said=wrong, code=DENIED), wrong)
    assert refused.err.count("\n") == 1
    home.c3("whoami")
    home.c3("logout")
    assert not file.exists()
    assert home.c3("whoami", code=LOCAL).err == (
        "c3: error: no control plane: jobs and data are on this machine; `c3 login` uses one\n"
    )
    assert home.c3("logout").err == "c3: nobody was logged in\n"


def test_the_environment_goes_before_the_file(plane: Served, home: Home) -> None:
    wrong = {"C3_API_ENDPOINT": plane.url, "C3_API_KEY": "c3_key_0000000000000000000000000000"}
    assert "`c3 login`" in Home(home.root, wrong).c3("whoami", code=DENIED).err
    for half in wrong:
        assert "set both" in Home(home.root, {half: wrong[half]}).c3("squeue", code=LOCAL).err
    public = {**wrong, "C3_API_ENDPOINT": "http://c3.example.org"}
    assert "in the clear" in Home(home.root, public).c3("squeue", code=LOCAL).err


def test_a_file_that_others_may_read_is_refused(home: Home) -> None:
    file = home.root / "config" / "c3" / "credentials.json"
    file.chmod(0o644)
    assert "chmod 600" in home.c3("squeue", code=LOCAL).err
    file.chmod(0o600)
    file.write_text("{")
    assert "is damaged" in home.c3("squeue", code=LOCAL).err


def test_keys_and_users(plane: Served, home: Home, tmp_path: Path) -> None:
    home.c3("user", "add", "ann", "--role", "read", "--project", "demo")
    made = home.c3("key", "create", "--user", "ann", "--label", "laptop", "--expires", "1h", "--json").json
    ann = Home(tmp_path / "machine", {"C3_API_ENDPOINT": plane.url, "C3_API_KEY": made["key"]})
    assert ann.c3("whoami", "--json").json["roles"] == {"demo": "read"}
    assert clean(ann.c3("user", "list", code=DENIED), made["key"]).err.startswith("c3: error: this key may not")
    home.c3("user", "grant", "ann", "write", "--project", "demo")
    (row,) = [row for row in home.c3("user", "list", "--json").json if row["name"] == "ann"]
    assert row["roles"] == {"demo": "write"}
    listed = clean(home.c3("key", "list"), made["key"])
    assert made["id"] in listed.out
    home.c3("key", "revoke", made["id"])
    ann.c3("whoami", code=DENIED)
    home.c3("user", "remove", "ann")
    assert "ann" not in home.c3("user", "list").out
    assert home.c3("user", "grant", "ann", "read", "--project", "No!", code=USAGE).err


# --- data ----------------------------------------------------------------------------------------------


def test_data_goes_there_and_comes_back(home: Home, folder: Path, tmp_path: Path) -> None:
    first = home.c3("data", "cp", str(folder), "/datasets/glove/", "--json").json[0]
    assert first["path"] == "/datasets/glove/@v1"
    assert first["uploaded"] > 9 << 20
    again = home.c3("data", "cp", str(folder), "/datasets/glove/", "--json").json[0]
    assert (again["uploaded"], again["created"]) == (0, False)
    (folder / "more").write_text("more")
    assert home.c3("data", "cp", str(folder), "/datasets/glove/", "--json").json[0]["path"] == "/datasets/glove/@v2"
    assert {row["name"] for row in home.c3("data", "ls", "/datasets/glove/@v2", "--json").json} == {
        "deep",
        "large",
        "more",
    }
    home.c3("data", "cp", "/datasets/glove/@v1", str(tmp_path / "back"))
    assert (tmp_path / "back" / "large").read_bytes() == seeded(99, 9 << 20)
    assert (tmp_path / "back" / "deep" / "7").read_bytes() == seeded(7, 5000)
    assert home.c3("balance", "--json").json["stored"] > 9 << 20
    home.c3("data", "rm", "-y", "/datasets/glove/@v1", "/datasets/glove/@v2")
    assert home.c3("data", "ls", "/datasets/").out == ""
    assert not (home.root / "home" / "registry.db").exists()
    assert not (home.root / "home" / "store").exists()


def test_blobs_of_s3_go_past_the_control_plane(tmp_path: Path, folder: Path) -> None:
    seaweed = shared_seaweed()
    place = seaweed.settings()
    url = f"s3://{place.bucket}/{place.prefix}"
    with served(tmp_path, store=url, environment=seaweed.variables()) as plane:
        environment = {"C3_API_ENDPOINT": plane.url, "C3_API_KEY": plane.key}
        home = Home(tmp_path, environment)
        assert home.c3("data", "cp", str(folder), "/datasets/glove/", "--json").json[0]["uploaded"] > 9 << 20
        home.c3("data", "cp", "/datasets/glove", str(tmp_path / "back"))
        assert (tmp_path / "back" / "large").read_bytes() == seeded(99, 9 << 20)
        assert (tmp_path / "back" / "deep" / "7").read_bytes() == seeded(7, 5000)
        log = plane.log
    for asked in ("POST blobs/missing", "POST blobs/confirm", "POST blobs/urls"):
        assert asked in log
    for moved in ("GET blobs/{digest}", "PUT blobs/{digest}"):
        assert moved not in log


def test_a_blob_that_has_rotted_is_complained_of_and_can_be_put_again(tmp_path: Path, folder: Path) -> None:
    with served(tmp_path) as plane:
        environment = {"C3_API_ENDPOINT": plane.url, "C3_API_KEY": plane.key}
        home = Home(tmp_path, environment)
        home.c3("data", "cp", str(folder), "/datasets/glove/")
        largest = max((tmp_path / "store").rglob("?" * 64), key=lambda path: path.stat().st_size)
        largest.chmod(0o600)
        with largest.open("r+b") as file:
            file.write(b"rotten")
        other = Home(tmp_path / "other", environment)
        other.root.mkdir()
        failed = other.c3("data", "cp", "/datasets/glove", str(tmp_path / "back"), code=DAMAGED)
        assert largest.name in failed.err
        assert not largest.exists()
        assert plane.log.count("POST blobs/{digest}/complaint 200") == 1
        again = home.c3("data", "cp", str(folder), "/datasets/glove/", "--json").json[0]
        assert again["uploaded"] == largest.stat().st_size
        other.c3("data", "cp", "/datasets/glove", str(tmp_path / "healed"))
        assert (tmp_path / "healed" / "large").read_bytes() == seeded(99, 9 << 20)


@pytest.mark.mounts
def test_a_mount_reads_from_the_control_plane(plane: Served, home: Home, folder: Path) -> None:
    home.c3("data", "cp", str(folder), "/projects/demo/data/words/")
    mountpoint = home.mountpoint()
    clean(home.c3fs("mount", "/projects/demo/data/words/deep", str(mountpoint)), plane.key)
    try:
        assert (mountpoint / "7").read_bytes() == seeded(7, 5000)
        pid = server_of(mountpoint)
        for name in ("cmdline", "environ"):
            assert plane.key.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()
        loaded = Path(f"/proc/{pid}/maps").read_text()
        assert "sqlalchemy" not in loaded
    finally:
        home.c3fs("umount", str(mountpoint))
    logs = "".join(path.read_text() for path in (home.root / "home" / "logs").iterdir())
    assert plane.key not in logs
    assert "HTTP" not in logs


def test_what_is_somewhere_else_says_so(plane: Served, home: Home) -> None:
    assert plane.url in home.c3fs("gc", code=LOCAL).err


def test_nothing_of_the_other_side_is_imported(home: Home, tmp_path: Path) -> None:
    def loaded(home: Home) -> set[str]:
        lines = Home(home.root, {"PYTHONPROFILEIMPORTTIME": "1"}).c3("squeue").err.splitlines()
        return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines if line.startswith("import time")}

    assert "httpx" in loaded(home)
    assert "sqlalchemy" not in loaded(home)
    alone = Home(tmp_path)
    assert "sqlalchemy" in loaded(alone)
    assert "httpx" not in loaded(alone)


# --- when it is gone -----------------------------------------------------------------------------------


def test_a_control_plane_that_is_gone(home: Home, plane: Served) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        gone = Home(home.root, {"C3_API_ENDPOINT": endpoint, "C3_API_KEY": plane.key})
        failed = clean(gone.c3("squeue", code=UNAVAILABLE), plane.key)
    assert failed.err == f"c3: error: cannot connect to {endpoint}: Connection refused\n"


# --- completion ----------------------------------------------------------------------------------------


def completed(home: Home, *words: str) -> list[str]:
    """What bash is offered for the last of the words."""
    line = {"_C3_COMPLETE": "bash_complete", "COMP_LINE": " ".join(["c3", *words]), "COMP_WORDBREAKS": " "}
    done = Home(home.root, {**home.environment, **line}).c3(code=None)
    assert done.err == ""
    return [item.partition(",")[2] for item in done.out.split()]


def test_completion_asks_the_control_plane_and_is_quiet_without_it(
    home: Home, plane: Served, folder: Path, tmp_path: Path
) -> None:
    home.c3("data", "cp", str(folder), "/datasets/tab/")
    assert "/datasets/tab/" in completed(home, "data", "ls", "/datasets/t")
    assert completed(home, "data", "ls", "/datasets/tab/@v") == ["/datasets/tab/@v1/"]
    assert completed(home, "data", "ls", "/datasets/tab/@v1/d") == ["/datasets/tab/@v1/deep/"]
    gone = Home(tmp_path, {"C3_API_ENDPOINT": "http://127.0.0.1:9", "C3_API_KEY": plane.key})
    assert completed(gone, "data", "ls", "/datasets/t") == []
