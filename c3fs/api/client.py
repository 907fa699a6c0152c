"""One call to the control plane: the key, a bound for all of it, and another try where one does no harm.

What may be tried again. A request that was never sent (nobody listens, no connection in time) and one that was turned
away unread (429), always. One whose answer was lost, or says that the control plane cannot now, only if the request is
`repeatable`: done twice it is done once. Of any other nobody can say whether it was done: OutcomeUnknownError.
Between tries is a pause with full jitter, or what Retry-After asks for; when there is no time left for it the last
error is the answer.

The key is in the Authorization header and nowhere else: httpx's own lines in the log are turned off, and its errors,
which keep the request, are replaced. Redirects are not followed: they would carry the key elsewhere. A proxy from the
environment is used for https:// alone, where it sees no key.

httpx takes 70 ms to import, most of it for a program of its own that nobody calls: it is imported by the first request.
Its pool does work in the square of its connections; of the few that one process needs that is nothing, so its fork
httpx2, which mends that, has nothing to offer here. Blobs go another way (c3fs.store.transport).
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import random
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar
from urllib.parse import urlencode

import msgspec
import trio

from c3fs.api.body import body_of
from c3fs.api.endpoint import Remote
from c3fs.api.messages import VERSION
from c3fs.api.refusals import from_answer, from_transport
from c3fs.core.digest import Buffer
from c3fs.core.retry import Retry
from c3fs.errors import C3Error, DeadlineError, OutcomeUnknownError, RateLimitedError, StoreRefusedError

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

CALL_WITHIN: Final = 30.0
"""Seconds a call takes at most, with all its tries; each of them, where there is patience for more."""
CONNECT_WITHIN: Final = 5.0
CONNECTIONS_MAX: Final = 8
KEEP_ALIVE: Final = 3.0
"""Seconds a connection waits for another request: less than control planes keep it, so that it does not end under one
that must not be repeated."""
ANSWER_MAX: Final = 256 << 20
"""Bytes of an answer: the manifests of half a million jobs."""
TRIES: Final = Retry(tries=5, first=0.1, longest=3.0)

Query = Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is below the version's prefix, its parts percent-encoded. `body` is a message, or bytes as they are.
    `within` is in seconds; see CALL_WITHIN. So is `stall`, in which something must move."""

    method: str
    path: str
    query: Query | None = None
    body: msgspec.Struct | Buffer | None = None
    repeatable: bool = False
    within: float = CALL_WITHIN
    stall: float | None = None

    @property
    def shown(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def target(self) -> str:
        """Path and query. Text that is no Unicode goes as the bytes it was."""
        return f"{self.path}?{urlencode(self.query, errors='surrogateescape')}" if self.query else self.path


class _Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class ApiClient:
    """Made by `open_client`. Any number of tasks may call it at once.

    Every call raises what the control plane says (c3fs.api.faults); StoreUnavailableError when it is not reached or
    cannot now, DeadlineError when that takes too long, OutcomeUnknownError for both of what is not repeatable and was
    sent; StoreRefusedError when what answers is no control plane of this version or has no certificate that is trusted.
    Cancelling a call leaves open whether it was done.
    """

    def __init__(self, remote: Remote, tries: Retry = TRIES, *, draw: Callable[[], float] = random) -> None:
        self.remote = remote
        self._tries = tries
        self._draw = draw
        self._http: httpx.AsyncClient | None = None

    def __repr__(self) -> str:
        return f"<ApiClient {self.remote.endpoint}>"

    async def get(self, path: str, answer: type[T], query: Query | None = None) -> T:
        return await self.call(Request("GET", path, query, repeatable=True), answer)

    async def call(self, request: Request, answer: type[T]) -> T:
        """The answer, decoded."""
        return self._decoded(request, await self._try(request), answer)

    async def ask(self, request: Request, answer: type[T]) -> T | None:
        """The same where the control plane may have nothing to say (204)."""
        told = await self._try(request)
        return None if told.status == 204 else self._decoded(request, told, answer)

    async def tell(self, request: Request) -> None:
        """A request whose answer has no body (204). Any other web server may say 200 to it."""
        told = await self._try(request)
        if told.status != 204:
            raise from_answer(self.remote.endpoint, told.status, told.body, told.headers)

    async def read(self, request: Request) -> bytes:
        """The body of the answer as it is."""
        return (await self._try(request)).body

    async def aclose(self) -> None:
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    # --- tries

    async def _try(self, request: Request) -> _Answer:
        begun = trio.current_time()
        deadline = begun + max(request.within, self._tries.patience)
        failed = 0
        while True:
            try:
                return await self._once(request, min(deadline, trio.current_time() + request.within))
            except _Failed as failure:
                failed += 1
                error = failure.error
                again = error.retryable and (failure.is_unsent or request.repeatable)
                pause = self._tries.pause(failed, self._draw)
                if isinstance(error, RateLimitedError):
                    pause += error.seconds
                now = trio.current_time()
                if not again or self._tries.is_over(failed, now - begun) or now + pause >= deadline:
                    raise error from None
            await trio.sleep(pause)

    async def _once(self, request: Request, deadline: float) -> _Answer:
        import httpx

        try:
            with trio.fail_at(deadline):
                answer = await self._send(request)
        except trio.TooSlowError:
            what = f"{request.shown} at {self.remote.endpoint}"
            raise _Failed(self._unknown(request, DeadlineError(what, request.within))) from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise _Failed(from_transport(self.remote.endpoint, error, connected=False), is_unsent=True) from None
        except httpx.RequestError as error:
            broken = from_transport(self.remote.endpoint, error, connected=True)
            raise _Failed(self._unknown(request, broken)) from None
        if answer.status < 300:
            return answer
        refusal = from_answer(self.remote.endpoint, answer.status, answer.body, answer.headers)
        if isinstance(refusal, RateLimitedError):
            raise _Failed(refusal, is_unsent=True)
        raise _Failed(self._unknown(request, refusal) if answer.status >= 500 else refusal)

    async def _send(self, request: Request) -> _Answer:
        sent = self._to_httpx(request)
        sent.extensions["timeout"] = {"connect": CONNECT_WITHIN, "read": request.stall, "write": request.stall}
        response = await self._client().send(sent, stream=True)
        try:
            return _Answer(response.status_code, response.headers, await self._body(response))
        finally:
            await response.aclose()

    def _to_httpx(self, request: Request) -> httpx.Request:
        headers = {"authorization": f"Bearer {self.remote.key}", "accept": "application/json", "user-agent": "c3fs"}
        body = request.body
        if isinstance(body, msgspec.Struct):
            headers["content-type"] = "application/json"
            body = msgspec.json.encode(body)
        elif body is not None:
            headers["content-type"] = "application/octet-stream"
        if body is not None or request.method != "GET":
            headers["content-length"] = str(len(body or b""))
        url = self.remote.endpoint + VERSION + request.target
        sent = self._client().build_request(request.method, url, headers=headers)
        sent.stream = body_of(body or b"")
        return sent

    async def _body(self, response: httpx.Response) -> bytes:
        """All of it; raises _Failed when that is too much."""
        import httpx

        body = bytearray()
        try:
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > ANSWER_MAX:
                    await response.aclose()  # ends the iteration with an error, and leaves no generator half-way
        except httpx.TransportError:
            if len(body) <= ANSWER_MAX:
                raise
        if len(body) > ANSWER_MAX:
            raise _Failed(StoreRefusedError(f"{self.remote.endpoint} answered more than {ANSWER_MAX} bytes"))
        return bytes(body)

    def _unknown(self, request: Request, error: C3Error) -> C3Error:
        """Of what must not be repeated nobody can say whether it was done."""
        if request.repeatable or not error.retryable:
            return error
        return OutcomeUnknownError(f"{error}; whether it was done is not known")

    def _decoded(self, request: Request, answer: _Answer, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except msgspec.ValidationError as error:
            raise StoreRefusedError(
                f"{self.remote.endpoint} answered {request.shown} with what this version of c3 does not "
                f"understand ({error}); they may be of different versions"
            ) from None
        except msgspec.DecodeError:
            raise from_answer(self.remote.endpoint, answer.status, answer.body, answer.headers) from None

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            self._http = _new_client(self.remote.endpoint)
        return self._http


@asynccontextmanager
async def open_client(remote: Remote, tries: Retry = TRIES) -> AsyncGenerator[ApiClient]:
    """A client whose connections are closed in the end. Nothing is connected before it is called."""
    client = ApiClient(remote, tries)
    try:
        yield client
    finally:
        with trio.move_on_after(1) as closing:
            closing.shield = True
            await client.aclose()


class _Failed(Exception):
    """One try that failed; `is_unsent` if the control plane has certainly done nothing."""

    def __init__(self, error: C3Error, *, is_unsent: bool = False) -> None:
        self.error = error
        self.is_unsent = is_unsent


def _new_client(endpoint: str) -> httpx.AsyncClient:
    import httpx

    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    is_tls = endpoint.startswith("https:")
    return httpx.AsyncClient(
        # The system's certificates, or those of SSL_CERT_FILE; reading them takes 20 ms, which http:// does not need.
        verify=ssl.create_default_context() if is_tls else False,
        trust_env=is_tls,
        timeout=None,  # each request says its own
        limits=httpx.Limits(
            max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX, keepalive_expiry=KEEP_ALIVE
        ),
    )
