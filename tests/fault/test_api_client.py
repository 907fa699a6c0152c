"""What the client makes of control planes that are gone, slow, busy, somebody else, or not to be trusted."""

from __future__ import annotations

import logging
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
import trio

from c3fs.api.client import ApiClient, Request, open_client
from c3fs.api.endpoint import Remote
from c3fs.api.messages import JobRecord, MarkAnswer
from c3fs.core.retry import Retry
from c3fs.errors import (
    C3Error,
    DeadlineError,
    ForbiddenError,
    IllegalTransitionError,
    InvalidRequestError,
    JobNotFoundError,
    OutcomeUnknownError,
    RateLimitedError,
    StoreRefusedError,
    StoreUnavailableError,
    UnauthorizedError,
)
from tests.support.answers import DROP, HANG, KEY, Say, Step, answering, fine, refused

QUICK = Retry(tries=4, first=0.0, longest=0.0)
MARK = fine({"mark": 7})
ASK = Request("GET", "/mark", repeatable=True)
DO = Request("POST", "/removals", body=b"{}")


async def raised(*script: Step, request: Request = ASK) -> tuple[C3Error, int]:
    """The error, and how often was asked."""
    async with answering(*script) as answers, open_client(answers.remote, QUICK) as client:
        with pytest.raises(C3Error) as caught:
            await client.call(request, MarkAnswer)
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value, len(answers.asked)


async def test_one_call(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with answering(MARK) as answers, open_client(answers.remote) as client:
            assert (await client.get("/mark", MarkAnswer, {"ref": "/jobs/\udcff ä"})).mark == 7
            assert (await client.call(DO, MarkAnswer)).mark == 7
            assert KEY not in repr(client)
            assert KEY not in repr(client.remote)
    asked, told = answers.asked
    assert (asked.method, asked.target) == ("GET", "/v1/mark?ref=%2Fjobs%2F%FF+%C3%A4")
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert told.body == b"{}"
    assert KEY not in caplog.text


@pytest.mark.parametrize("trouble", [DROP, Say(drop=30), refused(StoreUnavailableError("busy")), Say(502, b"<html>")])
async def test_what_is_repeatable_is_tried_again(trouble: Say) -> None:
    async with answering(trouble, trouble, MARK) as answers, open_client(answers.remote, QUICK) as client:
        assert (await client.call(ASK, MarkAnswer)).mark == 7
        assert len(answers.asked) == 3


@pytest.mark.parametrize("trouble", [DROP, Say(drop=30), refused(StoreUnavailableError("busy")), Say(502, b"<html>")])
async def test_what_is_not_is_sent_once_and_said_to_be_unknown(trouble: Say) -> None:
    error, times = await raised(trouble, MARK, request=DO)
    assert isinstance(error, OutcomeUnknownError)
    assert str(error).endswith("whether it was done is not known")
    assert times == 1


async def test_tries_are_bounded() -> None:
    error, times = await raised(refused(StoreUnavailableError("busy")))
    assert type(error) is StoreUnavailableError
    assert (str(error), times) == ("busy", QUICK.tries)


@pytest.mark.parametrize(
    "error",
    [
        JobNotFoundError("job_1_abcdef"),
        UnauthorizedError(),
        ForbiddenError("do that"),
        IllegalTransitionError("job_1_abcdef", "RUNNING", "PENDING"),
        InvalidRequestError("what?"),
    ],
)
async def test_what_the_control_plane_says_is_raised_at_once(error: C3Error) -> None:
    for request in (ASK, DO):
        again, times = await raised(refused(error), request=request)
        assert (type(again), str(again), vars(again), times) == (type(error), str(error), vars(error), 1)


async def test_401_says_what_to_do() -> None:
    error, _ = await raised(refused(UnauthorizedError()))
    assert "`c3 login`" in str(error)


async def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        for request in (ASK, DO):
            async with open_client(Remote(endpoint, KEY), QUICK) as client:
                with pytest.raises(StoreUnavailableError, match=f"cannot connect to {endpoint}: ") as caught:
                    await client.call(request, MarkAnswer)
            assert not isinstance(caught.value, OutcomeUnknownError)


async def test_a_200_of_somebody_else_is_not_taken_for_something_done() -> None:
    portal = Say(200, b"<html>", {"content-type": "text/html"})
    async with answering(portal) as answers, open_client(answers.remote, QUICK) as client:
        with pytest.raises(StoreRefusedError, match="does not answer as a control plane: 200, text/html"):
            await client.tell(Request("DELETE", "/keys/abc"))


async def test_what_takes_long_must_move_meanwhile() -> None:
    slow = Request("GET", "/blobs/abc", repeatable=True, within=60, stall=0.2)
    async with answering(HANG, Say(200, b"late")) as answers, open_client(answers.remote, QUICK) as client:
        with trio.fail_after(10):
            assert await client.read(slow) == b"late"
    assert len(answers.asked) == 2


@pytest.mark.parametrize("request_", [ASK, DO])
async def test_one_that_is_away_is_waited_for_with_patience(request_: Request) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        remote = Remote(f"http://127.0.0.1:{taken.getsockname()[1]}", KEY)
        async with open_client(remote, Retry(tries=2, first=0.01, longest=0.01, patience=0.5)) as client:
            begun = trio.current_time()
            with pytest.raises(StoreUnavailableError, match="cannot connect to "):
                await client.call(request_, MarkAnswer)
            assert 0.5 <= trio.current_time() - begun < 5


async def test_patience_is_no_reason_to_do_something_twice() -> None:
    patient = Retry(tries=2, first=0.0, longest=0.0, patience=60.0)
    busy = refused(StoreUnavailableError("busy"))
    async with answering(*[busy] * 9, MARK) as answers, open_client(answers.remote, patient) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.call(DO, MarkAnswer)
        assert (await client.call(ASK, MarkAnswer)).mark == 7
    assert len(answers.asked) == 10


async def test_no_such_host() -> None:
    async with open_client(Remote("https://no-such-host.invalid", KEY), QUICK) as client:
        with pytest.raises(C3Error, match=r"cannot connect to https://no-such-host\.invalid: "):
            await client.call(ASK, MarkAnswer)


@pytest.mark.parametrize("repeatable", [True, False])
async def test_no_answer_in_time(repeatable: bool) -> None:
    async with answering(HANG) as answers, open_client(answers.remote, QUICK) as client:
        began = trio.current_time()
        with pytest.raises(C3Error) as caught:
            await client.call(Request("GET", "/mark", repeatable=repeatable, within=0.2), MarkAnswer)
        assert trio.current_time() - began < 5
        assert len(answers.asked) == 1
    assert type(caught.value) is (DeadlineError if repeatable else OutcomeUnknownError)
    assert answers.remote.endpoint in str(caught.value)


async def test_429_is_waited_for_and_may_always_be_tried_again() -> None:
    for request in (ASK, DO):
        busy = refused(RateLimitedError(0.2))
        async with answering(busy, MARK) as answers, open_client(answers.remote, QUICK) as client:
            began = trio.current_time()
            assert (await client.call(request, MarkAnswer)).mark == 7
            assert trio.current_time() - began >= 0.2


async def test_a_wait_for_which_there_is_no_time_is_not_begun() -> None:
    began = trio.current_time()
    error, times = await raised(refused(RateLimitedError(50)))
    assert isinstance(error, RateLimitedError)
    assert (error.seconds, times) == (50, 1)
    assert trio.current_time() - began < 10


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (Say(200, b"<html>Sign in</html>", {"content-type": "text/html"}), "does not answer as a control plane: 200"),
        (Say(404, b"<html>nginx</html>", {"content-type": "text/html"}), "does not answer as a control plane: 404"),
        (Say(401, b"", {"content-type": "text/html"}), "does not answer as a control plane: 401"),
        (Say(302, b"", {"location": "https://sso.example.org/x?token=secret"}), "to https://sso.example.org; is"),
        (fine({"else": 1}), "different versions"),
        (Say(200, b'{"mark": '), "does not answer as a control plane"),
        (Say(200, b""), "does not answer as a control plane"),
    ],
)
async def test_somebody_else_answers(said: Say, message: str) -> None:
    error, times = await raised(said)
    assert isinstance(error, StoreRefusedError)
    assert message in str(error)
    assert "secret" not in str(error)
    assert "127.0.0.1" in str(error)
    assert times == 1


async def test_an_answer_without_end_is_not_read_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("c3fs.api.client.ANSWER_MAX", 100_000)
    error, times = await raised(Say(200, b" " * 10_000_000))
    assert isinstance(error, StoreRefusedError)
    assert "answered more than 100000 bytes" in str(error)
    assert times == 1


async def test_an_answer_may_be_none() -> None:
    async with answering(Say(204)) as answers, open_client(answers.remote) as client:
        assert await client.ask(Request("POST", "/queue/take"), JobRecord) is None
        await client.tell(Request("PUT", "/quota", body=b"{}"))
        assert await client.read(ASK) == b""


async def test_cancelled_in_the_middle_it_works_on() -> None:
    async with answering(HANG, MARK) as answers, open_client(answers.remote) as client:
        with trio.move_on_after(0.1):
            await client.call(ASK, MarkAnswer)
        assert (await client.call(ASK, MarkAnswer)).mark == 7


@pytest.mark.parametrize("after", [0.0, 0.01, 0.1])
async def test_cancelled_while_it_sends(after: float) -> None:
    """Nothing is left that would warn when it is collected."""
    async with answering(MARK) as answers, open_client(answers.remote) as client:
        with trio.move_on_after(after):
            await client.call(Request("PUT", "/blobs/x", body=bytearray(50 << 20)), MarkAnswer)
        assert (await client.call(ASK, MarkAnswer)).mark == 7


async def test_many_at_once_share_few_connections() -> None:
    async with answering(MARK) as answers, open_client(answers.remote) as client:

        async def call() -> None:
            assert (await client.call(ASK, MarkAnswer)).mark == 7

        async with trio.open_nursery() as nursery:
            for _ in range(200):
                nursery.start_soon(call)
    assert len(answers.asked) == 200


async def test_closed_twice_and_never_used() -> None:
    client = ApiClient(Remote("http://127.0.0.1:9", KEY))
    await client.aclose()
    await client.aclose()


# --- TLS -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", "/CN=c3"]
    subprocess.run([*command, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True, timeout=30)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, context


async def test_a_certificate_that_nobody_vouches_for(certificate: tuple[Path, ssl.SSLContext]) -> None:
    async with answering(MARK, tls=certificate[1]) as answers, open_client(answers.remote, QUICK) as client:
        with pytest.raises(StoreRefusedError, match=r"its certificate is not trusted: .*SSL_CERT_FILE"):
            await client.call(ASK, MarkAnswer)
    assert answers.asked == []


async def test_one_that_the_environment_trusts(
    certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    async with answering(MARK, tls=certificate[1]) as answers, open_client(answers.remote) as client:
        assert (await client.call(ASK, MarkAnswer)).mark == 7


async def test_tls_where_there_is_none() -> None:
    async with answering(MARK) as answers:
        remote = Remote(answers.remote.endpoint.replace("http:", "https:"), KEY)
        async with open_client(remote, QUICK) as client:
            with pytest.raises(C3Error, match="does not speak TLS"):
                await client.call(ASK, MarkAnswer)
