"""Answers of AWS's that the emulator cannot give, put in the place of its own where boto3 takes them in."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import boto3

from pipeline.aws.clients import Service
from tests.doctor.patient import Patient
from tests.emulator.ministack import REGION

Answers = Mapping[str, Mapping[str, Any]]
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


def _put(answer: Mapping[str, Any]) -> Callable[..., None]:
    def put(parsed: dict[str, Any], **_: Any) -> None:
        parsed.update(answer)

    return put
