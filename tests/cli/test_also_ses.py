"""`suppress` and `release --also-ses` change SES's own lists: the account's, or a tenant's."""

from typing import Any
from uuid import uuid4

import pytest

from tests.support.cloud_process import CloudProcess, found_client
from tests.support.command import json_lines, run, run_ok

WHY = ("--reason", "a test")


@pytest.fixture
def label() -> str:
    """A part of an address that no other test uses."""
    return uuid4().hex[:8]


def answer(address: str, *options: str) -> Any:
    [line] = json_lines("lookup", "--json", *options, address)
    return line


def test_ses_own_list_is_changed_too(cloud: CloudProcess, label: str) -> None:
    """Every known spelling is taken off, as it is spelled, and mail is delivered again; a suppress puts it on."""
    ses = found_client("sesv2")
    address = f"Bounce+{label}@example.com"
    run_ok("send", "--to", address)
    cloud.settle()
    ses.put_suppressed_destination(EmailAddress=address.upper(), Reason="BOUNCE")
    [line] = json_lines("release", address.upper(), *WHY, "--also-ses", "--json")
    assert line["ses"] == {
        address.upper(): "removed",
        address: "removed",
        address.lower(): "not on the list",
    }
    said = run_ok("suppress", address, *WHY, "--also-ses")
    assert "SES's list: 1 spelling added" in said
    entry = ses.get_suppressed_destination(EmailAddress=address)["SuppressedDestination"]
    assert entry["Reason"] == "BOUNCE"
    ses.delete_suppressed_destination(EmailAddress=address)
    ses.close()


def test_a_tenants_list_is_changed_in_its_scope(cloud: CloudProcess, label: str) -> None:
    """A scope that is no tenant's has no list, and then nothing is decided."""
    ses = found_client("sesv2")
    address, tenant = f"complaint+{label}@example.com", f"tenant-{label}"
    ses.create_tenant(
        TenantName=tenant,
        SuppressionAttributes={"SuppressedReasons": ["BOUNCE", "COMPLAINT"], "SuppressionScope": "TENANT"},
    )
    run_ok("send", "--to", address, "--tenant", tenant)
    cloud.settle()
    scoped = ("--scope", tenant, "--also-ses", *WHY)
    assert json_lines("release", address, *scoped, "--yes", "--json")[0]["ses"] == {address: "removed"}
    assert json_lines("suppress", address, *scoped, "--json")[0]["ses"] == {address: "added"}
    entry = ses.get_suppressed_destination(EmailAddress=address, TenantName=tenant)["SuppressedDestination"]
    assert entry["Reason"] == "BOUNCE"
    assert not answer(address)["suppressed"]
    said = run("suppress", address, *WHY, "--also-ses", "--scope", "no-tenant")
    assert "SES has no list for this scope, so leave out --also-ses" in said.stderr
    assert not answer(address, "--scope", "no-tenant")["suppressed"]
    ses.close()
