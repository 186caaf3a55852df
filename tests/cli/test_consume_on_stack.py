"""`mailfold consume --stack` reads the stack's stream into the stack's table, with the stack's policy."""

import shlex
import sys
from pathlib import Path

import pytest

from pipeline.aws.kcl.daemon import DaemonLauncher
from pipeline.aws.settings import BUCKET, POLICY, STREAM, TABLE, TABLES_PARAMETER
from pipeline.cli import consume as command
from tests.cli.conftest import clean
from tests.support import deployed
from tests.support.command import run

JAVA = f"#!{sys.executable}\nimport sys\nsys.exit('openjdk version \"17\"')\n"
NEWER = '{"version":2}'


@pytest.fixture
def launchers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[DaemonLauncher]:
    """Return the launchers that the command would start daemons with. It starts none here."""
    launchers: list[DaemonLauncher] = []

    def record(launcher: DaemonLauncher, *_: object, **__: object) -> bool:
        launchers.append(launcher)
        return True

    clean(monkeypatch)
    java = tmp_path / "java"
    java.write_text(JAVA)
    java.chmod(0o700)
    monkeypatch.setenv("MAILFOLD_JAVA", str(java))
    monkeypatch.setattr(command, "_supervise", record)
    return launchers


def test_the_example_of_its_help_reads_the_stack_s_stream(
    launchers: list[DaemonLauncher], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stream, lease table, region, tables, bucket and policy are the stack's."""
    example = (command.consume_command.__doc__ or "").partition("Example: ")[2].strip()
    with deployed.deployed(monkeypatch, Policy=NEWER):
        result = run(*shlex.split(example)[1:])
        assert result.exit_code == 0, result.output
        bucket = deployed.bucket()
    [launcher] = launchers
    stream = deployed.OUTPUTS["FeedbackStream"]
    assert (launcher.consumer.stream, launcher.consumer.application) == (stream, f"mailfold-{stream}")
    assert launcher.consumer.region == deployed.REGION
    settings = {name: launcher.environment[name] for name in (STREAM, TABLE, BUCKET, TABLES_PARAMETER, POLICY)}
    assert settings == {
        STREAM: stream,
        TABLE: deployed.TABLE,
        BUCKET: bucket,
        TABLES_PARAMETER: deployed.PARAMETER,
        POLICY: NEWER,
    }
    assert {launcher.environment[name] for name in ("AWS_REGION", "AWS_DEFAULT_REGION")} == {deployed.REGION}


def test_a_stack_with_a_consumer_names_the_lease_table(
    launchers: list[DaemonLauncher], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its policy allows that table. `--application` takes precedence."""
    monkeypatch.setitem(deployed.OUTPUTS, "ConsumerApplication", "mail-consumer")
    with deployed.deployed(monkeypatch):
        assert run("consume", "--stack", "mail").exit_code == 0
        assert run("consume", "--stack", "mail", "--application", "another").exit_code == 0
    assert [launcher.consumer.application for launcher in launchers] == ["mail-consumer", "another"]
