"""The account's sending quota, by both of SES's APIs, and an answer to operations that the local cloud does not have.

Claims: GetSendQuota and GetAccount, with a rate that slows no application; an error in SES's own form for any operation
that the backend does not have, in place of its web page.
docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html,
docs.aws.amazon.com/ses/latest/APIReference/API_GetSendQuota.html
"""

from http import HTTPStatus
from io import BytesIO

from werkzeug.wrappers import Request, Response

from pipeline.local.gateway.protocols import ApiError
from pipeline.local.gateway.ses_backend import SesBackend, api_version
from pipeline.local.gateway.ses_responses import ROOT, json_error, json_response, xml_error, xml_response
from pipeline.local.ses.account_list import Listing

MAX_24_HOUR_SEND = 1_000_000.0
MAX_SEND_RATE = 1_000.0  # e-mails a second; applications that keep to the rate would send one a second by moto's

_NOT_THERE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
_UNSUPPORTED_V1 = frozenset({"CreateConfigurationSetEventDestination", "UpdateConfigurationSetEventDestination"})


class SesAccountApi:
    """Handler of every request to SES that no other handler answers.

    Args:
        backend: The emulator's SES.
    """

    def __init__(self, backend: SesBackend) -> None:
        self._backend = backend

    def handle(self, request: Request) -> Response | None:
        """Return the response to a request, or None if it is not for SES."""
        match api_version(request):
            case 2:
                return self._handle_v2(request)
            case 1:
                return self._handle_v1(request)
        return None

    def _handle_v2(self, request: Request) -> Response:
        if (request.method, request.path) == ("GET", f"{ROOT}/account"):
            return json_response(_account())
        reply = self._backend.repeat(request)
        if reply.status_code in _NOT_THERE and "json" not in (reply.mimetype or ""):
            operation = f"{request.method} {request.path.removeprefix(ROOT)}"
            return json_error(ApiError("BadRequestException", f"{operation} of SES is not in the local cloud"))
        return reply

    def _handle_v1(self, request: Request) -> Response:
        request.environ["wsgi.input"] = BytesIO(request.get_data())
        action = request.form.get("Action", "")
        if action == "GetSendQuota":
            return xml_response(action, _quota())
        if action in _UNSUPPORTED_V1:
            return xml_error("InvalidAction", f"{action} of API v1 is not in the local cloud: use API v2's (sesv2)")
        reply = self._backend.repeat(request)
        if reply.status_code in _NOT_THERE and "xml" not in (reply.mimetype or ""):
            return xml_error("InvalidAction", f"{action} of SES is not in the local cloud")
        return reply


def _quota() -> dict[str, float]:
    return {"Max24HourSend": MAX_24_HOUR_SEND, "MaxSendRate": MAX_SEND_RATE, "SentLast24Hours": 0.0}


def _account() -> dict[str, object]:
    return {
        "DedicatedIpAutoWarmupEnabled": False,
        "EnforcementStatus": "HEALTHY",
        "ProductionAccessEnabled": True,
        "SendQuota": _quota(),
        "SendingEnabled": True,
        "SuppressionAttributes": {"SuppressedReasons": list(Listing)},
    }
