"""The bundle: one zip file with both Lambdas' code and the libraries that it imports, the same wherever it is built.

boto3 is not in it: Lambda's runtime brings it. docs.aws.amazon.com/lambda/latest/dg/python-package.html
"""

from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from pipeline.aws.deployment.archive import archived, unpacked
from pipeline.aws.deployment.source import sources
from pipeline.aws.deployment.template import Runtime, template
from pipeline.aws.deployment.wheel import fetch_wheels


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """A zip file for Lambda.

    Attributes:
        data: Its bytes.
        sha256: Their SHA-256, in hex: equal for equal sources and libraries.
    """

    data: bytes
    sha256: str


def build_bundle(*, runtime: Runtime | None) -> Bundle:
    """Fetch the libraries, and put them and the template's handlers into a zip file.

    Args:
        runtime: What it is to run on, usually `template().runtime`; None: this interpreter, on this machine.

    Raises:
        Misuse: A library cannot be had for that runtime, or this Python has no pip.
        CloudUnavailable: pip does not end.
    """
    files = sources(template().handlers)
    with TemporaryDirectory(prefix="mailfold-bundle-") as name:
        for wheel in fetch_wheels(Path(name), runtime=runtime):
            files |= unpacked(wheel)
    data = archived(files)
    return Bundle(data=data, sha256=sha256(data).hexdigest())
