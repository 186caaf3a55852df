"""SES's tenants: senders who share an account, each with its own suppression list if it wants one.

Claims: a tenant uses the account's list until its scope is set to TENANT; without reasons, no list stops its mail or is
added to; its list is kept when it returns to the account's. Leaves out: resources of tenants, sending status, tags, and
the difference between one reason and both.
docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list-tenant-level.html
"""

from datetime import datetime
from enum import StrEnum
from threading import Lock

import msgspec

from pipeline.errors import UsageError
from pipeline.local.ses.account_list import ON_TENANT_LIST, AccountList, Listing
from pipeline.standing import MAX_SCOPE


class ListScope(StrEnum):
    """Whose list stops the mail of a tenant, as the API names it."""

    ACCOUNT = "ACCOUNT"
    TENANT = "TENANT"


class TenantSuppression(msgspec.Struct, frozen=True, rename="pascal"):
    """How a tenant's mail is suppressed."""

    suppressed_reasons: tuple[Listing, ...]
    suppression_scope: ListScope


class Tenant:
    """A tenant.

    Attributes:
        name: Its name, unique in the account.
        created_at: When it was created.
        own_list: Its own suppression list. It is in use if the scope is TENANT.
        suppression: How its mail is suppressed; None: as the account's.
    """

    def __init__(self, name: str, *, created_at: datetime, suppression: TenantSuppression | None) -> None:
        self.name, self.created_at, self.suppression = name, created_at, suppression
        self.own_list = AccountList(sub_type=ON_TENANT_LIST)

    @property
    def has_own_list(self) -> bool:
        """True if its own list is in use, instead of the account's."""
        return self.suppression is not None and self.suppression.suppression_scope is ListScope.TENANT

    @property
    def has_reasons(self) -> bool:
        """False if no list stops its mail."""
        return self.suppression is None or bool(self.suppression.suppressed_reasons)


class Tenants:
    """The tenants of an account. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._tenants: dict[str, Tenant] = {}

    def create(self, name: str, *, at: datetime, suppression: TenantSuppression | None = None) -> Tenant | None:
        """Create a tenant and return it; None if there is one of this name.

        Raises:
            UsageError: The name has not 1 to 64 characters.
        """
        if not 0 < len(name) <= MAX_SCOPE:
            raise UsageError(f"the name of a tenant has 1 to {MAX_SCOPE} characters")
        with self._lock:
            if name in self._tenants:
                return None
            tenant = self._tenants[name] = Tenant(name, created_at=at, suppression=suppression)
            return tenant

    def get(self, name: str) -> Tenant | None:
        """Return a tenant by its name; None if there is none."""
        with self._lock:
            return self._tenants.get(name)

    def delete(self, name: str) -> bool:
        """Delete a tenant and its list. Return True if there was one."""
        with self._lock:
            return self._tenants.pop(name, None) is not None

    def all(self) -> list[Tenant]:
        """Return all tenants, by name."""
        with self._lock:
            return [self._tenants[name] for name in sorted(self._tenants)]
