"""Resources that hold data are found before and after the stack is deleted, and are deleted with their data."""

import json
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from pipeline.aws.clients import Clients
from pipeline.aws.deployment.retained import KINDS, RetainedKind, RetainedResource, delete_data, retained_resources
from pipeline.aws.deployment.template import load_template
from pipeline.aws.dynamodb import ensure_table
from pipeline.aws.erasure_key import ensure_key, erasure_parameter
from pipeline.errors import AccessDenied, ServiceUnavailable
from tests.support import cloudformation
from tests.support.fake_service import REGION, FakeService, client

POLICIES = {"AWS::S3::BucketPolicy"}  # retained and deleted with the bucket
KEY = {"AttributeName": "address", "KeyType": "HASH"}
RESOURCES: dict[str, dict[str, Any]] = {
    "LogBucket": {"Type": "AWS::S3::Bucket"},
    "SuppressionTable": {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "TableName": "mail-suppression-1",
            "KeySchema": [KEY],
            "AttributeDefinitions": [{"AttributeName": "address", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
        },
    },
    "FeedbackStream": {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 1}},
    "RuleDeadLetters": {"Type": "AWS::SQS::Queue"},
    "ProjectorLogs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "mail-logs"}},
}


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    """Run moto."""
    with mock_aws():
        yield


def create_stack(name: str = "mail", resources: dict[str, dict[str, Any]] = RESOURCES) -> None:
    """Create a stack whose resources are retained."""
    retained = {name: resource | {"DeletionPolicy": "Retain"} for name, resource in resources.items()}
    client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps({"Resources": retained}))


def create_parameters(stack: str = "mail") -> None:
    """Create the parameter of the live table, and the key of erasures."""
    client("ssm").put_parameter(Name=f"/mailfold/{stack}/tables", Value="{}", Type="String")
    ensure_key(client("ssm"), parameter=erasure_parameter(f"/mailfold/{stack}"))


def found() -> Sequence[RetainedResource]:
    """Return the retained resources of the stack."""
    return retained_resources(Clients(client), stack="mail")


def only(kind: RetainedKind) -> RetainedResource:
    """Return the only retained resource of a kind."""
    [resource] = [resource for resource in found() if resource.kind is kind]
    return resource


def test_every_retained_type_of_the_template_has_a_kind() -> None:
    """Every type that the template retains can be found and deleted."""
    assert load_template().stateful - POLICIES == KINDS.keys()
    resources = cloudformation.template()["Resources"].values()
    retained = {resource["Type"] for resource in resources if "DeletionPolicy" in resource}
    assert retained - POLICIES == KINDS.keys()


def test_resources_are_found_before_and_after_the_deletion() -> None:
    """All kinds are found in the documented order, also after the stack is deleted."""
    create_stack()
    create_parameters()
    ensure_table(client("dynamodb"), "mail-consumer-5af3dc00")
    before = found()
    assert [resource.kind for resource in before] == [*RetainedKind]
    client("cloudformation").delete_stack(StackName="mail")
    assert found() == before


def test_a_queue_is_named_without_its_url() -> None:
    """The name that a user types is the queue's name."""
    create_stack()
    queue = only(RetainedKind.QUEUE)
    assert queue.id.endswith(f"/{queue.name}")
    assert "/" not in queue.name


def test_resources_of_an_older_stack_of_the_name_are_found() -> None:
    """Buckets of a deleted and of a new stack of the same name are both found."""
    bucket = {"LogBucket": RESOURCES["LogBucket"]}
    create_stack(resources=bucket)
    client("cloudformation").delete_stack(StackName="mail")
    create_stack(resources=bucket)
    assert [resource.kind for resource in found()] == [RetainedKind.BUCKET, RetainedKind.BUCKET]


def test_a_rebuilt_table_is_found_and_other_stacks_are_ignored() -> None:
    """Names of other stacks with a similar prefix do not match."""
    create_stack("mail-2", resources={"LogBucket": RESOURCES["LogBucket"]})
    create_parameters("mail-2")
    for name in ("mail-suppression-2", "mail-2-suppression-1", "mail-suppressions"):
        ensure_table(client("dynamodb"), name)
    assert found() == (RetainedResource(kind=RetainedKind.TABLE, id="mail-suppression-2"),)


class FakeHistory(FakeService):
    """CloudFormation with a stack that an update gave another bucket."""

    SERVICE = "cloudformation"

    def _list_stacks(self, **_: Any) -> dict[str, Any]:
        return {
            "StackSummaries": [{"StackName": "mail", "StackId": "id"}, {"StackName": "mail-2", "StackId": "another"}]
        }

    def _list_stack_resources(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        assert StackName == "id"
        return {"StackResourceSummaries": [self._bucket("new", "CREATE_COMPLETE")]}

    def _describe_stack_events(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        assert StackName == "id"
        return {"StackEvents": [self._bucket("old", "DELETE_SKIPPED"), self._bucket("gone", "DELETE_COMPLETE")]}

    @staticmethod
    def _bucket(name: str, status: str) -> dict[str, Any]:
        return {"ResourceType": "AWS::S3::Bucket", "ResourceStatus": status, "PhysicalResourceId": name * 3}


def test_lease_tables_are_found_and_deleted() -> None:
    """Tables of the Kinesis Client Library, also of an older stack of the name, are found by the application's name."""
    leases = [f"mail-consumer-{stack_id}" for stack_id in ("0b4e9b50", "5af3dc00")]
    leases += [f"{leases[1]}-CoordinatorState", f"{leases[1]}-WorkerMetricStats"]
    for name in (*leases, "mail-consumer-2", "mail-2-consumer-5af3dc00", "mail-consumer-x-consumer-5af3dc00"):
        ensure_table(client("dynamodb"), name)
    assert found() == tuple(RetainedResource(kind=RetainedKind.LEASES, id=name) for name in leases)
    for resource in found():
        delete_data(Clients(client), resource)
    assert found() == ()
    application = cloudformation.consumed_by("container").outputs["ConsumerApplication"]["Value"]
    assert application == f"{cloudformation.NAME}-consumer-5af3dc00"


def test_a_resource_replaced_by_an_update_is_found() -> None:
    """A bucket that an update replaced and retained is found in the events."""
    cloudformation = FakeHistory().client()
    for name in ("newnewnew", "oldoldold", "gonegonegone"):
        client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    clients = Clients(lambda service: cloudformation if service == "cloudformation" else client(service))
    assert [resource.name for resource in retained_resources(clients, stack="mail")] == ["newnewnew", "oldoldold"]


def test_a_log_group_with_a_longer_name_does_not_match() -> None:
    """The prefix search of log groups is limited to the exact name."""
    create_stack(resources={"ProjectorLogs": RESOURCES["ProjectorLogs"]})
    client("logs").create_log_group(logGroupName="mail-logs-of-another")
    client("logs").delete_log_group(logGroupName="mail-logs")
    assert found() == ()


@pytest.mark.parametrize("kind", RetainedKind)
def test_one_resource_is_deleted_and_the_others_remain(kind: RetainedKind) -> None:
    """Deleting a resource of each kind is safe to repeat and affects no other."""
    create_stack()
    create_parameters()
    ensure_table(client("dynamodb"), "mail-consumer-5af3dc00")
    before, resource = found(), only(kind)
    delete_data(Clients(client), resource)
    assert found() == tuple(other for other in before if other != resource)
    delete_data(Clients(client), resource)  # as after an interrupt


def test_a_bucket_is_deleted_with_all_versions_and_uploads() -> None:
    """Versions, delete markers and unfinished uploads of several pages are deleted, and progress is reported."""
    create_stack()
    s3, bucket = client("s3"), only(RetainedKind.BUCKET)
    s3.put_bucket_versioning(Bucket=bucket.id, VersioningConfiguration={"Status": "Enabled"})
    for number in range(25):
        s3.put_object(Bucket=bucket.id, Key=f"events/{number % 20}", Body=b"x")
    s3.delete_object(Bucket=bucket.id, Key="events/7")
    s3.create_multipart_upload(Bucket=bucket.id, Key="events/unfinished")

    def limit_page(params: dict[str, Any], **_: Any) -> None:
        params["MaxKeys"] = 10

    seen: list[int] = []
    s3.meta.events.register("provide-client-params.s3.ListObjectVersions", limit_page)
    try:
        delete_data(Clients(client), bucket, progress=seen.append)
    finally:
        s3.meta.events.unregister("provide-client-params.s3.ListObjectVersions", limit_page)
    assert seen[-1] == 26
    assert len(seen) >= 3
    assert bucket not in found()


@pytest.mark.parametrize(("times", "is_gone"), [(2, True), (100, False)])
def test_a_bucket_with_concurrent_writes_is_emptied_again(times: int, is_gone: bool) -> None:
    """A bucket is emptied again after a concurrent write, and reported after several attempts."""
    create_stack()
    s3, bucket, writes = client("s3"), only(RetainedKind.BUCKET), iter(range(times))

    def write(**_: Any) -> None:
        if next(writes, None) is not None:
            s3.put_object(Bucket=bucket.id, Key="late", Body=b"x")

    s3.meta.events.register("before-call.s3.DeleteBucket", write)
    try:
        with nullcontext() if is_gone else pytest.raises(ServiceUnavailable, match="are written into the bucket"):
            delete_data(Clients(client), bucket)
    finally:
        s3.meta.events.unregister("before-call.s3.DeleteBucket", write)
    assert (bucket not in found()) == is_gone


@pytest.mark.parametrize(("code", "error"), [("AccessDenied", AccessDenied), ("InternalError", ServiceUnavailable)])
def test_an_object_that_s3_does_not_delete_is_reported(code: str, error: type[Exception]) -> None:
    """A denial and another error raise different types, and the bucket remains."""
    create_stack()
    s3, bucket = client("s3"), only(RetainedKind.BUCKET)
    s3.put_object(Bucket=bucket.id, Key="kept", Body=b"x")

    def refuse(**_: Any) -> Any:
        return type("Answer", (), {"status_code": 200})(), {"Errors": [{"Key": "kept", "Code": code}]}

    s3.meta.events.register("before-call.s3.DeleteObjects", refuse)
    try:
        with pytest.raises(error, match=f"1 objects of {bucket.name}: {code}"):
            delete_data(Clients(client), bucket)
    finally:
        s3.meta.events.unregister("before-call.s3.DeleteObjects", refuse)
    assert bucket in found()


def test_a_protected_table_is_deleted() -> None:
    """Deletion protection is removed before the table is deleted."""
    create_stack(resources={})
    ensure_table(client("dynamodb"), "mail-suppression-2", protected=True)
    with pytest.raises(ClientError):
        client("dynamodb").delete_table(TableName="mail-suppression-2")
    delete_data(Clients(client), only(RetainedKind.TABLE))
    assert found() == ()


def test_a_denied_read_is_not_a_missing_resource() -> None:
    """A denial is reported instead of ignoring the resource."""
    create_stack()

    def deny(**_: Any) -> Any:
        return type("Answer", (), {"status_code": 403})(), {
            "Error": {"Code": "AccessDeniedException", "Message": "no"},
            "ResponseMetadata": {"HTTPStatusCode": 403},
        }

    client("kinesis").meta.events.register("before-call.kinesis.DescribeStreamSummary", deny)
    try:
        with pytest.raises(AccessDenied, match="denies reading the stream"):
            found()
    finally:
        client("kinesis").meta.events.unregister("before-call.kinesis.DescribeStreamSummary", deny)
