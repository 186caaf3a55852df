"""The request log names what was called, and no address."""

from urllib.parse import urlencode

import pytest
import urllib3
from werkzeug.wrappers import Request, Response

from pipeline.local.gateway.request_log import RequestLog
from pipeline.local.gateway.server import Server

SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=key/20260301/us-east-1/{}/aws4_request, SignedHeaders=host"}
FORM = "application/x-www-form-urlencoded"


@Request.application
def application(request: Request) -> Response:
    if request.path == "/broken":
        raise ValueError(request.path)
    return Response(request.get_data(), status=404 if request.path == "/missing" else 200)


@pytest.mark.parametrize(
    ("method", "path", "headers", "line"),
    [
        ("POST", "/", {"X-Amz-Target": "DynamoDB_20120810.Scan"}, "dynamodb Scan 200 "),
        ("POST", "/", {"Content-Type": FORM}, "dynamodb SendEmail 200 "),
        ("GET", "/bucket/key", {}, "dynamodb GET /bucket/key 200 "),
        ("GET", "/missing", {"Authorization": ""}, "? GET /missing 404 "),
        ("GET", "/v2/email/suppression/addresses/ann%40example.com", {}, "dynamodb GET …@… 200 "),
        ("GET", "/broken", {}, "dynamodb GET /broken 500 "),
    ],
)
def test_a_request_is_a_line(method: str, path: str, headers: dict[str, str], line: str) -> None:
    """The service by its signature, the operation or method and path, status and duration."""
    lines: list[str] = []
    body = urlencode({"Action": "SendEmail", "Source": "ann@example.com"})
    signed = {name: value.format("dynamodb") for name, value in SIGNED.items()} | headers
    with Server(RequestLog(application, report=lines.append)) as server:
        reply = urllib3.request(method, server.url + path, body=body, headers=signed, retries=False)
    assert path == "/broken" or reply.data == body.encode()
    assert lines[0].startswith(line)
    assert lines[0].endswith(" ms")
