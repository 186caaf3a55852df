"""Checks of SES's tenants: whether a list stops their mail, and whether the table has what their own lists have.

SES answers one call a second, and each tenant takes two. Entries of the lists are only counted.
docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list-tenant-level.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from shlex import quote
from typing import Any

from pipeline.account_list import ListStatus, compare_list
from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, error, unknown, warning
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.errors import missing_ok
from pipeline.aws.ses import read_tenant_list, tenant_names


def check_tenants(deployment: Deployment) -> Iterator[Finding]:
    """Check each tenant's suppression attributes and own list, up to `max_identities` tenants.

    docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetTenant.html
    """
    names = tenant_names(deployment.clients.sesv2)
    if names is None:
        return
    with_own_list = []
    checked = list(islice(names, deployment.max_identities))
    for name in checked:
        attributes = _attributes(deployment, name)
        yield from _check_reasons(deployment, name, attributes)
        if attributes.get("SuppressionScope") == "TENANT":
            with_own_list.append(name)
            yield from _check_own_list(deployment, name)
    if with_own_list:
        examples = ", ".join(with_own_list[:3]) + (", …" if len(with_own_list) > 3 else "")  # noqa: PLR2004 - examples
        yield warning(
            "tenants_skip_account_list",
            f"{len(with_own_list):,} tenants have a suppression list of their own ({examples}): SES skips the "
            "account's list for their mail, and delivers to addresses that bounced for others unless the sender asks "
            "the table",
            remedy="ask before each mail, in the tenant's scope: "
            + deployment.mailfold_command(f"lookup --scope {quote(with_own_list[0])} ADDRESS"),
        )
    if unchecked := sum(1 for _ in names):
        yield unknown(
            "tenants_not_checked",
            f"{len(checked):,} tenants were checked, {unchecked:,} were not: SES answers one call a second",
            remedy=deployment.mailfold_command(f"doctor --identities {len(checked) + unchecked}"),
        )


def _attributes(deployment: Deployment, name: str) -> Mapping[str, Any]:
    """Return a tenant's suppression attributes; none if it uses the account's, or was deleted meanwhile."""
    answer: Mapping[str, Any] | None = missing_ok(lambda: deployment.clients.sesv2.get_tenant(TenantName=name))
    return (answer or {}).get("Tenant", {}).get("SuppressionAttributes") or {}


def _check_reasons(deployment: Deployment, name: str, attributes: Mapping[str, Any]) -> Iterator[Finding]:
    if "SuppressionScope" not in attributes or attributes.get("SuppressedReasons"):
        return
    scope = attributes["SuppressionScope"]
    yield error(
        "tenant_suppression_off",
        f"the tenant {name} has no suppressed reasons: SES stops none of its mail, and adds no address to any list",
        remedy=deployment.aws_command(
            f"sesv2 put-tenant-suppression-attributes --tenant-name {quote(name)} --suppression-scope {scope} "
            "--suppressed-reasons BOUNCE COMPLAINT"
        ),
    )


def _check_own_list(deployment: Deployment, name: str) -> Iterator[Finding]:
    """Look up the first page of a tenant's list in the live table."""
    if (page := next(read_tenant_list(deployment.clients.sesv2, name), None)) is None:
        return
    store = DynamoSuppressionStore(deployment.clients.dynamodb, table=deployment.live_table())
    missing = sum(entry.status is ListStatus.MISSING for entry in compare_list(page.entries, store=store))
    if missing:
        yield warning(
            "tenant_list_not_imported",
            f"of the {'' if page.is_last else 'first '}{len(page.entries):,} entries of the tenant {name}'s own list, "
            f"the table does not suppress {missing:,} in its scope",
            remedy=deployment.mailfold_command(f"import --tenant {quote(name)}"),
        )
