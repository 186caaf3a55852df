"""The table of commands agrees with the commands, each loads only what it needs, and errors have their exit codes."""

import inspect
import json
import os
import re
import subprocess
import sys
from importlib.metadata import requires, version

import pytest
import typer
from packaging.requirements import Requirement

from pipeline import errors
from pipeline.cli.failures import EXIT_CODES, EXTRAS, exit_code
from pipeline.cli.main import COMMANDS, load_command, subcommands
from tests.support.command import COMMAND, ROOT, WAIT_SECONDS, run, run_failing, run_ok, run_process

CONSUMER = {"pipeline.aws.kcl", "aws_lambda_powertools", "prometheus_client"}
PARQUET = {"pyarrow"}
LOCAL = {"boto3", "botocore", "pyarrow", "duckdb", "moto", "sqlglot", "aws_lambda_powertools", "pipeline.local"}

# Heavy modules that a command may load with its module and its help. rich and pydantic are typer's own.
ALLOWED: dict[str, set[str]] = {
    "demo": LOCAL,
    "up": LOCAL,
    "send": set(),
    "lookup": set(),
    "explain": set(),
    "suppress": set(),
    "release": set(),
    "revert": set(),
    "undo": set(),
    "query": set(),
    "replay": PARQUET,
    "rebuild": PARQUET,
    "reconcile": PARQUET,
    "drill": PARQUET,
    "erase": PARQUET,
    "ingest": PARQUET,
    "import": PARQUET,
    "quarantine": set(),
    "decode": set(),
    "consume": CONSUMER,
    "policy": set(),
    "deploy": {"pipeline.aws.deployment.template"},
    "attach": {"pipeline.aws.deployment.template"},
    "doctor": {"pipeline.aws.deployment.template", "pipeline.aws.doctor"},
    "cost": {"pipeline.aws.cost"},
    "destroy": {"pipeline.aws.deployment.template"},
}
HEAVY = {
    *("amazon_kclpy", "aws_lambda_powertools", "boto3", "botocore", "duckdb", "moto", "prometheus_client", "pyarrow"),
    *(
        "pydantic",
        "sqlglot",
        "pipeline.aws.cost",
        "pipeline.aws.deployment.template",
        "pipeline.aws.doctor",
        "pipeline.aws.kcl",
    ),
    "pipeline.local",
}
PROGRAM = """
import json, sys
from pipeline.cli.__main__ import main
try:
    main()
finally:
    print("\\n" + json.dumps(sorted(sys.modules)))
"""


def loaded_modules(*arguments: str) -> set[str]:
    """Return the modules that are loaded once a command has run in a new process."""
    result = subprocess.run(  # noqa: S603 - this interpreter, on the program above
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=WAIT_SECONDS,
    )
    return set(json.loads(result.stdout.splitlines()[-1]))


def test_windows_is_named_as_not_supported() -> None:
    """Its signals and users differ. The exit code is 1."""
    program = "import sys; sys.platform = 'win32'; from pipeline.cli.__main__ import main; main()"
    result = subprocess.run(  # noqa: S603 - this interpreter, on the program above
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=WAIT_SECONDS
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("mailfold: Windows is not supported: use Linux or macOS")
    assert result.stderr.count("\n") == 1


def test_the_help_loads_no_command() -> None:
    """`mailfold --help` loads neither a command's module nor rich nor anything heavy."""
    modules = loaded_modules("--help")
    assert modules & {f"pipeline.cli.{command.module}" for command in COMMANDS.values()} == set()
    assert modules & (HEAVY | {"rich.console"}) == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_loads_only_what_it_needs(name: str) -> None:
    """A command's module and its help load no heavy module but those of the command."""
    assert loaded_modules(name, "--help") & HEAVY <= ALLOWED[name]


@pytest.mark.parametrize("name", ["lookup", "decode"])
def test_the_help_of_a_light_command_loads_no_rich(name: str) -> None:
    """The commands that programs call most often do not load rich for their help."""
    assert "rich.console" not in loaded_modules(name, "--help")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_has_the_first_sentence_of_the_help(name: str) -> None:
    """The line in the table, which `mailfold --help` shows, is the first sentence of the command's docstring."""
    command = load_command(name)
    description = command.help if hasattr(command, "commands") else inspect.getdoc(command.callback) or ""
    first_sentence = re.split(r"(?<=\.)\s", description, maxsplit=1)[0]
    assert " ".join(first_sentence.split()) == COMMANDS[name].help


def test_the_help_shows_every_command_and_exit_code() -> None:
    """`mailfold --help` has a line for every command and every exit code."""
    lines = [line.split() for line in run("--help").stdout.splitlines()]
    first_words = [words[0] for words in lines if words]
    assert {*COMMANDS, *(str(row.code) for row in EXIT_CODES)} <= set(first_words)


@pytest.mark.parametrize("program", [[COMMAND], [sys.executable, "-m", "pipeline.cli"]], ids=["command", "module"])
def test_the_command_and_the_module_have_a_version(program: list[str]) -> None:
    """`mailfold --version` and `python -m pipeline.cli --version` print the installed version."""
    result = subprocess.run(  # noqa: S603 - our own command
        [*program, "--version"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=WAIT_SECONDS
    )
    assert (result.stdout, result.stderr) == (f"mailfold {version('mailfold')}\n", "")


def test_h_is_help() -> None:
    """`-h` prints what `--help` prints, before and after a command, and loads as little."""
    assert run_ok("-h") == run_ok("--help")
    assert run_ok("decode", "-h") == run_ok("decode", "--help")
    assert loaded_modules("decode", "-h") & HEAVY <= ALLOWED["decode"]


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        ("mailfold lo", {"lookup"}),
        ("mailfold lookup --s", {"--scope", "--stack"}),
        ("mailfold query --format j", {"json"}),
        ("mailfold query --saved bou", {"bounce_rate_by_day", "bounce_surges", "bounces_by_domain"}),
    ],
)
def test_a_shell_completes_commands_options_and_values(
    words: str, completions: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The completion that `mailfold --install-completion` installs knows every command's options and their values."""
    environment = {"_MAILFOLD_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    assert set(run_process(env={**os.environ, **environment}).stdout.split()) == completions
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: "bash")  # a test has no shell above it
    assert "_MAILFOLD_COMPLETE=complete_bash" in run_ok("--show-completion")


def test_a_misspelt_command_suggests_the_right_one() -> None:
    """An unknown command is a usage error that names the most similar one."""
    result = run("lokup")
    assert result.exit_code == 2
    assert "Did you mean 'lookup'?" in result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("-"), 2),
        (errors.InvalidInput("-"), 2),
        (errors.AccessDenied("-"), 3),
        (errors.NotFound("-"), 4),
        (errors.Unavailable("-"), 5),
        (errors.StoreUnavailable("-"), 5),
        (errors.ServiceUnavailable("-"), 5),
        (errors.PolicyOutdated(own_version=1, table_version=2), 5),
        (errors.QueryFailed("-"), 1),
        (errors.DeploymentFailed("-"), 1),
        (errors.ItemRejected("-"), 1),
        (errors.Conflict(), 1),
        (OSError("-"), 1),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_each_kind_of_error_has_its_exit_code(error: BaseException, code: int) -> None:
    """The type of an error decides the exit code, as the table in the help says."""
    assert exit_code(error) == code


@pytest.mark.parametrize("error", [errors.AccessDenied("denied"), errors.NotFound("missing"), OSError("full")])
def test_an_error_is_one_sentence_with_its_exit_code(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command's error is printed as one sentence on standard error."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("pipeline.cli.lookup.target", fail)
    assert str(error) in run_failing("lookup", "ann@example.com", exit_code=exit_code(error))


def test_exhausted_memory_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document may expand to many times its size when it is decoded."""

    def fail(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("pipeline.cli.decode.decode", fail)
    result = run("decode", stdin="{}")
    assert result.exit_code == 1
    assert result.stderr.startswith("mailfold: the memory is exhausted: ")


def test_an_unexpected_error_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in the program itself is raised with its traceback."""

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("pipeline.cli.lookup.target", fail)
    with pytest.raises(ZeroDivisionError):
        run("lookup", "ann@example.com")


@pytest.mark.parametrize("arguments", [[], ["--help"]], ids=["run", "help"])
def test_a_missing_package_names_its_extra(arguments: list[str]) -> None:
    """A command whose packages are not installed, and its help, name the extra that installs them."""
    program = "import sys; sys.modules['pyarrow'] = None; from pipeline.cli.main import app; app(prog_name='mailfold')"
    result = subprocess.run(  # noqa: S603 - this interpreter, on the program above
        [sys.executable, "-c", program, "replay", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_SECONDS,
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        "mailfold: this command needs pyarrow, which is not installed: pip install 'mailfold[parquet]'\n"
    )


@pytest.mark.parametrize(("module", "extra"), EXTRAS.items())
def test_each_package_names_its_extra(module: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that is missing anywhere in a package names the extra of the package."""

    def fail(*_: object, **__: object) -> None:
        raise ModuleNotFoundError(name=f"{module}.part")

    monkeypatch.setattr("pipeline.cli.lookup.target", fail)
    sentence = run_failing("lookup", "ann@example.com", exit_code=1)
    assert sentence.endswith(f"needs {module}.part, which is not installed: pip install 'mailfold[{extra}]'")


def test_the_extras_are_those_of_the_distribution() -> None:
    """Every package that only an extra installs is in the table, with an extra that installs it."""
    distributions = {"amazon_kclpy": "kclpy_ext"}  # where the name differs from the module's
    installed_by = {
        (requirement.name.replace("-", "_"), extra)
        for requirement in map(Requirement, requires("mailfold") or [])
        for extra in EXTRAS.values()
        if requirement.marker and requirement.marker.evaluate({"extra": extra}) and requirement.name != "mailfold"
    }
    table = {(distributions.get(module, module), extra) for module, extra in EXTRAS.items()}
    assert table <= installed_by
    assert {distribution for distribution, _ in table} == {distribution for distribution, _ in installed_by}


def test_every_command_is_typers() -> None:
    """Every entry of the table loads as a command of that name."""
    single = [command for name in COMMANDS for command in subcommands(load_command(name))]
    assert all(isinstance(command, typer.core.TyperCommand) for command in single)
    assert [load_command(name).name for name in COMMANDS] == list(COMMANDS)
