"""`mailfold attach` and `mailfold destroy` on the emulator."""

import pytest

from pipeline.aws.deployment.bundle import Bundle
from pipeline.aws.stack import find_stack
from tests.acceptance.deployment.account import Account
from tests.acceptance.deployment.deployment import deploy
from tests.acceptance.deployment.edge import Ses
from tests.support.builders import a_bounce
from tests.support.command import run_ok
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


def test_mail_of_an_attached_set_is_processed(account: Account, bundle: Bundle, operator: None) -> None:
    """Mail of an existing configuration set reaches table and log after it is attached, once."""
    account.client("sesv2").create_configuration_set(ConfigurationSetName="newsletter")
    joined = deploy(account, name="joined", bundle=bundle, parameters={"ConfigurationSets": "newsletter"})
    for _ in range(2):
        run_ok("attach", "newsletter", "--stack", "joined", "--no-track-engagement")
    Ses(joined, configuration_set="newsletter").send("bounce@joined.example")
    assert eventually(lambda: joined.item("bounce@joined.example"), what="the item").verdict.suppressed
    assert eventually(lambda: len(joined.rows()) == 2, what="its send and its bounce, in the log")


def test_destroy_deletes_only_confirmed_data(account: Account, bundle: Bundle, operator: None) -> None:
    """The stack and the confirmed bucket are deleted. The table remains until its name is confirmed."""
    doomed = deploy(account, name="doomed", bundle=bundle)
    doomed.feed(a_bounce(recipients=["ann@doomed.example"]), b"poison")
    eventually(lambda: doomed.item("ann@doomed.example"), what="the item")
    bucket, table = doomed["LogBucket"], doomed["SuppressionTable"]
    run_ok("destroy", "--stack", "doomed", "--data", "--confirm", "doomed", "--confirm", bucket)
    assert find_stack(account.client("cloudformation"), name="doomed") is None
    assert bucket not in {entry["Name"] for entry in account.client("s3").list_buckets()["Buckets"]}
    assert doomed.item("ann@doomed.example")
    run_ok("destroy", "--stack", "doomed", "--data", "--confirm", "doomed", "--confirm", table)
    assert table not in account.client("dynamodb").list_tables()["TableNames"]
