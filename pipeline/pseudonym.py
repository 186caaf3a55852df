"""The address that takes the place of an erased one: a keyed hash, at a domain that cannot exist. Pure."""

import hmac
from hashlib import sha256

from pipeline.address import Address, domain

KEY_BYTES = 32
DOMAIN = "erased.invalid"  # RFC 2606 reserves the top-level domain


def pseudonym(address: Address, *, key: bytes) -> Address:
    """Return the pseudonym of an address: HMAC-SHA256 of its UTF-8 bytes, in hex."""
    return Address(f"{hmac.digest(key, address.encode(), sha256).hex()}@{DOMAIN}")


def is_pseudonym(address: Address) -> bool:
    """Return True if the address takes the place of an erased one."""
    return domain(address) == DOMAIN
