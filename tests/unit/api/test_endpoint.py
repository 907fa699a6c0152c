"""Which endpoints and keys are taken."""

from __future__ import annotations

import pytest

from c3fs.api.endpoint import Remote, tidy_endpoint
from c3fs.errors import SettingsError

KEY = "c3_key_0123456789abcdef"


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://c3.example.org",
        "https://c3.example.org:8443/below",
        "http://localhost:8400",
        "http://127.0.0.1:8400",
        "http://[::1]:8400",
        "http://10.1.2.3:8400",
        "http://192.168.0.7",
        "http://[fd00::1]:8400",
    ],
)
def test_taken(endpoint: str) -> None:
    assert Remote(endpoint, KEY).endpoint == endpoint


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ("", "not a URL like"),
        ("c3.example.org", "not a URL like"),
        ("ftp://c3.example.org", "not a URL like"),
        ("https://", "not a URL like"),
        ("https://c3.example.org/", "not a URL like"),
        ("https://c3.example.org:99999", "not a URL"),
        ("https://c3.exa mple.org", "not a URL like"),
        ("https://c3.example.org\n", "not a URL like"),
        ("https://[::1", "not a URL"),
        ("https://c3.example.org?a=b", "more than a host"),
        ("https://c3.example.org#a", "more than a host"),
        ("https://ann:secret@c3.example.org", "is not used"),
        ("http://c3.example.org", "in the clear"),
        ("http://8.8.8.8", "in the clear"),
        ("http://10.example.org", "in the clear"),
        ("http://localhost.example.org", "in the clear"),
    ],
)
def test_refused(endpoint: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        Remote(endpoint, KEY)
    assert "secret" not in str(caught.value)


def test_the_clear_for_who_says_so() -> None:
    assert Remote("http://c3.example.org", KEY, insecure=True).is_clear
    assert Remote("http://10.1.2.3", KEY).is_clear
    assert not Remote("http://127.0.0.1", KEY).is_clear
    assert not Remote("https://c3.example.org", KEY).is_clear


@pytest.mark.parametrize("key", ["", "c3_key_", "secret", f"{KEY}\n", f"{KEY} x", "c3_key_ä23456789", "x" + KEY])
def test_no_key(key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Remote("https://c3.example.org", key)
    assert str(caught.value) == "C3_API_KEY: not a key; one begins with c3_key_"


def test_no_repr_shows_a_key() -> None:
    remote = Remote("https://c3.example.org", KEY).with_key("c3_job_0123456789abcdef")
    assert remote.key == "c3_job_0123456789abcdef"
    assert "0123456789abcdef" not in f"{remote!r} {remote}"


def test_what_people_type() -> None:
    assert tidy_endpoint(" https://c3.example.org/ ") == "https://c3.example.org"
