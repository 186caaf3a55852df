"""A page in a real browser on the machine of a local cloud: it can neither read from the cloud nor send through it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from pipeline.local.cloud import LocalCloud
from pipeline.local.gateway.server import Gateway
from tests.support.guarded_cloud import ADDRESS, a_guarded_cloud
from tests.support.node import NODE, PACKAGES, node_package

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[1] / "support" / "browser_page.mjs"
WAIT_SECONDS = 180
HOST = "rebound.example"

# Each call resolves to what the page sees of the answer.
CALLS = """(async () => {
  const see = (answer) => answer.then((response) => response.text().then((text) => `${response.status} ${text}`))
    .catch((error) => error.name);
  const signed = {authorization: "AWS4-HMAC-SHA256 Credential=KEY/20260301/us-east-1/x/aws4_request, Signature=none"};
  const post = (path, body, headers = {}, mode = "cors") =>
    see(fetch("URL" + path, {method: "POST", body, headers, mode}));
  const form = "Action=SendEmail&Version=2010-12-01&Source=ADDRESS&Destination.ToAddresses.member.1=ADDRESS"
    + "&Message.Subject.Data=Hello&Message.Body.Text.Data=Hello";
  return {
    "scan": await post("/", '{"TableName": "TABLE"}', {...signed, "x-amz-target": "DynamoDB_20120810.Scan"}),
    "object": await see(fetch("URL/BUCKET/a-key", {headers: signed})),
    "object by a signed address": await see(fetch("URL/BUCKET/a-key?X-Amz-Credential=KEY/20260301", {mode: "no-cors"})),
    "mail": await post("/", form, {...signed, "content-type": "application/x-www-form-urlencoded"}),
  };
})()"""


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    """Yield a cloud that holds an object and an item."""
    with a_guarded_cloud() as cloud:
        yield cloud


@pytest.fixture
def answered(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of the requests that the cloud acts on during the test."""
    paths: list[str] = []
    gateway_call = Gateway.__call__

    def call(gateway: Gateway, environ: Any, start_response: Any) -> Any:
        paths.append(environ["PATH_INFO"])
        return gateway_call(gateway, environ, start_response)

    monkeypatch.setattr(Gateway, "__call__", call)
    cloud.clients.s3.get_object(Bucket=cloud.names.bucket, Key="a-key")
    assert paths.pop().endswith("/a-key")
    return paths


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>A page</title>")

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def a_web_site() -> Iterator[int]:
    """Serve a page of another origin, and yield its port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def show(url: str, script: str, tmp_path: Path) -> Any:
    """Show a page, run a script in it, and return its result."""
    node_package("@sparticuz/chromium")
    result = subprocess.run(  # noqa: S603 - the script above
        [NODE, str(SCRIPT), str(PACKAGES), url, script, HOST],
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
        env={"TMPDIR": str(tmp_path), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def calls(cloud: LocalCloud, endpoint_url: str) -> str:
    """Return the script of a page that knows everything, even the access key."""
    values = {
        "KEY": cloud.environment()["AWS_ACCESS_KEY_ID"],
        "URL": endpoint_url,
        "BUCKET": cloud.names.bucket,
        "TABLE": cloud.names.table,
        "ADDRESS": ADDRESS,
    }
    script = CALLS
    for name, value in values.items():
        script = script.replace(name, value)
    return script


def test_a_page_of_another_origin_sees_and_does_nothing(cloud: LocalCloud, answered: list[str], tmp_path: Path) -> None:
    """The browser shows it no answer, and the cloud has not acted on any call."""
    with a_web_site() as port:
        seen = show(f"http://127.0.0.1:{port}/", calls(cloud, cloud.endpoint_url), tmp_path)
    assert len(seen) == 4
    assert {what: answer for what, answer in seen.items() if answer not in {"TypeError", "0 "}} == {}
    assert answered == []


def test_a_page_whose_name_was_rebound_sees_nothing(cloud: LocalCloud, answered: list[str], tmp_path: Path) -> None:
    """To the browser the cloud is the page's own origin, but the cloud is not asked by its name."""
    url = f"http://{HOST}:{urlsplit(cloud.endpoint_url).port}"
    seen = show(f"{url}/", calls(cloud, url), tmp_path)
    assert len(seen) == 4
    assert {what: answer for what, answer in seen.items() if not answer.startswith("403 ")} == {}
    assert not any(ADDRESS in answer or "a body" in answer for answer in seen.values())
    assert answered == []
