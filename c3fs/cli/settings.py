"""What the environment says: the only reader of it.

    C3_HOME         the registry, the store, jobs and logs; default: the user's data directory
                    (~/.local/share/c3, or $XDG_DATA_HOME/c3)
    C3_CACHE_DIR    the chunk cache; default: the user's cache directory (~/.cache/c3), for root /var/cache/c3fs
    C3_CACHE_SIZE   the most bytes the cache may have on disk, like 20GiB; default: what the cache decides
    C3_API_ENDPOINT the control plane that has jobs, data and blobs, with C3_API_KEY; default: what `c3 login` has
                    stored, and without that they are on this machine
    C3_API_INSECURE 1 lets the key cross any network in the clear (http://)
    NO_COLOR, TERM  as everywhere: no colours when the one is set or the other is "dumb"

Directories are made on first use and readable by their owner alone: artifacts may be secrets.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Final

from c3fs.api.endpoint import Remote, tidy_endpoint
from c3fs.cli import credentials
from c3fs.cli.sizes import parse_size
from c3fs.errors import SettingsError

_CACHE_OF_ROOT: Final = "/var/cache/c3fs"
CACHE_SIZE_MIN: Final = 64 << 20
"""Bytes: a cache of fewer than sixteen of the largest blobs evicts what it has just fetched."""


@dataclass(frozen=True, slots=True)
class Storage:
    """Where blobs are: all that a process needs to read published trees. `cap` is in bytes. Those of a control plane
    are not in `store`."""

    store: str
    cache: str
    cap: int | None
    remote: Remote | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Where everything lies; absolute paths. `cache_cap` is in bytes, None for the cache's own default. With `remote`
    jobs, data and blobs are there, and on this machine are the cache and logs of mounts."""

    home: str
    cache_directory: str
    cache_cap: int | None
    remote: Remote | None = None

    def at(self, remote: Remote) -> Settings:
        """The same with another control plane, or another key to it."""
        return replace(self, remote=remote)

    @property
    def has_cache(self) -> bool:
        """Whether something was ever read."""
        return os.path.isdir(self.cache_directory)

    @property
    def has_jobs(self) -> bool:
        """Whether a job was ever made here."""
        return os.path.isdir(f"{self.home}/jobs")

    @property
    def registry_url(self) -> str:
        return f"sqlite:///{self.home}/registry.db"

    @property
    def storage(self) -> Storage:
        return Storage(f"{self.home}/store", self.cache_directory, self.cache_cap, self.remote)

    @property
    def jobs_directory(self) -> str:
        return self._directory("jobs")

    @property
    def logs_directory(self) -> str:
        return self._directory("logs")

    def _directory(self, name: str) -> str:
        path = f"{self.home}/{name}"
        _make(path, "C3_HOME")
        return path


def load_settings(remote: Remote | None = None) -> Settings:
    """Read the environment and make what it names; raises SettingsError. `remote` goes before the control plane and key
    that are there, which are not looked at then."""
    settings = _read(remote)
    _make(settings.home, "C3_HOME")
    _make(settings.cache_directory, "C3_CACHE_DIR")
    return settings


def find_settings() -> Settings | None:
    """The same where there is a registry, and None where not: nothing is made. Raises SettingsError."""
    settings = _read()
    return settings if settings.remote or os.path.isfile(f"{settings.home}/registry.db") else None


def _read(remote: Remote | None = None) -> Settings:
    import platformdirs  # not needed by a process that is handed its Storage

    home = _path("C3_HOME", platformdirs.user_data_dir("c3"))
    default = _CACHE_OF_ROOT if os.geteuid() == 0 else platformdirs.user_cache_dir("c3")
    cache = _path("C3_CACHE_DIR", default)
    size = os.environ.get("C3_CACHE_SIZE", "")
    cap = parse_size(size, "C3_CACHE_SIZE") if size else None
    if cap is not None and cap < CACHE_SIZE_MIN:
        raise SettingsError(f"C3_CACHE_SIZE: {size} is too small; the least is {CACHE_SIZE_MIN >> 20}MiB")
    return Settings(home, cache, cap, remote or _remote_said() or credentials.load(credentials_path()))


def credentials_path() -> str:
    """The file of `c3 login`."""
    import platformdirs

    return os.path.join(platformdirs.user_config_dir("c3"), "credentials.json")


def allows_insecure() -> bool:
    return os.environ.get("C3_API_INSECURE", "") == "1"


def endpoint_said() -> str:
    """That of the environment, or nothing."""
    return tidy_endpoint(os.environ.get("C3_API_ENDPOINT", ""))


def _remote_said() -> Remote | None:
    endpoint, key = endpoint_said(), os.environ.get("C3_API_KEY", "")
    if not endpoint and not key:
        return None
    if not endpoint or not key:
        has, lacks = ("C3_API_ENDPOINT", "C3_API_KEY") if endpoint else ("C3_API_KEY", "C3_API_ENDPOINT")
        raise SettingsError(f"{has} is set and {lacks} is not; set both, or neither and use `c3 login`")
    return Remote(endpoint, key, allows_insecure())


def script_environment(remote: Remote | None = None) -> dict[bytes, bytes]:
    """What the scripts of jobs get: the environment of whoever deployed them, or of the agent; without the key to
    everything. `remote` lets `c3` in a script do what its job may do."""
    environment = {name: value for name, value in os.environb.items() if name != b"C3_API_KEY"}
    if remote is not None:
        environment |= {b"C3_API_ENDPOINT": remote.endpoint.encode(), b"C3_API_KEY": remote.key.encode()}
        if remote.insecure:
            environment[b"C3_API_INSECURE"] = b"1"
    return environment


def store_variables() -> dict[str, str]:
    """The usual AWS variables: the address of an S3 server, and who asks it (c3fs.store.s3settings)."""
    return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


def wants_no_colour() -> bool:
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def _path(variable: str, default: str) -> str:
    path = os.environ.get(variable) or default
    if not os.path.isabs(path):
        raise SettingsError(f"{variable}: {path!r} is not an absolute path")
    return os.path.normpath(path)


def _make(path: str, variable: str) -> None:
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise SettingsError(f"{variable}: cannot make {path}: {error.strerror}") from error
    if not os.path.isdir(path) or not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise SettingsError(f"{variable}: {path} is not a directory you can write to")
