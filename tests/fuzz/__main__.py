"""Fuzz `decode` with libFuzzer, guided by coverage, for a stated time. Exit code 1 if an input breaks a law.

Examples:
    python -m tests.fuzz --seconds 300
    python -m tests.fuzz --repeat /tmp/mailfold-fuzz-x/crash-0123
"""

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp

from tests.support.builders import a_decision, one_of_each, some_evidence
from tests.support.strategies import ENVELOPES

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "schemas/wire/examples"
OPTIONS = (
    "-max_len=16384",
    "-timeout=30",  # seconds for one input, of which most take milliseconds; a busy machine takes longer
    "-rss_limit_mb=2048",
    "-print_final_stats=1",
)
# Keys and texts that random bytes never spell.
WORDS = (
    *("eventType", "notificationType", "mail", "bounce", "Message", "Records", "detail-type", "rawData", "body"),
    *("payload_base64", "logEvents", "awslogs", "Item", "Items", "event_type", "_email.bounce", "isBase64Encoded"),
    *("\\ud83d", "\\u0000", "eventtype", "\x1f\x8b", "\xff\xfe", "\n{", "}{", "[[[["),
)


def main(arguments: list[str]) -> int:
    """Fuzz for the stated time, or repeat one input. Return the exit code."""
    parser = argparse.ArgumentParser(prog="make fuzz ARGS=…", description="Fuzz `pipeline.decode.decode`.")
    parser.add_argument("--seconds", type=int, default=300, help="how long to fuzz (default: 300)")
    parser.add_argument("--repeat", type=Path, metavar="FILE", help="check this input alone")
    parser.add_argument("--inputs", type=Path, metavar="FOLDER", help="go on with the inputs of an earlier run")
    options = parser.parse_args(arguments)
    if options.repeat:
        return _run(str(options.repeat))
    folder = Path(mkdtemp(prefix="mailfold-fuzz-"))
    inputs = options.inputs or folder / "inputs"
    seeds = write_seeds(inputs)
    words = folder / "words.dict"
    words.write_text("".join(f"{_quoted(word)}\n" for word in WORDS), encoding="ascii")
    limits = (f"-max_total_time={options.seconds}", f"-dict={words}", f"-artifact_prefix={folder}/")
    exit_code = _run(*OPTIONS, *limits, str(inputs))
    report(folder, inputs, seeds)
    return exit_code


def write_seeds(folder: Path) -> int:
    """Write the wire examples, and a record of each type in every envelope. Return the number of files."""
    folder.mkdir(exist_ok=True)
    records = [*one_of_each().values(), a_decision(), some_evidence()]
    wrapped = [wrap(record) for record in records for wrap in ENVELOPES.values()]
    examples = [path.read_bytes() for path in sorted(EXAMPLES.glob("v*"))]
    for number, seed in enumerate((*examples, *records, *wrapped)):
        (folder / f"seed-{number}").write_bytes(seed)
    return len(list(folder.iterdir()))


def report(folder: Path, inputs: Path, seeds: int) -> None:
    """Print the number of new inputs, and each crash with the command that repeats it."""
    new = len(list(inputs.iterdir())) - seeds
    crashes = sorted(path for name in ("crash-*", "timeout-*", "oom-*") for path in folder.glob(name))
    print(f"{seeds} seeds, {new} new inputs in {inputs}, {len(crashes)} crashes")
    for crash in crashes:
        print(f'{crash}: make fuzz ARGS="--repeat {crash}"')


def _run(*arguments: str) -> int:
    """Run the target in a process of its own, because a crash ends it. Return 1 for any failure."""
    command = [sys.executable, "-m", "tests.fuzz.target", *arguments]
    return min(1, abs(subprocess.run(command, cwd=ROOT, check=False).returncode))  # noqa: S603 - this program's part


def _quoted(word: str) -> str:
    """Return a word as libFuzzer's dictionaries contain it: each byte in hex."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in word.encode("latin-1")) + '"'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
