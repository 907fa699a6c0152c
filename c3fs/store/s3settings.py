"""Which bucket of which S3 server, and as whom: read from a URL and the usual AWS variables, which are handed in.

    AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL       the server; AWS's own when there is none
    AWS_REGION, AWS_DEFAULT_REGION              us-east-1 when there is none
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
    AWS_VIRTUAL_HOSTED_STYLE_REQUEST            true: the bucket is part of the host's name; as AWS has it, while other
                                                servers have it in the path unless this says otherwise
    AWS_ALLOW_HTTP                              true: no TLS, to any host

A secret appears in no `repr` and in no error. Without TLS everybody on the way reads and changes what passes (which
Verified notices, and nobody else), so http is for this machine and private networks unless AWS_ALLOW_HTTP says so.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlsplit

from c3fs.errors import SettingsError

DEFAULT_REGION: Final = "us-east-1"
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
_PART: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,126}\Z")
_REGION: Final = re.compile(r"[a-z0-9-]{1,63}\Z")
_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}\Z|[0-9A-Fa-f:.]{2,45}\Z")
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+\Z")
_PRIVATE_NAMES: Final = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
_PREFIX_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class S3Settings:
    """`endpoint` is the server's URL without a trailing slash; `prefix` is empty or ends without a slash.

    `virtual_hosted`: the bucket is part of the host's name.
    """

    endpoint: str
    bucket: str
    prefix: str
    region: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    virtual_hosted: bool = False

    @classmethod
    def parse(cls, url: str, variables: Mapping[str, str]) -> S3Settings:
        """From `s3://bucket/prefix` and environment variables; raises SettingsError."""
        bucket, prefix = _address(url)
        region = variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION") or DEFAULT_REGION
        if not _REGION.match(region):
            raise SettingsError("AWS_REGION is not a region's name (letters a-z, digits, hyphens)")
        own = variables.get("AWS_ENDPOINT_URL_S3") or variables.get("AWS_ENDPOINT_URL")
        endpoint = f"https://s3.{region}.amazonaws.com"
        if own:
            endpoint = _endpoint(own, _flag(variables, "AWS_ALLOW_HTTP", default=False))
        return cls(
            endpoint,
            bucket,
            prefix,
            region,
            _credential(variables, "AWS_ACCESS_KEY_ID"),
            _credential(variables, "AWS_SECRET_ACCESS_KEY"),
            _credential(variables, "AWS_SESSION_TOKEN") if variables.get("AWS_SESSION_TOKEN") else None,
            # A bucket with dots fits no certificate of the host's.
            _flag(variables, "AWS_VIRTUAL_HOSTED_STYLE_REQUEST", default=not own and "." not in bucket),
        )

    @property
    def root(self) -> str:
        """The URL below which the bucket's keys are, without a trailing slash."""
        if not self.virtual_hosted:
            return f"{self.endpoint}/{self.bucket}"
        scheme, host = self.endpoint.split("://", 1)
        return f"{scheme}://{self.bucket}.{host}"

    @property
    def place(self) -> str:
        """As messages name it."""
        return f"s3://{self.bucket}/{self.prefix} at {self.endpoint}".replace("/ at ", " at ")

    def full(self, key: object) -> str:
        """A key that is relative to the prefix (c3fs.store.s3keys), as the bucket has it; it needs no quoting."""
        return f"{self.prefix}/{key}" if self.prefix else str(key)

    def below(self, name: str) -> S3Settings:
        """The same with a longer prefix: what one account has. Raises SettingsError."""
        return replace(self, prefix=_prefix(f"{self.prefix}/{name}" if self.prefix else name))


def _address(url: str) -> tuple[str, str]:
    scheme, _, rest = url.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not _BUCKET.match(bucket) or ".." in bucket:
        raise SettingsError("a store's URL looks like s3://bucket/prefix, with a bucket of 3 to 63 characters a-z0-9.-")
    return bucket, _prefix(prefix.removesuffix("/"))


def _prefix(prefix: str) -> str:
    """Characters that mean themselves in a URL: nobody has to agree with anybody on how to quote a key."""
    if len(prefix) > _PREFIX_MAX or (prefix and not all(map(_PART.match, prefix.split("/")))):
        raise SettingsError(
            f"not a prefix for keys: {prefix[:80]!r}; letters, digits, '.', '_' and '-' between slashes"
        )
    return prefix


def _endpoint(url: str, allow_http: bool) -> str:
    """Shows no more of a refused URL than its host: credentials may have been pasted into it."""
    try:
        parts = urlsplit(url.removesuffix("/"))
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise SettingsError("AWS_ENDPOINT_URL is no URL; it looks like https://host:port") from None
    if parts.scheme not in ("http", "https") or not _HOST.match(host) or port == 0:
        raise SettingsError("AWS_ENDPOINT_URL is no URL of a server; it looks like https://host:port")
    if parts.username is not None or parts.path or parts.query or parts.fragment:
        raise SettingsError(
            f"AWS_ENDPOINT_URL has more than a host and a port ({host}); it looks like https://host:port"
        )
    if parts.scheme == "http" and not (allow_http or is_private(host)):
        raise SettingsError(f"AWS_ENDPOINT_URL: {host} needs https; AWS_ALLOW_HTTP=true does without TLS all the same")
    named = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{named}" if port is None else f"{parts.scheme}://{named}:{port}"


def is_private(host: str) -> bool:
    """Whether it is this machine, or one that only a private network knows."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.lower().endswith(_PRIVATE_NAMES)
    return address.is_loopback or address.is_private or address.is_link_local


def _credential(variables: Mapping[str, str], name: str) -> str:
    value = variables.get(name, "")
    if not value:
        raise SettingsError(f"{name} is not set; an S3 store needs it")
    if not _VISIBLE.match(value):
        raise SettingsError(f"{name} holds a character that no credential has (a space, or a line's end?)")
    return value


def _flag(variables: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = variables.get(name, "").lower()
    if value in ("true", "1", "yes"):
        return True
    if value in ("false", "0", "no"):
        return False
    if value:
        raise SettingsError(f"{name} is neither true nor false")
    return default
