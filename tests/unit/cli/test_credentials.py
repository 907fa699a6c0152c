"""Where the key is kept, and which control plane is meant."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from c3fs.api.endpoint import Remote
from c3fs.cli import credentials
from c3fs.cli.plan import MountPlan
from c3fs.cli.settings import Storage, find_settings, load_settings, script_environment
from c3fs.errors import SettingsError

KEY = "c3_key_0123456789abcdef"
REMOTE = Remote("https://c3.example.org", KEY)


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("C3_API_ENDPOINT", "C3_API_KEY", "C3_API_INSECURE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("C3_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("C3_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return monkeypatch


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "config" / "c3" / "credentials.json")


def test_what_is_saved_is_loaded(path: str) -> None:
    assert credentials.load(path) is None
    before = os.umask(0)
    try:
        credentials.save(path, REMOTE)
    finally:
        os.umask(before)
    assert credentials.load(path) == REMOTE
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700
    other = Remote("http://c3.example.org", KEY, insecure=True)
    credentials.save(path, other)
    assert credentials.load(path) == other
    assert os.listdir(os.path.dirname(path)) == ["credentials.json"]
    assert credentials.forget(path)
    assert not credentials.forget(path)


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (b"", 0o600, "is damaged"),
        (b'{"endpoint": "https://c3.example.org"}', 0o600, "is damaged"),
        (b'{"endpoint": "https://c3.example.org", "key": "c3_key_0123456789abcdef"}', 0o640, "chmod 600"),
        (b'{"endpoint": "http://c3.example.org", "key": "c3_key_0123456789abcdef"}', 0o600, "in the clear"),
        (b'{"endpoint": "https://c3.example.org", "key": "what is this"}', 0o600, "not a key"),
    ],
)
def test_what_is_wrong_with_the_file_is_said(path: str, content: bytes, mode: int, why: str) -> None:
    os.makedirs(os.path.dirname(path))
    Path(path).write_bytes(content)
    os.chmod(path, mode)
    with pytest.raises(SettingsError, match=why) as caught:
        credentials.load(path)
    assert KEY not in str(caught.value)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("a file")
    with pytest.raises(SettingsError, match="cannot be written"):
        credentials.save(str(tmp_path / "config" / "c3" / "credentials.json"), REMOTE)


def test_the_environment_goes_before_the_file(environment: pytest.MonkeyPatch, path: str) -> None:
    assert load_settings().remote is None
    assert find_settings() is None
    credentials.save(path, REMOTE)
    assert load_settings().remote == REMOTE
    assert find_settings() is not None
    environment.setenv("C3_API_ENDPOINT", "https://other.example.org/")
    with pytest.raises(SettingsError, match="C3_API_ENDPOINT is set and C3_API_KEY is not"):
        load_settings()
    environment.setenv("C3_API_KEY", "c3_key_fedcba9876543210")
    assert load_settings().remote == Remote("https://other.example.org", "c3_key_fedcba9876543210")
    environment.delenv("C3_API_ENDPOINT")
    with pytest.raises(SettingsError, match="C3_API_KEY is set and C3_API_ENDPOINT is not"):
        load_settings()


def test_in_the_clear_only_if_it_is_said(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("C3_API_ENDPOINT", "http://c3.example.org")
    environment.setenv("C3_API_KEY", KEY)
    with pytest.raises(SettingsError, match="C3_API_INSECURE=1"):
        load_settings()
    environment.setenv("C3_API_INSECURE", "1")
    assert load_settings().remote == Remote("http://c3.example.org", KEY, insecure=True)


def test_scripts_do_not_get_the_key(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("C3_API_KEY", KEY)
    environment.setenv("HELLO", "you")
    assert b"C3_API_KEY" not in script_environment()
    assert script_environment()[b"HELLO"] == b"you"


def test_a_plan_carries_it_and_does_not_show_it(environment: pytest.MonkeyPatch, path: str) -> None:
    credentials.save(path, REMOTE)
    settings = load_settings()
    storage = settings.storage
    assert isinstance(storage, Storage)
    plan = MountPlan(manifest=b"{}", sub=(), mountpoint=b"/mnt", source=b"/jobs/x", storage=storage)
    again = msgspec.msgpack.decode(plan.encode(), type=MountPlan)
    assert again.storage.remote == REMOTE
    for shown in (plan, again, settings, storage):
        assert KEY not in repr(shown)
    assert settings.at(REMOTE.with_key("c3_job_0123456789abcdef")).storage.remote != REMOTE
