"""The environment, read in one place and refused in one line."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from c3fs.cli.boundedlog import BoundedLog
from c3fs.cli.settings import load_settings
from c3fs.errors import SettingsError


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("C3_HOME", str(tmp_path / "deep" / "home"))
    monkeypatch.setenv("C3_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("C3_CACHE_SIZE", raising=False)
    return monkeypatch


def test_directories_are_made_for_their_owner_alone(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("C3_CACHE_SIZE", "20GiB")
    settings = load_settings()
    assert settings.home == str(tmp_path / "deep" / "home")
    assert settings.cache_cap == 20 << 30
    for path in (settings.home, settings.cache_directory, settings.jobs_directory, settings.logs_directory):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
    assert load_settings() == settings


def test_defaults_are_the_users_own_places(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    environment.delenv("C3_HOME")
    environment.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert load_settings().home == str(tmp_path / "data" / "c3")
    assert load_settings().cache_cap is None


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("C3_HOME", "relative/home", "C3_HOME: 'relative/home' is not an absolute path"),
        ("C3_HOME", "/proc/c3", "C3_HOME: cannot make /proc/c3: No such file or directory"),
        ("C3_HOME", "/dev/null", "C3_HOME: /dev/null is not a directory you can write to"),
        ("C3_HOME", "/dev/null/c3", "C3_HOME: /dev/null/c3 is not a directory you can write to"),
        ("C3_CACHE_DIR", "/dev/null", "C3_CACHE_DIR: /dev/null is not a directory"),
        ("C3_CACHE_SIZE", "much", "C3_CACHE_SIZE: not a size: 'much'"),
        ("C3_CACHE_SIZE", "1MiB", "C3_CACHE_SIZE: 1MiB is too small; the least is 64MiB"),
    ],
)
def test_a_wrong_setting_is_named(environment: pytest.MonkeyPatch, variable: str, value: str, why: str) -> None:
    environment.setenv(variable, value)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert str(raised.value).startswith(why)


def test_a_mounts_log_forgets_its_older_half(tmp_path: Path) -> None:
    import logging

    path = tmp_path / "mount.log"
    log = BoundedLog(str(path), limit=1000)
    other = os.open(path, os.O_WRONLY | os.O_APPEND)
    for at in range(200):
        log.emit(logging.LogRecord("c3fs", logging.INFO, "", 0, "line %d", (at,), None))
        assert path.stat().st_size <= 1000
    os.write(other, b"from C code\n")
    os.close(other)
    log.close()
    lines = path.read_text().splitlines()
    assert lines[-2:] == ["line 199", "from C code"]
    assert all(line.startswith("line ") for line in lines[:-1])
    assert len(lines) > 40
