"""What an S3 place is read from, and what is refused."""

from __future__ import annotations

import pytest

from c3fs.errors import SettingsError
from c3fs.store.s3settings import S3Settings, is_private

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "Very+Secret/="}


def parse(url: str = "s3://bucket/a/b", **variables: str) -> S3Settings:
    return S3Settings.parse(url, KEYS | variables)


def test_amazon_is_where_it_is_when_no_server_is_said() -> None:
    settings = parse(AWS_REGION="eu-west-1", AWS_DEFAULT_REGION="us-west-2")
    assert settings.root == "https://bucket.s3.eu-west-1.amazonaws.com"
    assert settings.full("ab/x") == "a/b/ab/x"
    assert parse("s3://bucket").full("ab/x") == "ab/x"
    assert parse("s3://with.dots/").root == "https://s3.us-east-1.amazonaws.com/with.dots"


def test_another_server_has_the_bucket_in_the_path_unless_it_is_told() -> None:
    own = {"AWS_ENDPOINT_URL": "https://s3.example.org:9000/"}
    assert parse(**own).root == "https://s3.example.org:9000/bucket"
    assert parse(**own, AWS_VIRTUAL_HOSTED_STYLE_REQUEST="true").root == "https://bucket.s3.example.org:9000"
    both = own | {"AWS_ENDPOINT_URL_S3": "https://other.example.org"}
    assert parse(**both).root == "https://other.example.org/bucket"
    assert parse(AWS_ENDPOINT_URL="http://[::1]:9000").root == "http://[::1]:9000/bucket"


def test_no_secret_is_shown() -> None:
    settings = parse(AWS_SESSION_TOKEN="TokenThatIsSecret")
    for shown in (repr(settings), str(settings), settings.place, repr(settings.below("team"))):
        assert "Very" not in shown
        assert "Token" not in shown
    assert settings.below("team").prefix == "a/b/team"
    assert settings.below("team").secret_access_key == "Very+Secret/="


@pytest.mark.parametrize(
    "url",
    [
        "",
        "bucket",
        "s3://",
        "s3:///a",
        "s3://a",
        "s3://UPPER/a",
        "s3://a..b/c",
        "https://bucket/a",
        "s3://bucket/a//b",
        "s3://bucket/../a",
        "s3://bucket/ä",
        "s3://bucket/a b",
        "s3://bucket/" + "a" * 300,
        "s3://bucket/a?b",
        "s3://u@b",
    ],
)
def test_no_place(url: str) -> None:
    with pytest.raises(SettingsError):
        parse(url)


@pytest.mark.parametrize("name", ["", "a b", "..", "ä"])
def test_no_name_for_a_place_below(name: str) -> None:
    with pytest.raises(SettingsError):
        parse().below(name)


@pytest.mark.parametrize(
    "endpoint",
    [
        "ftp://host",
        "host:9000",
        "https://",
        "https://key:Very@host",
        "https://host/path",
        "https://host?x=Very",
        "http://s3.example.org",
        "https://host:99999",
        "https://host:0",
        "https://[::1",
    ],
)
def test_no_server(endpoint: str) -> None:
    with pytest.raises(SettingsError, match="AWS_ENDPOINT_URL") as caught:
        parse(AWS_ENDPOINT_URL=endpoint)
    assert "Very" not in str(caught.value)


@pytest.mark.parametrize("name", list(KEYS))
@pytest.mark.parametrize("value", ["", "Ver y", "Very\n"])
def test_no_credentials(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name) as caught:
        parse(**{name: value})
    assert "Ver" not in str(caught.value)


def test_no_region_and_no_flag() -> None:
    with pytest.raises(SettingsError, match="AWS_REGION"):
        parse(AWS_REGION="eu west")
    with pytest.raises(SettingsError, match="AWS_ALLOW_HTTP"):
        parse(AWS_ALLOW_HTTP="perhaps", AWS_ENDPOINT_URL="http://10.0.0.1")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "10.1.2.3", "fd00::1", "minio", "s3.team.internal"])
def test_private_hosts_need_no_tls(host: str) -> None:
    assert is_private(host)


@pytest.mark.parametrize("host", ["example.org", "8.8.8.8", "2001:4860:4860::8888", "internal.example.org"])
def test_others_do(host: str) -> None:
    assert not is_private(host)
    assert parse(AWS_ENDPOINT_URL=f"http://{f'[{host}]' if ':' in host else host}", AWS_ALLOW_HTTP="true").endpoint
