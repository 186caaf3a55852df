"""SES's two APIs, as far as they send: the backend accepts an e-mail, and it becomes events.

Claims: SendEmail, SendRawEmail, SendTemplatedEmail and SendBulkTemplatedEmail of the first API; SendEmail, simple, raw
and of a stored template, SendBulkEmail, CreateEmailTemplate and UpdateEmailTemplate of the second. A template that
cannot be filled in becomes a Rendering Failure, as at AWS. What else SES has is the backend's affair.
Lenient on purpose: a sender that is not verified is verified in the backend, so that an application just works.
docs.aws.amazon.com/ses/latest/APIReference/, docs.aws.amazon.com/ses/latest/APIReference-V2/
"""

import re
from http import HTTPStatus
from io import BytesIO
from typing import Any

import msgspec
from werkzeug.wrappers import Request, Response

from pipeline.errors import Misuse
from pipeline.local.front import ses_reply
from pipeline.local.front.outbox import Outbox
from pipeline.local.front.ses_backend import FORM, SesBackend
from pipeline.local.front.ses_template import action_form, bulk_form, template_form, templated_form
from pipeline.local.front.submission import Submission, Template, read_form, read_json
from pipeline.local.ses.fate import Fate, RenderingFailed

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
        except Misuse as error:
            return ses_reply.xml_refusal(str(error))

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
        except Misuse as error:
            return ses_reply.json_refusal(ses_reply.Failure(code="BadRequest", message=str(error)))
        return None

    def _send_email(self, request: Request, content: dict[str, Any]) -> Response:
        if "Template" in content.get("Content", {}):
            form = templated_form(content)
            reply = self._send(request, form, read_form(form, operation="SendEmail"))
            return ses_reply.as_json(reply, lambda: {"MessageId": ses_reply.message_ids(reply)[0]})
        submission = read_json(content)
        reply = self._backend.send(request, sender=submission.email.sender)
        if reply.status_code == HTTPStatus.OK:
            self._publish(request, submission, msgspec.json.decode(reply.get_data())["MessageId"])
        return reply

    def _send_bulk(self, request: Request, content: dict[str, Any]) -> Response:
        form = bulk_form(content)
        reply = self._send(request, form, read_form(form, operation="SendBulkEmail"))
        return ses_reply.as_json(
            reply,
            lambda: {
                "BulkEmailEntryResults": [
                    {"Status": "SUCCESS", "MessageId": message_id}
                    for message_id in ses_reply.message_ids(reply, bulk=True)
                ]
            },
        )

    def _keep_template(self, request: Request, action: str, name: str, content: dict[str, Any]) -> Response:
        reply = self._backend.ask(request, template_form(action, name, content.get("TemplateContent", {})))
        return ses_reply.as_json(reply, dict)

    def _send(self, request: Request, form: dict[str, str], submissions: list[Submission]) -> Response:
        """Have a request of the first API accepted, publish the events of what it sends, and return the answer."""
        if not submissions:
            raise Misuse("no destination is given: name at least one")
        reply = self._backend.send(request, sender=submissions[0].email.sender, form=form)
        if reply.status_code == HTTPStatus.OK:
            ids = ses_reply.message_ids(reply, bulk="Bulk" in form["Action"])
            for submission, message_id in zip(submissions, ids, strict=True):
                self._publish(request, submission, message_id)
        return reply

    def _publish(self, request: Request, submission: Submission, message_id: str) -> None:
        email, fate = submission.email, None
        if submission.template:
            reply = self._rendered(request, submission.template)
            email = msgspec.structs.replace(email, subject=ses_reply.subject(reply))
            fate = _fate(reply, submission.template)
        self._outbox.publish(email, message_id=message_id, fate=fate)

    def _rendered(self, request: Request, template: Template) -> Response:
        names = {"TemplateName": template.name, "TemplateData": template.data}
        return self._backend.ask(request, action_form("TestRenderTemplate", names))


def _content(request: Request) -> dict[str, Any]:
    try:
        return msgspec.json.decode(request.get_data(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Misuse("the request is no JSON object") from error


def _fate(reply: Response, template: Template) -> Fate | None:
    """Return what becomes of an e-mail whose template could not be filled in; None if it could."""
    failure = ses_reply.failure(reply)
    if failure is None or "Rendering" not in failure.code:
        return None
    return Fate(occurrences=(RenderingFailed(template_name=template.name, error_message=failure.message),))
