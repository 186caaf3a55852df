"""Answers of AWS's that the emulator cannot give, put in the place of its own where boto3 takes them in."""

from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from pipeline.aws.clients import Service
from tests.acceptance.doctor.deployment_fixture import Patient
from tests.acceptance.emulators.ministack import REGION

Change = Mapping[str, Any] | Callable[[dict[str, Any]], None]
"""Parts of an answer, or what puts them into it."""
Answers = Mapping[str, Change]
"""What is answered, by service and operation: `{"sesv2.GetAccount": {"SendingEnabled": False}}`."""

# What a healthy account answers where the emulator does not know: SES keeps its own list, the identity has its set.
HEALTHY: Answers = {
    "sesv2.GetAccount": {"SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]}},
    "sesv2.GetEmailIdentity": {"ConfigurationSetName": "mail"},
}


def answering(patient: Patient, answers: Answers) -> Callable[[Service], Any]:
    """Return what gives clients of the patient's that answer so; in all else they answer as the emulator does."""

    def connect(service: Service) -> Any:
        client = own_client(patient, service)
        for name, answer in {**HEALTHY, **answers}.items():
            of, _, operation = name.partition(".")
            if of == service:
                client.meta.events.register(f"after-call.{of}.{operation}", _put(answer))
        return client

    return connect


def own_client(patient: Patient, service: Service) -> Any:
    """Return a client that nobody else has, and so may be changed."""
    credentials = patient.account.operator
    return _session().client(
        service,
        endpoint_url=patient.account.ministack.endpoint_url,
        region_name=REGION,
        aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
        verify=str(patient.account.ministack.certificate),
    )


@cache
def _session() -> boto3.Session:
    """Return a session, which reads boto3's models once."""
    return boto3.Session()


def _put(change: Change) -> Callable[..., None]:
    def put(parsed: dict[str, Any], **_: Any) -> None:
        if callable(change):
            change(parsed)
        else:
            parsed.update(change)

    return put


def refusing(patient: Patient, name: str, code: str) -> Callable[[Service], Any]:
    """Return what gives clients of the patient's of which one operation is refused with a code of AWS's."""
    of, _, operation = name.partition(".")
    connect = answering(patient, {})

    def refuse(**_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        error = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": HTTPStatus.BAD_REQUEST}}
        return AWSResponse("", HTTPStatus.BAD_REQUEST, HTTPHeaders(), None), error

    def client(service: Service) -> Any:
        made = connect(service)
        if service == of:
            made.meta.events.register(f"before-call.{of}.{operation}", refuse)
        return made

    return client


def at(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Return what puts a value into an answer, at a place such as `Table.KeySchema.0.AttributeName`."""
    *way, last = (int(part) if part.isdecimal() else part for part in path.split("."))

    def put(answer: Any) -> None:
        for part in way:
            answer = answer[part]
        answer[last] = value

    return put
