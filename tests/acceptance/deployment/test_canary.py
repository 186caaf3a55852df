"""A canary passes every deployed resource: SES's destinations, rule, stream, Firehose and functions."""

import json
import time
from typing import Any

import boto3
import pytest

from pipeline.aws.clients import Clients, Service
from pipeline.aws.doctor.canary import CanaryClock, trace_canary
from pipeline.aws.doctor.deployment import connect_deployment
from pipeline.local.client import local_client
from tests.acceptance.deployment.deployment import Deployment
from tests.acceptance.deployment.edge import Ses, athena_of
from tests.acceptance.emulators.ministack import REGION

pytestmark = pytest.mark.slow

IDENTITY = "canary.example"


def test_a_canary_reaches_the_table_and_the_log(deployment: Deployment) -> None:
    """Each hop has its time, and SES's own event is reported."""
    deployment.client("sesv2").create_email_identity(EmailIdentity=IDENTITY)
    ses = Ses(deployment)

    def publishing() -> Any:
        """Return a client whose mail becomes events of the simulated SES."""
        account = deployment.account
        client = boto3.Session().client(
            "sesv2",
            endpoint_url=account.ministack.endpoint_url,
            region_name=REGION,
            aws_access_key_id=account.operator["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=account.operator["AWS_SECRET_ACCESS_KEY"],
            verify=str(account.ministack.certificate),
        )
        sent: list[str] = []
        client.meta.events.register(
            "provide-client-params.sesv2.SendEmail",
            lambda params, **_: sent.extend(params["Destination"]["ToAddresses"]),
        )
        client.meta.events.register(
            "after-call.sesv2.SendEmail",
            lambda parsed, **_: parsed.update(MessageId=json.loads(ses.send(*sent)[0])["mail"]["messageId"]),
        )
        return client

    with athena_of(deployment) as athena:

        def connect(service: Service) -> Any:
            match service:
                case "sesv2":
                    return publishing()
                case "athena":
                    return local_client("athena", endpoint_url=athena, region=REGION)
            return deployment.client(service)

        examined = connect_deployment(deployment.stack, Clients(connect))
        clock = CanaryClock(wait=lambda seconds: time.sleep(min(seconds, 0.2)))
        hops = list(trace_canary(examined, clock=clock))

    assert [hop.name for hop in hops if hop.seconds is not None] == ["SES", "table", "log"]
    assert all("by SES's clock it bounced" in hop.message for hop in hops[1:])
