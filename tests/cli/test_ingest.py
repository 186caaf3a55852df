"""`mailfold ingest` ingests existing events, and names the records that it could not read."""

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support.cloud_process import CloudProcess, found_client
from tests.support.command import ROOT, WAIT_SECONDS, json_lines, run, run_failing, started
from tests.support.waiting import eventually

EXAMPLES = ROOT / "schemas" / "wire" / "examples"
EXPECTED: dict[str, list[dict[str, Any]]] = json.loads((EXAMPLES / "expected.json").read_bytes())
TIME = "2026-03-01T10:00:00.000Z"


def a_bounce(address: str, *, number: int = 0) -> dict[str, Any]:
    return {
        "eventType": "Bounce",
        "mail": {"timestamp": TIME, "messageId": f"m-{address}", "destination": [address]},
        "bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [{"emailAddress": address}],
            "timestamp": TIME,
            "feedbackId": f"f-{address}-{number}",
        },
    }


@pytest.fixture
def people() -> Iterator[str]:
    """Addresses that no other test uses."""
    label = uuid4().hex[:8]
    return (f"{label}.{number}@example.com" for number in range(1_000_000))


def are_suppressed(addresses: Sequence[str]) -> bool:
    answers = json_lines("lookup", "--json", "-", stdin="\n".join(addresses))
    return all(answer["suppressed"] for answer in answers)


def ingested(*names: str | Path, exit_code: int = 0) -> dict[str, Any]:
    result = run("ingest", "--json", *map(str, names))
    assert result.exit_code == exit_code, result.output
    counts: dict[str, Any] = json.loads(result.stdout)
    return counts


def test_ndjson_pretty_json_and_gzip_are_ingested_alike(
    cloud: CloudProcess, people: Iterator[str], tmp_path: Path
) -> None:
    """NDJSON, a document over several lines and gzip are all ingested."""
    first, second, third, fourth = (next(people) for _ in range(4))
    (tmp_path / "lines.ndjson").write_text(f"{json.dumps(a_bounce(first))}\n\n{json.dumps(a_bounce(second))}\n")
    (tmp_path / "pretty.json").write_text(json.dumps([a_bounce(third)], indent=2))
    (tmp_path / "zipped").write_bytes(gzip.compress(json.dumps(a_bounce(fourth)).encode()))
    counts = ingested(tmp_path / "lines.ndjson", tmp_path / "pretty.json", tmp_path / "zipped")
    zeros = {"unrecognized": 0, "ignored": 0, "quarantined": 0, "unchanged": 0, "ingested_before": 0}
    assert counts == {"events": {"bounce": 4}, "rejects": [], "facts": 4, "written": 4, **zeros}
    assert are_suppressed([first, second, third, fourth])


def test_every_envelope_is_ingested_and_every_reject_is_named(cloud: CloudProcess, tmp_path: Path) -> None:
    """All example payloads are counted by kind, ignored or named as a reject."""
    folder = tmp_path / "examples"
    folder.mkdir()
    names = {(EXAMPLES / name).read_bytes(): name for name in EXPECTED}.values()  # equal files are ingested once
    for name in names:
        (folder / name).symlink_to(EXAMPLES / name)
    lines = [line for name in names for line in EXPECTED[name]]
    counts = ingested(folder, exit_code=1)
    kinds = [line["kind"] for line in lines if "kind" in line]
    assert counts["events"] == {kind: kinds.count(kind) for kind in kinds}
    assert counts["ignored"] == sum("ignored" in line for line in lines)
    failing = {str(folder / name) for name in names if any("error" in line for line in EXPECTED[name])}
    assert failing <= {reject["position"].rpartition(":")[0] for reject in counts["rejects"]}
    assert all(reject["why"] for reject in counts["rejects"])


def test_a_thousand_small_files_in_folders_are_ingested(
    cloud: CloudProcess, people: Iterator[str], tmp_path: Path
) -> None:
    """A folder with a thousand small files in sub-folders is ingested whole."""
    addresses = [next(people) for _ in range(10)]
    for number in range(1_000):
        folder = tmp_path / f"{number % 13}" / f"{number % 7}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.json").write_text(json.dumps(a_bounce(addresses[number % 10], number=number)))
    counts = ingested(tmp_path)
    assert (counts["events"], counts["facts"], counts["rejects"]) == ({"bounce": 1_000}, 1_000, [])
    assert are_suppressed(addresses)


def test_a_second_run_changes_nothing(cloud: CloudProcess, people: Iterator[str], tmp_path: Path) -> None:
    """Neither a row of the log nor an item of the table, wherever the file lies then."""
    (tmp_path / "events").write_text("\n".join(json.dumps(a_bounce(next(people))) for _ in range(3)))
    first_run = ingested(tmp_path / "events")
    [before] = json_lines("replay", "--json")
    (tmp_path / "events").rename(tmp_path / "moved")
    second_run = run("ingest", str(tmp_path / "moved"))
    [after] = json_lines("replay", "--json")
    assert first_run["written"] == 3
    assert second_run.stdout.splitlines()[:2] == [
        "0 events ingested, 0 records ignored, 0 rejects",
        "1 file ingested before, and not again",
    ]
    assert (before["digest"], before["rows"]) == (after["digest"], after["rows"])


def test_standard_input_is_ingested_again(cloud: CloudProcess, people: Iterator[str]) -> None:
    """Its event has one distinct event_id in the log."""
    address = next(people)
    for _ in range(2):
        run("ingest", "-", stdin=json.dumps(a_bounce(address)))
    sql = "SELECT count(*) AS n, count(DISTINCT event_id) AS events FROM events WHERE message_id = 'm-ADDRESS'"
    assert json_lines("query", sql.replace("ADDRESS", address), "--json") == [{"n": 2, "events": 1}]


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_and_stores_nothing_twice(cloud: CloudProcess, tmp_path: Path) -> None:
    """Killed after a part of a file, a second run stores the rest, and a third run nothing."""
    label, size = uuid4().hex[:8], 25_000
    mail = {"timestamp": TIME, "destination": ["ann@example.com"]}
    for file in ("a", "b"):
        lines = ({"eventType": "Send", "mail": {**mail, "messageId": f"{label}-{file}-{n}"}} for n in range(size))
        (tmp_path / file).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    entries = manifest_entries()
    with started("ingest", str(tmp_path)) as process:
        eventually(lambda: manifest_entries() > entries, what="an entry of the manifest")
        process.kill()
        process.wait(WAIT_SECONDS)
    counts = ingested(tmp_path)
    assert 0 < counts["events"]["send"] < 2 * size
    assert ingested(tmp_path)["ingested_before"] == 2
    sql = f"SELECT count(*) AS n, count(DISTINCT event_id) AS events FROM events WHERE message_id LIKE '{label}-%'"  # noqa: S608 - the label is the test's own
    assert json_lines("query", sql, "--json") == [{"n": 2 * size, "events": 2 * size}]


def manifest_entries() -> int:
    """Return the number of entries of the manifest."""
    s3 = _s3()
    count: int = s3.list_objects_v2(Bucket="mailfold-log", Prefix="ingested/")["KeyCount"]
    s3.close()
    return count


def test_rejects_are_named_by_file_and_line(cloud: CloudProcess, people: Iterator[str], tmp_path: Path) -> None:
    """A reject is named by file and line, the exit code is 1, and all other records are ingested."""
    first, second = next(people), next(people)
    file = tmp_path / "events.ndjson"
    file.write_text(f'\n{json.dumps(a_bounce(first))}\n{{"eventType"\n\n[]\n{json.dumps(a_bounce(second))}\n"?"\n')
    result = run("ingest", str(file))
    assert result.exit_code == 1
    assert result.stderr == "mailfold: 2 rejects; 2 events ingested\n"
    assert result.stdout.splitlines() == [
        "2 events ingested, 1 record ignored, 2 rejects",
        "  bounce                      2",
        "2 facts: 2 items of the table written, 0 unchanged",
        f"  {file}:3: not a JSON document",
        f"  {file}:7: not a JSON document",
    ]
    assert are_suppressed([first, second])


def test_a_reject_is_in_the_quarantine_with_its_bytes(cloud: CloudProcess, tmp_path: Path) -> None:
    """A quarantined payload can be ingested again from the quarantine's prefix."""
    (tmp_path / "events").write_text(f"?{uuid4().hex}")
    ingested(tmp_path / "events", exit_code=1)
    [again] = [
        reject
        for reject in ingested("s3://mailfold-log/quarantine/", exit_code=1)["rejects"]
        if reject["why"] == "not a JSON document"
    ][:1]
    assert again["position"].startswith("s3://mailfold-log/quarantine/")


def test_broken_gzip_is_named_and_the_other_files_are_ingested(
    cloud: CloudProcess, people: Iterator[str], tmp_path: Path
) -> None:
    """Gzip that is cut off or damaged is a reject, and the files beside it are ingested."""
    first, second, third, fourth = (next(people) for _ in range(4))
    lines = f"{json.dumps(a_bounce(second))}\n{json.dumps(a_bounce(third))}\n".encode()
    damaged = bytearray(gzip.compress(lines))
    damaged[-6] ^= 0xFF
    (tmp_path / "a").write_text(json.dumps(a_bounce(first)))
    (tmp_path / "b.gz").write_bytes(gzip.compress(lines)[:-20])
    (tmp_path / "c.gz").write_bytes(damaged)
    (tmp_path / "d").write_text(json.dumps(a_bounce(fourth)))
    counts = ingested(tmp_path, exit_code=1)
    assert [reject["position"] for reject in counts["rejects"]] == [str(tmp_path / "b.gz"), str(tmp_path / "c.gz")]
    assert are_suppressed([first, fourth])


@pytest.mark.parametrize(
    ("missing", "exit_code"),
    [("nothing", 2), ("s3://mailfold-log/nothing/", 2), ("s3://no-such-bucket/", 4), ("s3://", 2)],
)
def test_a_missing_source_stops_before_anything_is_ingested(
    cloud: CloudProcess, people: Iterator[str], tmp_path: Path, missing: str, exit_code: int
) -> None:
    """A source that does not exist is found before the first record is ingested."""
    address = next(people)
    (tmp_path / "events").write_text(json.dumps(a_bounce(address)))
    name = missing if missing.startswith("s3:") else str(tmp_path / missing)
    assert missing in run_failing("ingest", str(tmp_path / "events"), name, exit_code=exit_code)
    assert not are_suppressed([address])


def test_objects_below_an_s3_prefix_are_ingested(cloud: CloudProcess, people: Iterator[str]) -> None:
    """All objects below an S3 prefix are ingested, and no others."""
    addresses = [next(people) for _ in range(3)]
    s3, bucket = _s3(), f"old-{uuid4().hex}"
    s3.create_bucket(Bucket=bucket)
    for number, address in enumerate(addresses):
        body = gzip.compress(json.dumps(a_bounce(address)).encode())
        s3.put_object(Bucket=bucket, Key=f"2025/{number}.gz", Body=body)
    s3.put_object(Bucket=bucket, Key="2026/other", Body=b"?")
    s3.close()
    assert ingested(f"s3://{bucket}/2025/")["events"] == {"bounce": 3}
    assert json_lines("decode", f"s3://{bucket}/2025/0.gz")[0]["recipients"] == addresses[:1]
    assert are_suppressed(addresses)


def test_standard_input_is_ingested(cloud: CloudProcess, people: Iterator[str]) -> None:
    """The argument - means standard input."""
    address = next(people)
    [counts] = json_lines("ingest", "--json", "-", stdin=json.dumps(a_bounce(address)))
    assert counts["events"] == {"bounce": 1}
    assert are_suppressed([address])


def test_a_file_name_may_be_any_bytes(cloud: CloudProcess, tmp_path: Path) -> None:
    """A file name that is not UTF-8, or contains control characters, is printed without them."""
    (tmp_path / "caf\udce9\x1b[31m").write_text("?")
    [reject] = ingested(tmp_path, exit_code=1)["rejects"]
    assert reject["position"] == f"{tmp_path}/caf\\udce9\x1b[31m:1"
    result = run("ingest", str(tmp_path))
    assert "\x1b" not in result.output


def test_nothing_is_printed_but_counts_and_rejects(cloud: CloudProcess, people: Iterator[str], tmp_path: Path) -> None:
    """The output contains counts and rejects but no address, because output ends up in logs."""
    bounce = a_bounce(next(people))
    (tmp_path / "events").write_text(
        f"{json.dumps(bounce)}\n{json.dumps({**bounce, 'bounce': None})}\n{json.dumps(bounce)[:-1]}"
    )
    assert "@" not in run("ingest", str(tmp_path / "events")).output


def _s3() -> Any:
    return found_client("s3")
