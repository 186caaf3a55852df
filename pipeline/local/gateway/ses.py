"""SES's two APIs, as far as they send: the backend accepts an e-mail, and it becomes events.

Claims: SendEmail, SendRawEmail, SendTemplatedEmail and SendBulkTemplatedEmail of the first API; SendEmail, simple, raw
and of a stored template, SendBulkEmail, CreateEmailTemplate and UpdateEmailTemplate of the second. A template that
cannot be filled in becomes a Rendering Failure, as at AWS. What else SES has is the backend's affair.
Lenient on purpose: a sender that is not verified is verified in the backend, so that an application just works.
docs.aws.amazon.com/ses/latest/APIReference/, docs.aws.amazon.com/ses/latest/APIReference-V2/

Where accepted e-mails become events, and the events go to their destinations.

What the front asks of the emulator's SES, in the name of the application whose request it answers.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec
from werkzeug.wrappers import Request, Response

from pipeline.errors import MailfoldError, UsageError
from pipeline.local.gateway import ses_responses
from pipeline.local.gateway.ses_requests import EmailTemplate, Submission, read_form, read_json
from pipeline.local.gateway.ses_responses import action_form, bulk_form, is_rejected, template_form, templated_form
from pipeline.local.ses.outcome import MailOutcome, RenderingFailed

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from pipeline.local.ses.publisher import Email, Publisher

Destinations = Callable[[Sequence[bytes]], None]
"""Takes the events of an e-mail to wherever the configuration set publishes them."""

_log = logging.getLogger(__name__)


class Outbox:
    """Publishes the events of e-mails. Safe to use from several threads.

    Args:
        publisher: What makes events of an e-mail.
        destinations: Where they go.
    """

    def __init__(self, publisher: Publisher, destinations: Destinations) -> None:
        self._publisher = publisher
        self._destinations = destinations
        self._lock = Lock()

    def publish(self, email: Email, *, message_id: str, fate: MailOutcome | None = None) -> None:
        """Publish the events of an e-mail that was just accepted. That it fails is logged: the e-mail is sent anyway.

        Args:
            email: What was sent.
            message_id: What the sender was told.
            fate: What becomes of it; None: its addresses decide.
        """
        with self._lock:
            events = self._publisher.publish(email, sent_at=datetime.now(UTC), message_id=message_id, outcome=fate)
        try:
            self._destinations(events)
        except MailfoldError as error:
            _log.warning("the events of message %s are lost: %s", message_id, error)


FORM = "application/x-www-form-urlencoded"


class SesBackend:
    """An emulator's SES.

    Args:
        application: The emulator.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def send(self, request: Request, *, sender: str, form: Mapping[str, str] | None = None) -> Response:
        """Return the answer to a request that sends. If it is refused, its sender is verified, and it is made again.

        Args:
            request: As the application made it.
            sender: Whom the e-mail is from.
            form: What to ask instead, in the first API's words; None: the request itself.
        """
        reply = self._asked(request, form)
        if not is_rejected(reply):
            return reply
        # Credentials and region are the application's, and so the identity is verified where it sends from.
        self.ask(request, action_form("VerifyEmailIdentity", {"EmailAddress": sender}))
        return self._asked(request, form)

    def ask(self, request: Request, form: Mapping[str, str]) -> Response:
        """Return the answer to a request of the first API, made in the name of who made `request`."""
        target = {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "RAW_URI": "/", "QUERY_STRING": "", "CONTENT_TYPE": FORM}
        return self._call(request, target, urlencode(form).encode())

    def _asked(self, request: Request, form: Mapping[str, str] | None) -> Response:
        return self.ask(request, form) if form else self._call(request, {}, request.get_data())

    def _call(self, request: Request, target: Mapping[str, str], body: bytes) -> Response:
        environ: dict[str, Any] = {**request.environ, **target}
        environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        for cached in ("HTTP_TRANSFER_ENCODING", "wsgi.input_terminated", "werkzeug.request"):
            environ.pop(cached, None)
        return Response.from_app(self._application, environ, buffered=True)


FORM_SENDS = frozenset({"SendEmail", "SendRawEmail", "SendTemplatedEmail", "SendBulkTemplatedEmail"})
ROOT = "/v2/email"
TEMPLATES = f"{ROOT}/templates"

SCOPE = re.compile(r"/(?:ses|email)/aws4_request")
"""What stands in the signature of every request to SES."""


class SesApi:
    """Answers requests that send.

    Args:
        backend: The emulator's SES, which accepts e-mails and keeps identities and templates.
        outbox: Where accepted e-mails become events.
    """

    def __init__(self, backend: SesBackend, *, outbox: Outbox) -> None:
        self._backend = backend
        self._outbox = outbox

    def answer(self, request: Request) -> Response | None:
        """Return the answer to a request; None if it is for the backend alone."""
        if SCOPE.search(request.headers.get("Authorization", "")) is None:
            return None
        if request.path.startswith(ROOT):
            return self._answer_json(request)
        return self._answer_form(request) if request.mimetype == FORM else None

    def _answer_form(self, request: Request) -> Response | None:
        request.environ["wsgi.input"] = BytesIO(request.get_data())  # for the backend, if the form is not for us
        form = request.form.to_dict()
        if form.get("Action") not in FORM_SENDS:
            return None
        try:
            return self._send(request, form, read_form(form))
        except UsageError as error:
            return ses_responses.xml_error(str(error))

    def _answer_json(self, request: Request) -> Response | None:
        try:
            match request.method, request.path:
                case "POST", path if path == f"{ROOT}/outbound-emails":
                    return self._send_email(request, _content(request))
                case "POST", path if path == f"{ROOT}/outbound-bulk-emails":
                    return self._send_bulk(request, _content(request))
                case "POST", path if path == TEMPLATES:
                    content = _content(request)
                    return self._keep_template(request, "CreateTemplate", content.get("TemplateName", ""), content)
                case "PUT", path if path.startswith(f"{TEMPLATES}/"):
                    name = path.removeprefix(f"{TEMPLATES}/")
                    return self._keep_template(request, "UpdateTemplate", name, _content(request))
        except UsageError as error:
            return ses_responses.json_error(ses_responses.SesError(code="BadRequest", message=str(error)))
        return None

    def _send_email(self, request: Request, content: dict[str, Any]) -> Response:
        if "Template" in content.get("Content", {}):
            form = templated_form(content)
            reply = self._send(request, form, read_form(form, operation="SendEmail"))
            return ses_responses.ses_error_json(reply, lambda: {"MessageId": ses_responses.message_ids(reply)[0]})
        submission = read_json(content)
        reply = self._backend.send(request, sender=submission.email.sender)
        if reply.status_code == HTTPStatus.OK:
            self._publish(request, submission, msgspec.json.decode(reply.get_data())["MessageId"])
        return reply

    def _send_bulk(self, request: Request, content: dict[str, Any]) -> Response:
        form = bulk_form(content)
        reply = self._send(request, form, read_form(form, operation="SendBulkEmail"))
        return ses_responses.ses_error_json(
            reply,
            lambda: {
                "BulkEmailEntryResults": [
                    {"Status": "SUCCESS", "MessageId": message_id}
                    for message_id in ses_responses.message_ids(reply, bulk=True)
                ]
            },
        )

    def _keep_template(self, request: Request, action: str, name: str, content: dict[str, Any]) -> Response:
        reply = self._backend.ask(request, template_form(action, name, content.get("TemplateContent", {})))
        return ses_responses.ses_error_json(reply, dict)

    def _send(self, request: Request, form: dict[str, str], submissions: list[Submission]) -> Response:
        """Have a request of the first API accepted, publish the events of what it sends, and return the answer."""
        if not submissions:
            raise UsageError("no destination is given: name at least one")
        reply = self._backend.send(request, sender=submissions[0].email.sender, form=form)
        if reply.status_code == HTTPStatus.OK:
            ids = ses_responses.message_ids(reply, bulk="Bulk" in form["Action"])
            for submission, message_id in zip(submissions, ids, strict=True):
                self._publish(request, submission, message_id)
        return reply

    def _publish(self, request: Request, submission: Submission, message_id: str) -> None:
        email, fate = submission.email, None
        if submission.template:
            reply = self._rendered(request, submission.template)
            email = msgspec.structs.replace(email, subject=ses_responses.subject(reply))
            fate = _fate(reply, submission.template)
        self._outbox.publish(email, message_id=message_id, fate=fate)

    def _rendered(self, request: Request, template: EmailTemplate) -> Response:
        names = {"TemplateName": template.name, "TemplateData": template.data}
        return self._backend.ask(request, action_form("TestRenderTemplate", names))


def _content(request: Request) -> dict[str, Any]:
    try:
        return msgspec.json.decode(request.get_data(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise UsageError("the request is no JSON object") from error


def _fate(reply: Response, template: EmailTemplate) -> MailOutcome | None:
    """Return what becomes of an e-mail whose template could not be filled in; None if it could."""
    failure = ses_responses.to_ses_error(reply)
    if failure is None or "Rendering" not in failure.code:
        return None
    return MailOutcome(occurrences=(RenderingFailed(template_name=template.name, error_message=failure.message),))
