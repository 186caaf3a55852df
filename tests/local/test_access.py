"""The local cloud answers its own clients, and neither a web page nor anyone who does not know its access key."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import urllib3
from botocore.exceptions import ClientError
from urllib3 import BaseHTTPResponse

from pipeline.local.client import local_client
from pipeline.local.cloud import LocalCloud
from tests.support.guarded_cloud import ADDRESS, a_guarded_cloud

SEND = {"Action": "SendEmail", "Version": "2010-12-01", "Source": ADDRESS, "Destination.ToAddresses.member.1": ADDRESS}
SEND |= {"Message.Subject.Data": "Hello", "Message.Body.Text.Data": "Hello"}
JSON, FORM = "application/x-amz-json-1.0", "application/x-www-form-urlencoded"
WEB_PAGES = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},  # a file, or a frame in a sandbox
    {"Origin": "http://localhost:3000"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]
HOSTS = ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "", "[::1", "10.0.0.1"]


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with a_guarded_cloud() as cloud:
        yield cloud


class Caller:
    """A program that makes raw requests with an access key.

    Args:
        cloud: The cloud.
        access_key_id: The access key; None for the cloud's.
    """

    def __init__(self, cloud: LocalCloud, *, access_key_id: str | None = None) -> None:
        self._key = access_key_id or cloud.environment()["AWS_ACCESS_KEY_ID"]
        self._cloud = cloud

    def calls(self, **headers: str) -> list[BaseHTTPResponse]:
        """Make each call, and return the replies."""
        return [self.scan(**headers), self.get_object(**headers), self.send(**headers), self.send_v2(**headers)]

    def scan(self, **headers: str) -> BaseHTTPResponse:
        target = {"X-Amz-Target": "DynamoDB_20120810.Scan", "Content-Type": JSON}
        body = f'{{"TableName": "{self._cloud.names.table}"}}'
        return self._call("POST", "/", "dynamodb", body, **target, **headers)

    def get_object(self, **headers: str) -> BaseHTTPResponse:
        return self._call("GET", f"/{self._cloud.names.bucket}/a-key", "s3", "", **headers)

    def send(self, **headers: str) -> BaseHTTPResponse:
        return self._call("POST", "/", "ses", urlencode(SEND), **{"Content-Type": FORM}, **headers)

    def send_v2(self, **headers: str) -> BaseHTTPResponse:
        return self._call("POST", "/v2/email/outbound-emails", "ses", "{}", **{"Content-Type": JSON}, **headers)

    def _call(self, method: str, path: str, service: str, body: str, **headers: str) -> BaseHTTPResponse:
        authorization = (
            f"AWS4-HMAC-SHA256 Credential={self._key}/20260301/us-east-1/{service}/aws4_request, "
            "SignedHeaders=host, Signature=none"
        )
        url = self._cloud.endpoint_url + path
        return urllib3.request(
            method, url, body=body, headers={"Authorization": authorization, **headers}, retries=False
        )


@pytest.fixture
def sent(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Events that are published during the test."""
    events: list[Any] = []
    monkeypatch.setattr(cloud, "_observer", events.append)
    return events


def test_a_client_with_the_access_key_is_answered(cloud: LocalCloud, sent: list[Any]) -> None:
    """So what the other tests see refused is refused for its reason alone."""
    scan, get_object, send, _ = Caller(cloud).calls()
    assert ADDRESS in scan.data.decode()
    assert get_object.data == b"a body"
    assert send.status == HTTPStatus.OK
    assert sent


@pytest.mark.parametrize("headers", WEB_PAGES, ids=str)
def test_a_web_page_is_refused(cloud: LocalCloud, sent: list[Any], headers: dict[str, str]) -> None:
    """A page can neither read nor send, even with the access key, and no header of CORS lets it see the answer."""
    for reply in Caller(cloud).calls(**headers):
        assert reply.status == HTTPStatus.FORBIDDEN
        assert b"a web page made this request" in reply.data
        assert not [name for name in reply.headers if name.lower().startswith("access-control-")]
    assert sent == []


def test_a_preflight_is_refused(cloud: LocalCloud) -> None:
    """A browser asks before it sends another site a header such as Authorization, and gets no permission."""
    headers = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    headers |= {"Access-Control-Request-Headers": "authorization,x-amz-target"}
    reply = urllib3.request("OPTIONS", cloud.endpoint_url, headers=headers, retries=False)
    assert reply.status == HTTPStatus.FORBIDDEN
    assert not [name for name in reply.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("host", HOSTS)
def test_another_host_is_refused(cloud: LocalCloud, sent: list[Any], host: str) -> None:
    """A page whose domain now resolves to this machine is of the same origin for its browser, and names its domain."""
    for reply in Caller(cloud).calls(Host=host):
        assert reply.status == HTTPStatus.FORBIDDEN
        assert b"names another host" in reply.data
    assert sent == []


@pytest.mark.parametrize("host", ["localhost:80", "mailfold-log.localhost:4566", "127.0.0.1", "host.docker.internal:1"])
def test_this_machine_has_several_names(cloud: LocalCloud, host: str) -> None:
    """A client may use each of them, and that of a bucket at `localhost`."""
    assert Caller(cloud).scan(Host=host).status == HTTPStatus.OK


@pytest.mark.parametrize("key", ["local", "AKIAIOSFODNN7EXAMPLE", "é"])
def test_another_access_key_is_refused(cloud: LocalCloud, sent: list[Any], key: str) -> None:
    """Another user of this machine can reach the port, but does not know the key."""
    for reply in Caller(cloud, access_key_id=key).calls():
        assert reply.status == HTTPStatus.FORBIDDEN
        assert b"not signed with the access key" in reply.data
    assert sent == []


def test_an_unsigned_request_is_refused_by_each_server(cloud: LocalCloud) -> None:
    """The backend has an own port, and its pages to reset or to read everything need no signature."""
    urls = [thread.name for thread in threading.enumerate() if urlsplit(thread.name).scheme == "http"]
    assert len(urls) == 2
    for url in urls:
        for path in ("/moto-api/reset", "/moto-api/data.json", f"/{cloud.names.bucket}"):
            assert urllib3.request("POST", url + path, retries=False).status == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("service", ["dynamodb", "s3", "ses", "sesv2", "athena"])
def test_boto3_names_the_reason(cloud: LocalCloud, service: Any) -> None:
    """Of a request that is refused, in the error form of each API."""
    client = local_client(service, endpoint_url=cloud.endpoint_url, region="us-east-1")
    calls = {"dynamodb": "list_tables", "s3": "list_buckets", "ses": "list_identities", "sesv2": "get_account"}
    with pytest.raises(ClientError, match="export what it prints") as raised:
        getattr(client, calls.get(service, "list_work_groups"))()
    assert raised.value.response["Error"]["Code"] == "InvalidClientTokenId"
    client.close()


def test_a_presigned_url_is_answered(cloud: LocalCloud) -> None:
    """Its signature is in the query, and a person may open it in a browser, but no page may."""
    url = cloud.clients.s3.generate_presigned_url("get_object", Params={"Bucket": cloud.names.bucket, "Key": "a-key"})
    opened = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}
    assert urllib3.request("GET", url, headers=opened).data == b"a body"
    embedded = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert urllib3.request("GET", url, headers=embedded).status == HTTPStatus.FORBIDDEN


def test_each_cloud_has_its_own_access_key() -> None:
    """It cannot be guessed."""
    assert LocalCloud()._access_key_id != LocalCloud()._access_key_id
