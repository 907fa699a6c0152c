"""The S3 client: obstore, opened for one place. It asks the environment for whatever it is not told, so it is told all
that decides where a request goes, as whose, and how it is signed.

Its own retries are off: c3fs.store.retried decides. A request on a connection that the server had closed before is sent
once more all the same, on a new one; it had not been read.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from obstore.store import S3Store as Client

from c3fs.store.s3settings import S3Settings

if TYPE_CHECKING:
    from obstore.store import S3Credential

CONNECT_WITHIN: Final = 5.0
"""Seconds to make a connection: two lost packets."""
IDLE_MAX: Final = 20.0
"""Seconds that a connection is kept for; servers and what is before them close them after 30 or more."""


def open_client(settings: S3Settings, within: float) -> Client:
    """Every request is answered, or fails, `within` seconds."""

    def credentials() -> S3Credential:
        return {
            "access_key_id": settings.access_key_id,
            "secret_access_key": settings.secret_access_key,
            "token": settings.session_token,
            "expires_at": None,
        }

    # Of a virtual host the client wants the endpoint with the bucket's name.
    endpoint = settings.root if settings.virtual_hosted else settings.endpoint
    return Client(
        settings.bucket,
        prefix=settings.prefix or None,
        config={
            "aws_endpoint_url_s3": endpoint,
            "endpoint": endpoint,
            "region": settings.region,
            "virtual_hosted_style_request": settings.virtual_hosted,
            "skip_signature": False,
            "unsigned_payload": False,
            "s3_express": False,
        },
        client_options={
            "allow_http": settings.endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=min(CONNECT_WITHIN, within)),
            "timeout": timedelta(seconds=within),
            "pool_idle_timeout": timedelta(seconds=IDLE_MAX),
        },
        retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=within)},
        credential_provider=credentials,
    )
