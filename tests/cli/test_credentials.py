"""Credentials that AWS does not accept lead to one sentence and one exit code in every command."""

from typing import Any, NoReturn

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tests.support.command import ROOT, run

BOUNCE = str(ROOT / "schemas/wire/examples/v1.bounce-permanent-general.pass.json")
ON_STACKS = {
    "attach": ["attach", "newsletter"],
    "consume": ["consume"],
    "deploy": ["deploy", "--yes"],
    "destroy": ["destroy"],
    "doctor": ["doctor"],
    "import": ["import"],
    "policy apply": ["policy", "apply", "--yes"],
    "send": ["send", "--to", "bounce@simulator.amazonses.com", "--from", "ann@example.com"],
}
ON_TABLES = {
    "decode": ["decode", "s3://bucket/key"],
    "ingest": ["ingest", BOUNCE],
    "policy diff": ["policy", "diff", str(ROOT / "schemas/policy.json")],
    "lookup": ["lookup", "ann@example.com"],
    "quarantine": ["quarantine", "list"],
    "query": ["query", "SELECT 1"],
    "replay": ["replay"],
}
COMMANDS = {name: [*command, "--stack", "mail"] for name, command in (ON_STACKS | ON_TABLES).items()} | {
    f"{name} a table": command for name, command in ON_TABLES.items()
}
ADVICE = {
    "ExpiredTokenException": "Sign in again, or set AWS_PROFILE",
    "UnrecognizedClientException": "Sign in again, or set AWS_PROFILE",
    "InvalidSignatureException": "Correct the clock or the secret key",
    "RequestTimeTooSkewed": "Correct the clock or the secret key",
}


@pytest.mark.parametrize("code", ADVICE)
@pytest.mark.parametrize("command", COMMANDS)
def test_refused_credentials_read_alike_everywhere(command: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Expired, invalid and foreign credentials, and a wrong clock, exit with 3 and never advise to try again."""

    def refuse(*_: Any) -> NoReturn:
        raise ClientError({"Error": {"Code": code, "Message": "no."}}, "Any")

    monkeypatch.setattr(BaseClient, "_make_api_call", refuse)
    for name, value in {"TABLE": "a-table", "BUCKET": "a-bucket"}.items():
        monkeypatch.setenv(f"MAILFOLD_{name}", value)
    for name, value in {"ACCESS_KEY_ID": "id", "SECRET_ACCESS_KEY": "key", "DEFAULT_REGION": "eu-west-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    result = run(*COMMANDS[command])
    [sentence] = [line for line in result.stderr.splitlines() if line.startswith("mailfold: ")]
    assert sentence.startswith("mailfold: AWS credentials or region are missing, expired or wrong while ")
    assert f": no. {ADVICE[code]}" in sentence
    assert "ry again" not in result.output
    assert result.exit_code == 3
