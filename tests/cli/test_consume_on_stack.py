"""consume on a deployment reads the stack's own stream, into its own table, by the policy that it was deployed with."""

import shlex
import sys
from pathlib import Path

import pytest

from pipeline.aws.kcl.daemon import Launch
from pipeline.aws.settings import BUCKET, POLICY, STREAM, TABLE, TABLES_PARAMETER
from pipeline.cli import consume as command
from tests.cli.conftest import clean
from tests.support import deployed
from tests.support.command import run

JAVA = f"#!{sys.executable}\nimport sys\nsys.exit('openjdk version \"17\"')\n"
NEWER = '{"version":2}'


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Launch]:
    """Return what daemons would be started with: here, none is."""
    launches: list[Launch] = []

    def note(launch: Launch, *_: object, **__: object) -> bool:
        launches.append(launch)
        return True

    clean(monkeypatch)
    java = tmp_path / "java"
    java.write_text(JAVA)
    java.chmod(0o700)
    monkeypatch.setenv("MAILFOLD_JAVA", str(java))
    monkeypatch.setenv("MAILFOLD_HEALTH_PORT", "0")
    monkeypatch.setattr(command, "_supervise", note)
    return launches


def test_the_example_of_its_help_reads_what_is_the_stacks(
    launches: list[Launch], monkeypatch: pytest.MonkeyPatch
) -> None:
    example = (command.consume_command.__doc__ or "").partition("Example: ")[2].strip()
    with deployed.deployed(monkeypatch, Policy=NEWER):
        result = run(*shlex.split(example)[1:])
        assert result.exit_code == 0, result.output
        bucket = deployed.bucket()
    [launch] = launches
    stream = deployed.OUTPUTS["FeedbackStream"]
    assert (launch.consumer.stream, launch.consumer.application) == (stream, f"mailfold-{stream}")
    assert launch.consumer.region == deployed.REGION
    found = {name: launch.environment[name] for name in (STREAM, TABLE, BUCKET, TABLES_PARAMETER, POLICY)}
    assert found == {
        STREAM: stream,
        TABLE: deployed.TABLE,
        BUCKET: bucket,
        TABLES_PARAMETER: deployed.PARAMETER,
        POLICY: NEWER,
    }
    assert {launch.environment[name] for name in ("AWS_REGION", "AWS_DEFAULT_REGION")} == {deployed.REGION}


def test_where_the_stack_leaves_the_stream_to_a_consumer_the_leases_are_those_that_its_policy_allows(
    launches: list[Launch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(deployed.OUTPUTS, "ConsumerApplication", "mail-consumer")
    with deployed.deployed(monkeypatch):
        assert run("consume", "--stack", "mail").exit_code == 0
        assert run("consume", "--stack", "mail", "--application", "another").exit_code == 0
    assert [launch.consumer.application for launch in launches] == ["mail-consumer", "another"]
