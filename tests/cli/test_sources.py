"""Payloads are found in files, folders and pipes, plain or gzip."""

import gzip
import io
import os
import sys
import threading
from pathlib import Path
from typing import NoReturn

import pytest

from pipeline.cli.prompt import can_ask
from pipeline.cli.sources import find_sources, payloads, split_payloads
from pipeline.errors import UsageError

SEND = b'{"eventType":"Send","mail":{"messageId":"m-1"}}'


def split(data: bytes) -> list[tuple[int, bytes]]:
    return [(payload.line, payload.data) for payload in split_payloads(io.BytesIO(data), name="file")]


def no_uri(_: str) -> NoReturn:
    no_s3()


def no_s3() -> NoReturn:
    pytest.fail("S3 is connected, although no source is in S3")


def read(path: Path) -> list[bytes]:
    return [payload.data for payload in payloads(str(path), open_uri=no_uri)]


def test_a_document_spread_over_lines_is_one_payload() -> None:
    """A JSON document over several lines is one payload."""
    document = b'{\n "mail": {\n  "destination": [\n   "a@example.com"\n  ]\n }\n}'
    assert split(document) == [(1, document)]


def test_each_ndjson_line_is_a_payload_with_its_number() -> None:
    """Each line of NDJSON is a payload with its line number, blank lines counted."""
    assert split(SEND + b"\n\n" + SEND + b"\r\n") == [(1, SEND), (3, SEND)]


def test_blank_lines_yield_nothing() -> None:
    """An empty or blank file has no payload."""
    assert split(b"\n \n\t\n") == []
    assert split(b"") == []


def test_a_broken_line_does_not_hide_the_lines_after_it() -> None:
    """A broken first line is a payload, and so are the lines after it."""
    assert split(b'{"eventType":\n' + SEND) == [(1, b'{"eventType":'), (2, SEND)]


def test_a_broken_line_after_good_ones_is_a_payload() -> None:
    """A broken line after good ones is a payload with its own number."""
    assert split(SEND + b"\n{oops\n") == [(1, SEND), (2, b"{oops")]


def test_a_document_over_several_lines_may_follow_one_on_a_line() -> None:
    """Files grow by hand and by programs."""
    spread = b'{\n  "eventType": "Send",\n  "tags": [\n    {}\n  ]\n}'
    joined = b"\n".join(
        [SEND, b"2026-03-01T00:00:01Z " + spread, spread, SEND, b"{oops", b"more", SEND + b"{", b'"a":1}']
    )
    assert split(joined) == [
        (1, SEND),
        (2, spread),
        (8, spread),
        (14, SEND),
        (15, b"{oops"),
        (16, b"more"),
        (17, SEND),
        (17, b'{\n"a":1}'),
    ]


def test_lines_that_never_end_a_document_are_not_kept_without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose lines are all cut off is refused when they exceed the limit of a document."""
    monkeypatch.setattr("pipeline.cli.sources.MAX_WHOLE_BYTES", 100)
    with pytest.raises(UsageError, match="write one document on each line"):
        split(SEND + b"\n{oops" + b"\nmore" * 30)


def test_a_document_that_exceeds_the_memory_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other sources can still be read."""
    (tmp_path / "large").write_bytes(b"[\n" + SEND + b"]")

    def fail(_: object) -> NoReturn:
        raise MemoryError

    monkeypatch.setattr("pipeline.cli.sources.to_text", fail)
    with pytest.raises(UsageError, match=r"the memory is too small for .*large: write one document on each line"):
        read(tmp_path / "large")


def test_a_closed_standard_input_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Daemons start programs so."""
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="standard input is closed"):
        list(payloads("-", open_uri=no_uri))
    assert not can_ask()


def test_a_document_cut_short_is_one_payload() -> None:
    """Lines of a document that happen to be JSON by themselves do not make it NDJSON."""
    document = b'{"destination": [\n"a@example.com",\n"b@example.com"\n'
    assert split(document) == [(1, document.strip())]


@pytest.mark.parametrize("line", [b"[]", b"{}", b'{"a":1}'])
def test_lines_of_objects_and_lists_are_ndjson(line: bytes) -> None:
    """Empty ones are too."""
    assert split(line + b"\n\n" + line) == [(1, line), (3, line)]


def test_a_byte_order_mark_is_skipped() -> None:
    """A byte order mark at the start belongs to no payload."""
    assert split(b"\xef\xbb\xbf" + SEND) == [(1, SEND)]


def test_leading_blank_lines_count_in_line_numbers() -> None:
    """Line numbers are those of the file, also after leading blank lines."""
    assert split(b"\n\n" + SEND + b"\n" + SEND) == [(3, SEND), (4, SEND)]
    assert split(b"\n{oops\n" + SEND) == [(2, b"{oops"), (3, SEND)]


def test_gzip_is_recognized_by_content_not_by_name(tmp_path: Path) -> None:
    """A gzip file with several members is decompressed, whatever its name."""
    zipped = tmp_path / "events.ndjson"
    zipped.write_bytes(gzip.compress(SEND + b"\n") + gzip.compress(SEND))
    assert read(zipped) == [SEND, SEND]


def test_truncated_gzip_yields_its_start_and_names_the_file(tmp_path: Path) -> None:
    """Payloads before the end of truncated gzip are yielded, then an error names the file."""
    zipped = tmp_path / "events.gz"
    zipped.write_bytes(gzip.compress(SEND + b"\n" + SEND + b"\n")[:-4])
    remaining = payloads(str(zipped), open_uri=no_uri)
    assert [next(remaining).data, next(remaining).data] == [SEND, SEND]
    with pytest.raises(UsageError, match=r"cannot read .*events\.gz: "):
        next(remaining)


@pytest.mark.parametrize("damaged_byte", [3, 12, 30, -6, -2])
def test_damaged_gzip_names_the_file(tmp_path: Path, damaged_byte: int) -> None:
    """Damage in header, data, checksum or length leads to an error that names the file."""
    data = bytearray(gzip.compress(SEND * 100))
    data[damaged_byte] ^= 0xFF
    zipped = tmp_path / "events.gz"
    zipped.write_bytes(data)
    with pytest.raises(UsageError, match=r"cannot read .*events\.gz: "):
        read(zipped)


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    """A missing file is a usage error with the operating system's reason."""
    with pytest.raises(UsageError, match="No such file"):
        read(tmp_path / "nothing")


def test_a_named_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    """A named pipe, as a shell creates for <(zcat events.gz), is read like a file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    [source] = find_sources([str(pipe)], s3=no_s3)
    assert (source.name, source.content_id()) == (str(pipe), "")
    writer = threading.Thread(target=pipe.write_bytes, args=(SEND,))
    writer.start()
    assert read(pipe) == [SEND]
    writer.join(5)


def test_a_folder_is_all_files_below_it_sorted_by_name(tmp_path: Path) -> None:
    """A folder yields all files below it, sorted by path."""
    for name in ("b.json", "a/2.json", "a/10.json", "c/d/e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(SEND)
    expected = [str(tmp_path / name) for name in ("a/10.json", "a/2.json", "b.json", "c/d/e")]
    assert [source.name for source in find_sources([str(tmp_path)], s3=no_s3)] == expected


def test_a_pipe_in_a_folder_is_passed_over(tmp_path: Path) -> None:
    """Opening one would wait for a program that writes to it. Hadoop's markers are passed over too."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / "events").write_bytes(SEND)
    assert [source.name for source in find_sources([str(tmp_path)], s3=no_s3)] == [str(tmp_path / "events")]


@pytest.mark.parametrize("name", ["nothing", "empty", "x" * 5_000])
def test_a_missing_source_is_found_before_anything_is_read(tmp_path: Path, name: str) -> None:
    """A missing or empty source is an error before any other source is read."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "events").write_bytes(SEND)
    with pytest.raises(UsageError, match=r"cannot read|nothing to read"):
        find_sources([str(tmp_path / "events"), str(tmp_path / name)], s3=no_s3)


def test_a_dangling_link_is_not_skipped(tmp_path: Path) -> None:
    """A symbolic link without a target is reported, not skipped."""
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    [link] = find_sources([str(tmp_path)], s3=no_s3)
    with pytest.raises(UsageError, match="No such file"):
        read(Path(link.name))
