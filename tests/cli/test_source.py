"""Payloads are found in files as people have them."""

import gzip
import io
from pathlib import Path

import pytest

from pipeline.cli.source import payloads, split
from pipeline.errors import Misuse

SEND = b'{"eventType":"Send","mail":{"messageId":"m-1"}}'


def found(data: bytes) -> list[tuple[int, bytes]]:
    return [(payload.line, payload.data) for payload in split(io.BytesIO(data))]


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


def test_a_byte_order_mark_is_passed_over() -> None:
    assert found(b"\xef\xbb\xbf" + SEND) == [(1, SEND)]


def test_lines_are_numbered_as_in_the_file_when_it_begins_with_blank_ones() -> None:
    assert found(b"\n\n" + SEND + b"\n" + SEND) == [(3, SEND), (4, SEND)]
    assert found(b"\n{oops\n" + SEND) == [(2, b"{oops"), (3, SEND)]


def test_gzip_is_read_as_what_is_in_it(tmp_path: Path) -> None:
    zipped = tmp_path / "events.ndjson.gz"
    zipped.write_bytes(gzip.compress(SEND + b"\n" + SEND))
    assert [payload.data for payload in payloads(str(zipped))] == [SEND, SEND]


def test_gzip_cut_short_says_which_file(tmp_path: Path) -> None:
    zipped = tmp_path / "events.gz"
    zipped.write_bytes(gzip.compress(SEND * 100)[:-9])
    with pytest.raises(Misuse, match=r"events\.gz"):
        list(payloads(str(zipped)))


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="No such file"):
        list(payloads(str(tmp_path / "nothing")))
