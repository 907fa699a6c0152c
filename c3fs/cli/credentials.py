"""The file in which `c3 login` keeps the endpoint and the key: for its owner alone, whole or not there."""

from __future__ import annotations

import os
import secrets
import stat

import msgspec

from c3fs.api.endpoint import Remote
from c3fs.errors import SettingsError


class Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    endpoint: str
    key: str
    insecure: bool = False

    def __repr__(self) -> str:
        return f"<Stored {self.endpoint}>"


def load(path: str) -> Remote | None:
    """None without the file. Raises SettingsError, also when others may read it."""
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            stored = msgspec.json.decode(file.read(1 << 16), type=Stored)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except msgspec.MsgspecError:
        raise SettingsError(f"{path} is damaged; `c3 login` writes it anew") from None
    if stat.S_IMODE(mode) & 0o077:
        raise SettingsError(f"{path} can be read by others: `chmod 600 {path}`, or get another key")
    return Remote(stored.endpoint, stored.key, stored.insecure)


def save(path: str, remote: Remote) -> None:
    """Raises SettingsError."""
    data = msgspec.json.encode(Stored(remote.endpoint, remote.key, remote.insecure))
    directory = os.path.dirname(path)
    temporary = f"{path}.{secrets.token_hex(8)}"
    try:
        os.makedirs(os.path.dirname(directory), exist_ok=True)
        os.makedirs(directory, 0o700, exist_ok=True)
        os.chmod(directory, 0o700)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            os.rename(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}") from error


def forget(path: str) -> bool:
    """Whether there was one. Raises SettingsError."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise SettingsError(f"{path} cannot be removed: {error.strerror}") from error
    return True
