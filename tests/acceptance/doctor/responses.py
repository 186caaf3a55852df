"""Responses of AWS that the emulator cannot give. They replace its own where boto3 parses them."""

from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from pipeline.aws.clients import Clients, Service
from tests.acceptance.doctor.deployment_fixture import DeploymentFixture
from tests.acceptance.emulators.ministack import REGION

Change = Mapping[str, Any] | Callable[[dict[str, Any]], None]
"""Parts of a response, or a function that changes it."""
Responses = Mapping[str, Change]
"""Changes of responses, by service and operation: `{"sesv2.GetAccount": {"SendingEnabled": False}}`."""

# Responses of a healthy account which the emulator lacks: the account list is on, the identity has its set, and the
# mapping publishes metrics.
HEALTHY: Responses = {
    "sesv2.GetAccount": {"SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]}},
    "sesv2.GetEmailIdentity": {"ConfigurationSetName": "mail"},
    "lambda.GetEventSourceMapping": {"MetricsConfig": {"Metrics": ["EventCount"]}},
}


def with_responses(fixture: DeploymentFixture, responses: Responses) -> Clients:
    """Return clients that get these responses, and in all else the emulator's."""

    def create(service: Service) -> Any:
        client = new_client(fixture, service)
        for name, change in {**HEALTHY, **responses}.items():
            service_name, _, operation = name.partition(".")
            if service_name == service:
                client.meta.events.register(f"after-call.{service}.{operation}", _apply(change))
        return client

    return Clients(create)


def with_error(fixture: DeploymentFixture, operation: str, code: str) -> Clients:
    """Return clients for which one operation fails with an error code of AWS."""
    failing_service, _, operation_name = operation.partition(".")
    clients = with_responses(fixture, {})

    def fail(**_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        error = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": HTTPStatus.BAD_REQUEST}}
        return AWSResponse("", HTTPStatus.BAD_REQUEST, HTTPHeaders(), None), error

    client: Any = getattr(clients, {"lambda": "lambda_"}.get(failing_service, failing_service))
    client.meta.events.register(f"before-call.{failing_service}.{operation_name}", fail)
    return clients


def new_client(fixture: DeploymentFixture, service: Service) -> Any:
    """Return a client that no other test shares, so that it can be changed."""
    credentials = fixture.account.operator
    return _session().client(
        service,
        endpoint_url=fixture.account.ministack.endpoint_url,
        region_name=REGION,
        aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
        verify=str(fixture.account.ministack.certificate),
    )


@cache
def _session() -> boto3.Session:
    """Return a session. It reads boto3's models once."""
    return boto3.Session()


def _apply(change: Change) -> Callable[..., None]:
    def apply(parsed: dict[str, Any], **_: Any) -> None:
        if callable(change):
            change(parsed)
        else:
            parsed.update(change)

    return apply


def value_at(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change that sets a value in a response, at a path such as `Table.KeySchema.0.AttributeName`."""
    *parents, last = (int(part) if part.isdecimal() else part for part in path.split("."))

    def change(response: Any) -> None:
        for part in parents:
            response = response[part]
        response[last] = value

    return change
