"""SES's two APIs, as far as they send: the backend accepts an e-mail, and its events are published.

Claims: SendEmail, SendRawEmail, SendTemplatedEmail and SendBulkTemplatedEmail of API v1; SendEmail (simple, raw, stored
template), SendBulkEmail, CreateEmailTemplate and UpdateEmailTemplate of API v2. A template that cannot be rendered
becomes a Rendering Failure, as in SES. More lenient than SES, unless set otherwise: an unverified sender
is verified in the backend. A configuration set has to exist, and its event destinations get the events.
Leaves out: every other operation. The backend answers those.
docs.aws.amazon.com/ses/latest/APIReference/API_Operations.html,
docs.aws.amazon.com/ses/latest/APIReference-V2/API_Operations.html
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Any

import msgspec
from werkzeug.wrappers import Request, Response

from pipeline.errors import MailfoldError, UsageError
from pipeline.local.gateway import ses_responses
from pipeline.local.gateway.configuration_sets import set_missing
from pipeline.local.gateway.protocols import ApiError
from pipeline.local.gateway.ses_backend import (
    SesBackend,
    action_form,
    api_version,
    bulk_form,
    template_form,
    templated_form,
)
from pipeline.local.gateway.ses_requests import EmailTemplate, Submission, read_form, read_json
from pipeline.local.gateway.ses_responses import ROOT
from pipeline.local.gateway.tenants import find_tenant
from pipeline.local.ses.email import CONFIGURATION_SET
from pipeline.local.ses.outcome import MailOutcome, RenderingFailed

if TYPE_CHECKING:
    from pipeline.local.ses.email import Email
    from pipeline.local.ses.publisher import Publisher
    from pipeline.local.ses.tenants import Tenants

FORM_SENDS = frozenset({"SendEmail", "SendRawEmail", "SendTemplatedEmail", "SendBulkTemplatedEmail"})
EventDestinations = Callable[[Sequence[bytes], Sequence[bytes]], None]
"""Publishes events to Firehose, and others, or the same, to EventBridge."""

_V1_CODES = {"NotFoundException": "ConfigurationSetDoesNotExist"}

_log = logging.getLogger(__name__)


class SesApi:
    """Handler of requests that send.

    Args:
        backend: The emulator's SES, which accepts e-mail and stores identities and templates.
        outbox: Publishes the events of accepted e-mail.
        tenants: The tenants that may send.
    """

    def __init__(self, backend: SesBackend, *, outbox: Outbox, tenants: Tenants) -> None:
        self._backend = backend
        self._outbox = outbox
        self._tenants = tenants

    def handle(self, request: Request) -> Response | None:
        """Return the response to a request, or None if the request is for the backend."""
        match api_version(request):
            case 2:
                return self._handle_v2(request)
            case 1:
                return self._handle_v1(request)
        return None

    def _handle_v1(self, request: Request) -> Response | None:
        request.environ["wsgi.input"] = BytesIO(request.get_data())  # the backend may have to read it again
        form = request.form.to_dict()
        if form.get("Action") not in FORM_SENDS:
            return None
        try:
            return self._send_form(request, form, read_form(form))
        except UsageError as error:
            return ses_responses.xml_error(ses_responses.INVALID_VALUE, str(error))
        except ApiError as error:
            return ses_responses.xml_error(_V1_CODES.get(error.code, error.code), str(error))

    def _handle_v2(self, request: Request) -> Response | None:
        try:
            match request.method, request.path.removeprefix(ROOT).split("/")[1:]:
                case "POST", ["outbound-emails"]:
                    return self._send_email(request, _content(request))
                case "POST", ["outbound-bulk-emails"]:
                    return self._send_bulk_email(request, _content(request))
                case "POST", ["templates"]:
                    content = _content(request)
                    return self._save_template(request, "CreateTemplate", content.get("TemplateName", ""), content)
                case "PUT", ["templates", name]:
                    return self._save_template(request, "UpdateTemplate", name, _content(request))
        except UsageError as error:
            return ses_responses.json_error(ApiError(ses_responses.BAD_REQUEST, str(error)))
        except ApiError as error:
            return ses_responses.json_error(error)
        return None

    def _check_tenant(self, content: dict[str, Any]) -> str:
        """Return the name of the tenant that sends; "" if there is none."""
        name = content.get("TenantName") or ""
        return find_tenant(self._tenants, name).name if name else ""

    def _send_email(self, request: Request, content: dict[str, Any]) -> Response:
        tenant = self._check_tenant(content)
        if "Template" in content.get("Content", {}):
            form = templated_form(content)
            reply = self._send_form(request, form, read_form(form, operation="SendEmail", tenant=tenant))
            return ses_responses.to_json_response(reply, lambda: {"MessageId": ses_responses.message_ids(reply)[0]})
        submission = read_json(content)
        self._check_configuration_set(request, submission)
        reply = self._backend.send(request, sender=submission.email.sender)
        if reply.status_code == HTTPStatus.OK:
            self._publish(request, submission, msgspec.json.decode(reply.get_data())["MessageId"])
        return reply

    def _send_bulk_email(self, request: Request, content: dict[str, Any]) -> Response:
        form, tenant = bulk_form(content), self._check_tenant(content)
        reply = self._send_form(request, form, read_form(form, operation="SendBulkEmail", tenant=tenant))
        return ses_responses.to_json_response(
            reply,
            lambda: {
                "BulkEmailEntryResults": [
                    {"Status": "SUCCESS", "MessageId": message_id}
                    for message_id in ses_responses.message_ids(reply, bulk=True)
                ]
            },
        )

    def _save_template(self, request: Request, action: str, name: str, content: dict[str, Any]) -> Response:
        reply = self._backend.call(request, template_form(action, name, content.get("TemplateContent", {})))
        return ses_responses.to_json_response(reply, dict)

    def _send_form(self, request: Request, form: dict[str, str], submissions: list[Submission]) -> Response:
        """Send an API v1 request to the backend, publish the events of its e-mails, and return the response."""
        if not submissions:
            raise UsageError("the request names no destination: name at least one")
        self._check_configuration_set(request, submissions[0])
        reply = self._backend.send(request, sender=submissions[0].email.sender, form=form)
        if reply.status_code == HTTPStatus.OK:
            is_bulk = "Bulk" in form["Action"]
            message_ids = ses_responses.message_ids(reply, bulk=is_bulk)
            reply = ses_responses.with_bulk_status(reply) if is_bulk else reply
            for submission, message_id in zip(submissions, message_ids, strict=True):
                self._publish(request, submission, message_id)
        return reply

    def _check_configuration_set(self, request: Request, submission: Submission) -> None:
        name = submission.email.configuration_set
        if name != CONFIGURATION_SET and not self._backend.has_configuration_set(request, name):
            raise set_missing(name)

    def _publish(self, request: Request, submission: Submission, message_id: str) -> None:
        email, outcome = submission.email, None
        if submission.template:
            reply = self._render(request, submission.template)
            email = msgspec.structs.replace(email, subject=ses_responses.rendered_subject(reply))
            outcome = _rendering_failure(reply, submission.template)
        self._outbox.publish(email, message_id=message_id, outcome=outcome)

    def _render(self, request: Request, template: EmailTemplate) -> Response:
        fields = {"TemplateName": template.name, "TemplateData": template.data}
        return self._backend.call(request, action_form("TestRenderTemplate", fields))


class Outbox:
    """Publisher of the events of accepted e-mail. Safe to use from several threads.

    Args:
        publisher: Creates the events of an e-mail.
        destinations: Publishes them.
    """

    def __init__(self, publisher: Publisher, destinations: EventDestinations) -> None:
        self._publisher = publisher
        self._destinations = destinations
        self._lock = Lock()

    def publish(self, email: Email, *, message_id: str, outcome: MailOutcome | None = None) -> None:
        """Publish the events of an accepted e-mail. A failure is only logged, because the e-mail is already sent.

        Args:
            email: The e-mail.
            message_id: The message id that the sender received.
            outcome: The e-mail's outcome; None if its addresses decide.
        """
        with self._lock:
            events = self._publisher.publish(email, sent_at=datetime.now(UTC), message_id=message_id, outcome=outcome)
        routes = self._publisher.configuration_sets.route(email.configuration_set, events)
        try:
            self._destinations(routes.firehose, routes.eventbridge)
        except MailfoldError as error:
            _log.warning("the events of message %s are lost: %s", message_id, error)


def _content(request: Request) -> dict[str, Any]:
    try:
        return msgspec.json.decode(request.get_data(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise UsageError("the request is not a JSON object") from error


def _rendering_failure(reply: Response, template: EmailTemplate) -> MailOutcome | None:
    """Return the outcome of an e-mail whose template could not be rendered, or None if it was rendered."""
    error = ses_responses.to_api_error(reply)
    if error is None or "Rendering" not in error.code:
        return None
    return MailOutcome(occurrences=(RenderingFailed(template_name=template.name, error_message=str(error)),))
