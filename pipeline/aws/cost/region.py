"""The regions in which SES sends."""

from pipeline.errors import Misuse

SERVICE = "email"  # SES, in the names of its endpoints
PARTITIONS = ("aws", "aws-us-gov")  # where prices are in dollars


def check_region(name: str) -> None:
    """Return if SES sends in a region, as far as this botocore knows; nobody is asked.

    Raises:
        Misuse: It does not, or there is no such region.
    """
    from botocore.loaders import Loader  # noqa: PLC0415 - boto3 takes a third of a second
    from botocore.regions import EndpointResolver  # noqa: PLC0415 - the same

    resolver = EndpointResolver(Loader().load_data("endpoints"))  # no session: it would read the user's profile
    known = {region for partition in PARTITIONS for region in resolver.get_available_endpoints(SERVICE, partition)}
    if name not in known:
        raise Misuse(
            f"no region in which SES sends: {name!r}; one is {min(known, key=lambda one: _distance(one, name))}"
        )


def _distance(one: str, other: str) -> float:
    from difflib import SequenceMatcher  # noqa: PLC0415 - only for who mistyped

    return 1 - SequenceMatcher(a=one, b=other).ratio()
