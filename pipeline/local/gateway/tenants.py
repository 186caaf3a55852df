"""The tenants of an account, by SES API v2.

Claims: CreateTenant, GetTenant, ListTenants with its pages, DeleteTenant and PutTenantSuppressionAttributes. The
backend has none of them. Leaves out: resources of tenants; any tenant may use any identity here.
docs.aws.amazon.com/ses/latest/APIReference-V2/API_CreateTenant.html
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import msgspec
from werkzeug.wrappers import Request, Response

from pipeline.errors import UsageError
from pipeline.local.gateway.protocols import ApiError
from pipeline.local.gateway.ses_responses import BAD_REQUEST, ROOT, SCOPE, json_error, json_response
from pipeline.local.ses.account_list import Listing
from pipeline.local.ses.tenants import ListScope, Tenant, Tenants, TenantSuppression

MAX_PAGE = 100


class _TenantRequest(msgspec.Struct, frozen=True, rename="pascal"):
    """Body of a request about one tenant."""

    tenant_name: str
    suppression_attributes: TenantSuppression | None = None
    suppressed_reasons: tuple[Listing, ...] | None = None
    suppression_scope: ListScope | None = None


class _ListRequest(msgspec.Struct, frozen=True, rename="pascal"):
    """Body of a ListTenants request. The token is the name of the last tenant of the page before."""

    page_size: int = MAX_PAGE
    next_token: str = ""


class TenantApi:
    """Handler of requests about tenants.

    Args:
        tenants: The tenants.
        account_id: The account, for ARNs.
        region: Its region, for ARNs.
    """

    def __init__(self, tenants: Tenants, *, account_id: str, region: str) -> None:
        self._tenants = tenants
        self._arn_prefix = f"arn:aws:ses:{region}:{account_id}:tenant/"

    def handle(self, request: Request) -> Response | None:
        """Return the response to a request, or None if the request is about something else."""
        if request.method != "POST" or not SCOPE.search(request.headers.get("Authorization", "")):
            return None
        operations = {
            f"{ROOT}/tenants": self._create,
            f"{ROOT}/tenants/get": self._get,
            f"{ROOT}/tenants/list": self._list,
            f"{ROOT}/tenants/delete": self._delete,
            f"{ROOT}/tenant/suppression": self._put_suppression,
        }
        if (operation := operations.get(request.path)) is None:
            return None
        try:
            return json_response(operation(request.get_data()))
        except (UsageError, msgspec.DecodeError) as error:
            return json_error(ApiError(BAD_REQUEST, str(error)))
        except ApiError as error:
            return json_error(error)

    def _create(self, body: bytes) -> Mapping[str, Any]:
        request = _named(body)
        now = datetime.now(UTC)
        tenant = self._tenants.create(request.tenant_name, at=now, suppression=request.suppression_attributes)
        if tenant is None:
            raise ApiError("AlreadyExistsException", "there is a tenant of this name")
        return self._description(tenant)

    def _get(self, body: bytes) -> Mapping[str, Any]:
        return {"Tenant": self._description(find_tenant(self._tenants, _named(body).tenant_name))}

    def _list(self, body: bytes) -> Mapping[str, Any]:
        request = msgspec.json.decode(body or b"{}", type=_ListRequest)
        if not 1 <= request.page_size <= MAX_PAGE:
            raise UsageError(f"PageSize is 1 to {MAX_PAGE}")
        tenants = [tenant for tenant in self._tenants.all() if tenant.name > request.next_token]
        page, rest = tenants[: request.page_size], tenants[request.page_size :]
        token = {"NextToken": page[-1].name} if rest else {}
        return {"Tenants": [self._summary(tenant) for tenant in page], **token}

    def _delete(self, body: bytes) -> Mapping[str, Any]:
        if not self._tenants.delete(name := _named(body).tenant_name):
            find_tenant(self._tenants, name)
        return {}

    def _put_suppression(self, body: bytes) -> Mapping[str, Any]:
        request = _named(body)
        tenant = find_tenant(self._tenants, request.tenant_name)
        reasons, scope = request.suppressed_reasons, request.suppression_scope
        if (reasons is None) != (scope is None):
            raise UsageError("SuppressedReasons and SuppressionScope are set together, or neither of them")
        tenant.suppression = None if reasons is None or scope is None else TenantSuppression(reasons, scope)
        return {}

    def _summary(self, tenant: Tenant) -> dict[str, Any]:
        return {
            "TenantName": tenant.name,
            "TenantId": f"tn-{tenant.name}",
            "TenantArn": f"{self._arn_prefix}{tenant.name}",
            "CreatedTimestamp": tenant.created_at.timestamp(),
            "SendingStatus": "ENABLED",
        }

    def _description(self, tenant: Tenant) -> dict[str, Any]:
        attributes = {"SuppressionAttributes": tenant.suppression} if tenant.suppression else {}
        return {**self._summary(tenant), **attributes}


def find_tenant(tenants: Tenants, name: str) -> Tenant:
    """Return a tenant by its name.

    Raises:
        ApiError: There is none.
    """
    if (tenant := tenants.get(name)) is None:
        raise ApiError(
            "NotFoundException", "there is no tenant of this name: create it first", status=HTTPStatus.NOT_FOUND
        )
    return tenant


def _named(body: bytes) -> _TenantRequest:
    return msgspec.json.decode(body, type=_TenantRequest)
