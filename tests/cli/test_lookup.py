"""`mailfold lookup` with a scope and a purpose says what binds which mail."""

import json
from uuid import uuid4

import pytest

from tests.cli.test_ingest import a_bounce
from tests.support.cloud_process import CloudProcess
from tests.support.command import json_lines, run, run_failing, run_ok


def test_a_tenants_complaint_is_found_in_its_scope(cloud: CloudProcess) -> None:
    """Other mail is clear. Essential mail of the tenant is clear too, and the output says that only it is."""
    address = f"complaint+{uuid4().hex[:8]}@example.com"
    run_ok("send", "--to", address, "--tenant", "acme")
    run_ok("send", "--to", "success@example.com", "--tenant", "acme")
    cloud.settle()
    [answer] = json_lines("lookup", "--json", "--scope", "acme", address)
    [reason] = answer["reasons"]
    assert (answer["status"], reason["reason"], reason["scope"], reason["exempt"]) == (
        "suppressed",
        "complaint",
        "acme",
        ["essential"],
    )
    assert [(fact["fact"], fact["scope"]) for fact in answer["facts"]] == [("complaint", "acme")]
    assert run_ok("lookup", address).splitlines() == [f"{address}: clear"]
    [essential] = json_lines("lookup", "--json", "--scope", "acme", "--purpose", "essential", address)
    assert (essential["status"], essential["is_exempt"], essential["reason"]) == ("clear", True, None)
    said = run_ok("lookup", "--scope", "acme", "--purpose", "essential", address).splitlines()[0]
    assert said.startswith(
        f"{address}: clear for essential mail only; other mail is suppressed (complaint in acme) since "
    )
    said = run_ok("lookup", "--scope", "acme", "--purpose", "newsletter", address).splitlines()[0]
    assert said.startswith(f"{address}: suppressed for newsletter mail too (complaint in acme) since ")


@pytest.mark.parametrize("options", [("--purpose", "Essential mail"), ("--scope", ""), ("--scope", "x" * 65)])
def test_a_scope_or_purpose_that_cannot_be_is_refused(cloud: CloudProcess, options: tuple[str, str]) -> None:
    """A sender that asks for it has an error, and not an answer."""
    assert run_failing("lookup", *options, "ann@example.com").startswith("not a ")


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_the_exit_code_tells_suppressed_from_clear_on_request(cloud: CloudProcess, form: list[str]) -> None:
    """Without --exit-code both exit with 0. What is no address exits with 1 in any case."""
    bounced, clear = (f"{uuid4().hex[:8]}@example.com" for _ in range(2))
    run_ok("ingest", "-", stdin=json.dumps(a_bounce(bounced)))
    assert run("lookup", *form, bounced).exit_code == 0
    assert run("lookup", *form, "--exit-code", clear).exit_code == 0
    suppressed = run("lookup", *form, "--exit-code", clear, bounced)
    assert (suppressed.exit_code, suppressed.stderr) == (10, "")
    assert run("lookup", *form, "--exit-code", bounced, "a@b@c").exit_code == 1


def test_bytes_that_are_not_utf8_are_no_address(cloud: CloudProcess) -> None:
    """A list in another encoding is never clear."""
    result = run("lookup", "-", stdin=b"caf\xe9@example.com\n")
    assert result.stdout == "caf\\xe9@example.com: not one e-mail address\n"
    assert result.exit_code == 1
