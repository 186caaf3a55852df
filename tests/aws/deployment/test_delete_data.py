"""Failures to delete a retained resource are reported, and a deletion in progress is not started again."""

import pytest
from botocore.exceptions import WaiterError
from botocore.stub import Stubber

from pipeline.aws.clients import Clients
from pipeline.aws.deployment.retained import RetainedKind, RetainedResource, delete_data
from pipeline.errors import AccessDenied, ServiceUnavailable
from tests.support.fake_service import client

STREAM, TABLE = (
    RetainedResource(kind=RetainedKind.STREAM, id="mail-feedback"),
    RetainedResource(kind=RetainedKind.TABLE, id="mail-suppression-1"),
)


def test_a_denied_deletion_is_reported() -> None:
    """A denial names the resource."""
    kinesis = client("kinesis")
    with Stubber(kinesis) as stubber:
        stubber.add_client_error("delete_stream", "AccessDeniedException", "no")
        with pytest.raises(AccessDenied, match=r"^AWS denies deleting the stream mail-feedback"):
            delete_data(Clients(lambda _: kinesis), STREAM)


def test_a_table_in_deletion_is_not_deleted_again() -> None:
    """A table with the status DELETING is only read."""
    dynamodb = client("dynamodb")
    with Stubber(dynamodb) as stubber:  # one request, and no more
        stubber.add_response("describe_table", {"Table": {"TableName": TABLE.id, "TableStatus": "DELETING"}})
        delete_data(Clients(lambda _: dynamodb), TABLE)
        stubber.assert_no_pending_responses()


def test_a_table_that_stays_busy_is_not_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    """If removing the protection takes too long, the error advises to try again and the table is kept."""
    dynamodb = client("dynamodb")

    def time_out(**_: object) -> None:
        raise WaiterError(name="TableExists", reason="Max attempts exceeded", last_response={})

    waiter = dynamodb.get_waiter("table_exists")
    monkeypatch.setattr(waiter, "wait", time_out)
    monkeypatch.setattr(dynamodb, "get_waiter", lambda _: waiter)
    with Stubber(dynamodb) as stubber:
        stubber.add_response(
            "describe_table",
            {"Table": {"TableName": TABLE.id, "TableStatus": "ACTIVE", "DeletionProtectionEnabled": True}},
        )
        stubber.add_response("update_table", {}, {"TableName": TABLE.id, "DeletionProtectionEnabled": False})
        with pytest.raises(
            ServiceUnavailable, match=r"while deleting the table mail-suppression-1: WaiterError: try again later$"
        ):
            delete_data(Clients(lambda _: dynamodb), TABLE)
