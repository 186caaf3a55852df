"""The sending AWS account, and the parts of SES's records that depend on it and its region.

Claims: ARNs, ids and host names in the shape of published records. Leaves out: prefixes of ids in regions without
published records; they get the prefix of us-east-1.
"""

from random import Random

import msgspec

# The first four digits of an id are the region's, the next twelve the time in milliseconds: seen in published ids.
_ID_PREFIXES = {
    "us-east-1": "0100",
    "us-west-2": "0101",
    "eu-west-1": "0102",
    "ap-northeast-1": "0106",
    "eu-central-1": "0107",
    "us-gov-west-1": "010a",
    "ca-central-1": "010d",
    "us-east-2": "010f",
}
_HOME = "us-east-1"  # the region whose host names have no region in them


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An AWS account in a region.

    Attributes:
        id: 12 digits.
        region: Such as eu-west-1.
    """

    id: str
    region: str

    def identity_arn(self, domain: str) -> str:
        """Return the ARN of the verified domain of the sender."""
        return f"arn:{self._partition()}:ses:{self.region}:{self.id}:identity/{domain}"

    def ses_id(self, at_ms: int, random: Random) -> str:
        """Return a new message or feedback id in SES's shape: 16-8-4-4-4-12-6 hex digits around a random UUID."""
        bits = random.getrandbits(128) & ~(0xF << 76) & ~(0x3 << 62) | 0x4 << 76 | 0x2 << 62
        text = f"{bits:032x}"
        uuid = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
        return f"{_ID_PREFIXES.get(self.region, _ID_PREFIXES[_HOME])}{at_ms:012x}-{uuid}-000000"

    def route(self, random: Random) -> "Route":
        """Return a random route of a message."""
        pool, host = random.randint(8, 48), random.randint(1, 254)
        region = "" if self.region == _HOME else f".{self.region}"
        return Route(
            outgoing_ip=f"54.240.{pool}.{host}",
            host=f"a{pool}-{host}.smtp-out{region}.amazonses.com",
            remote_ip=f"203.0.113.{random.randint(1, 254)}",
        )

    def _partition(self) -> str:
        if self.region.startswith("us-gov-"):
            return "aws-us-gov"
        return "aws-cn" if self.region.startswith("cn-") else "aws"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """The connection by which one copy of a message was sent.

    Attributes:
        outgoing_ip: Address of SES's server.
        host: Name of that server, derived from its address.
        remote_ip: Address of the mailbox provider's server.
    """

    outgoing_ip: str
    host: str
    remote_ip: str
