"""Payloads are found in files as people have them."""

import gzip
import io
import os
import threading
from pathlib import Path
from typing import NoReturn

import pytest

from pipeline.cli.sources import find_sources, payloads, split_payloads
from pipeline.errors import UsageError

SEND = b'{"eventType":"Send","mail":{"messageId":"m-1"}}'


def found(data: bytes) -> list[tuple[int, bytes]]:
    return [(payload.line, payload.data) for payload in split_payloads(io.BytesIO(data))]


def no_s3() -> NoReturn:
    pytest.fail("S3 was asked for, and no name is of S3")


def read(path: Path) -> list[bytes]:
    return [payload.data for payload in payloads(str(path), s3=no_s3)]


def test_a_document_spread_over_lines_is_one_payload() -> None:
    document = b'{\n "mail": {\n  "destination": [\n   "a@example.com"\n  ]\n }\n}'
    assert found(document) == [(1, document)]


def test_each_line_of_ndjson_is_a_payload_with_its_number() -> None:
    assert found(SEND + b"\n\n" + SEND + b"\r\n") == [(1, SEND), (3, SEND)]


def test_blank_lines_give_nothing() -> None:
    assert found(b"\n \n\t\n") == []
    assert found(b"") == []


def test_a_broken_line_does_not_hide_the_lines_after_it() -> None:
    assert found(b'{"eventType":\n' + SEND) == [(1, b'{"eventType":'), (2, SEND)]


def test_a_broken_line_after_good_ones_is_a_payload_of_its_own() -> None:
    assert found(SEND + b"\n{oops\n") == [(1, SEND), (2, b"{oops")]


def test_a_document_cut_short_is_one_payload() -> None:
    """Lines of a document that happen to be JSON by themselves do not make it NDJSON."""
    document = b'{"destination": [\n"a@example.com",\n"b@example.com"\n'
    assert found(document) == [(1, document.strip())]


@pytest.mark.parametrize("line", [b"[]", b"{}", b"1", b'"a"', b"null"])
def test_lines_that_are_json_are_ndjson_however_little_they_say(line: bytes) -> None:
    assert found(line + b"\n\n" + line) == [(1, line), (3, line)]


def test_a_byte_order_mark_is_passed_over() -> None:
    assert found(b"\xef\xbb\xbf" + SEND) == [(1, SEND)]


def test_lines_are_numbered_as_in_the_file_when_it_begins_with_blank_ones() -> None:
    assert found(b"\n\n" + SEND + b"\n" + SEND) == [(3, SEND), (4, SEND)]
    assert found(b"\n{oops\n" + SEND) == [(2, b"{oops"), (3, SEND)]


def test_gzip_is_read_as_what_is_in_it_whatever_its_name(tmp_path: Path) -> None:
    zipped = tmp_path / "events.ndjson"
    zipped.write_bytes(gzip.compress(SEND + b"\n") + gzip.compress(SEND))
    assert read(zipped) == [SEND, SEND]


def test_gzip_cut_short_gives_what_comes_before_and_says_which_file(tmp_path: Path) -> None:
    zipped = tmp_path / "events.gz"
    zipped.write_bytes(gzip.compress(SEND + b"\n" + SEND + b"\n")[:-4])
    found = payloads(str(zipped), s3=no_s3)
    assert [next(found).data, next(found).data] == [SEND, SEND]
    with pytest.raises(UsageError, match=r"cannot read .*events\.gz: "):
        next(found)


@pytest.mark.parametrize("damaged_byte", [3, 12, 30, -6, -2])
def test_damaged_gzip_says_which_file(tmp_path: Path, damaged_byte: int) -> None:
    data = bytearray(gzip.compress(SEND * 100))
    data[damaged_byte] ^= 0xFF
    zipped = tmp_path / "events.gz"
    zipped.write_bytes(data)
    with pytest.raises(UsageError, match=r"cannot read .*events\.gz: "):
        read(zipped)


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read(tmp_path / "nothing")


def test_a_pipe_is_a_file(tmp_path: Path) -> None:
    """As what a shell makes of <(zcat events.gz) is."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert find_sources([str(pipe)], s3=no_s3) == [str(pipe)]
    writer = threading.Thread(target=pipe.write_bytes, args=(SEND,))
    writer.start()
    assert read(pipe) == [SEND]
    writer.join(5)


def test_a_folder_is_all_files_in_it_and_in_its_folders_in_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.json", "a/2.json", "a/10.json", "c/d/e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(SEND)
    expected = [str(tmp_path / name) for name in ("a/10.json", "a/2.json", "b.json", "c/d/e")]
    assert find_sources([str(tmp_path)], s3=no_s3) == expected


@pytest.mark.parametrize("name", ["nothing", "empty", "x" * 5_000])
def test_a_name_that_names_nothing_is_refused_before_anything_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "events").write_bytes(SEND)
    with pytest.raises(UsageError, match=r"cannot read|nothing to read"):
        find_sources([str(tmp_path / "events"), str(tmp_path / name)], s3=no_s3)


def test_a_link_that_leads_nowhere_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    [link] = find_sources([str(tmp_path)], s3=no_s3)
    with pytest.raises(UsageError, match="No such file"):
        read(Path(link))
