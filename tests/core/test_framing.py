"""Tests of `pipeline.framing` through `decode`: every document in a payload is a record, however they are framed."""

import gzip
import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decode import decode
from pipeline.document import MAX_NESTING
from pipeline.event import Event, Poison
from pipeline.framing import MAX_DECOMPRESSED_BYTES, decompress, split_documents
from pipeline.timestamp import format_time
from tests.support.builders import a_bounce, a_complaint, a_send, base64, dumped, in_eventbridge, in_kinesis, in_sns

RECORDS = [a_bounce(feedback_id="f1"), a_complaint(feedback_id="f2"), a_send()]
PRETTY = json.dumps(json.loads(RECORDS[0]), indent=2).encode()


def kinds(payload: bytes) -> list[str]:
    """Return the kind of each event, and the name of any other outcome."""
    return [str(outcome.kind) if isinstance(outcome, Event) else type(outcome).__name__ for outcome in decode(payload)]


@given(
    st.lists(st.sampled_from([*RECORDS, PRETTY, in_eventbridge(RECORDS[1]), in_sns(RECORDS[0])]), min_size=2), st.data()
)
def test_documents_one_after_the_other_are_all_records(documents: list[bytes], data: st.DataObject) -> None:
    """There may be nothing between them, spaces, line breaks, or other separators."""
    separators = st.sampled_from([b"", b" ", b"\n", b"\r\n", b"\n\n  ", b"\t", b",", b"\x1e", b"\xef\xbb\xbf"])
    payload = b"".join(document + data.draw(separators) for document in documents)
    alone = [outcome.id for document in documents for outcome in decode(document) if isinstance(outcome, Event)]
    assert alone == [outcome.id for outcome in decode(payload) if isinstance(outcome, Event)]
    assert len(alone) == len(documents)


@pytest.mark.parametrize("separator", [b"", b"\n"], ids=["nothing", "line break"])
@pytest.mark.parametrize("cut", [5, 60, 200])
def test_a_document_that_is_cut_off_hides_no_other(separator: bytes, cut: int) -> None:
    """It is poison with its own bytes, wherever it is cut off."""
    broken = RECORDS[1][:cut]
    outcomes = decode(separator.join([RECORDS[0], broken, RECORDS[2]]))
    assert [type(outcome) for outcome in outcomes] == [Event, Poison, Event]
    assert outcomes[1].raw == broken
    assert kinds(separator.join([RECORDS[0], RECORDS[2], broken])) == ["bounce", "send", "Poison"]


def test_times_before_the_documents_are_no_part_of_them() -> None:
    """CloudWatch Logs exports a line as its time, a space and the message."""
    lines = [format_time(datetime(2026, 3, 1, tzinfo=UTC)).encode() + b" " + record for record in RECORDS]
    assert kinds(b"\n".join(lines)) == ["bounce", "complaint", "send"]
    assert kinds(lines[0]) == ["bounce"]


@pytest.mark.parametrize("wrap", [bytes, in_kinesis, lambda data: dumped({"awslogs": {"data": base64(data)}})])
def test_gzip_is_read_at_every_layer(wrap: Callable[[bytes], bytes]) -> None:
    """Several members may follow one another without anything between."""
    assert kinds(wrap(b"".join(map(gzip.compress, RECORDS)))) == ["bounce", "complaint", "send"]


def test_damaged_gzip_loses_nothing_before_the_damage() -> None:
    """What can be decompressed is read, and the bytes are poison beside it."""
    whole = gzip.compress(RECORDS[0])
    cut_off = gzip.compress(RECORDS[2])[:-20]
    assert kinds(whole + cut_off)[0] == "bounce"
    assert isinstance(decode(whole + cut_off)[-1], Poison)
    assert kinds(whole + gzip.compress(RECORDS[2])[:20] + bytes(40)) == ["bounce", "Poison"]
    assert kinds(gzip.compress(b"")) == ["Poison"]
    assert kinds(whole + b"garbage") == ["bounce", "Poison"]


def test_gzip_that_cannot_be_decompressed_is_poison() -> None:
    """The first block is of no type that exists."""
    data = bytearray(gzip.compress(a_bounce()))
    data[10] |= 0b110
    [poison] = decode(bytes(data))
    assert isinstance(poison, Poison)
    assert poison.why == "damaged gzip"


def test_a_gzip_bomb_is_not_decompressed() -> None:
    """Its content is bounded, and the bytes that are poison are those that arrived."""
    bomb = gzip.compress(bytes(1_000_000))
    assert "more than 1000 bytes" in decompress(bomb, limit_bytes=1_000).problem
    assert decompress(bomb, limit_bytes=1_000_000).problem == ""
    assert MAX_DECOMPRESSED_BYTES <= 2**24  # a Lambda has 512 MB


def test_gzip_inside_gzip_is_read_four_deep() -> None:
    """The content of each is in memory together with that of the others."""
    payload = RECORDS[0]
    outcomes = []
    for _ in range(5):
        payload = gzip.compress(payload)
        outcomes += kinds(payload)
    assert outcomes == [*["bounce"] * 4, "Poison"]


def test_decompressing_many_members_takes_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each member is given a few kilobytes, and not all that follows: a megabyte of empty ones took minutes."""
    sizes: list[int] = []
    decompressobj = zlib.decompressobj

    class Recorder:
        """Zlib's object, with the size of what it is given."""

        def __init__(self, window_bits: int) -> None:
            self._member = decompressobj(window_bits)

        def decompress(self, data: bytes, limit_bytes: int) -> bytes:
            sizes.append(len(data))
            return self._member.decompress(data, limit_bytes)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._member, name)

    monkeypatch.setattr("pipeline.framing.zlib.decompressobj", Recorder)
    assert decompress(gzip.compress(b"") * 2_000 + gzip.compress(RECORDS[0])).data == RECORDS[0]
    assert len(sizes) == 2_001
    assert max(sizes) <= 4_096


def test_splitting_skips_separators_in_one_pass() -> None:
    """As many of them as a gzip bomb has are read at the speed of a pattern."""
    assert split_documents(b"\x00 ,\n" * 4_000_000 + RECORDS[0])[0].data == RECORDS[0]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_text_in_utf_16_is_read(encoding: str) -> None:
    """PowerShell writes it, with a byte order mark or without."""
    text = b"\n".join(RECORDS).decode().replace("news", "Übersicht")
    assert kinds(text.encode(encoding)) == ["bounce", "complaint", "send"]


def nested(levels: int) -> bytes:
    """Return a record with objects and lists inside each other."""
    inner = b'{"a":[' * (levels // 2 - 1) + b"]}" * (levels // 2 - 1)
    return RECORDS[2][:-1] + b',"x":[' + inner + b"]}"


@pytest.mark.parametrize("frames", [0, 300, 600])
def test_the_bound_on_nesting_does_not_depend_on_the_caller(frames: int) -> None:
    """It is counted, and far below the limit of any stack."""

    def call(remaining: int) -> list[str]:
        return call(remaining - 1) if remaining else [*kinds(nested(MAX_NESTING)), *kinds(nested(MAX_NESTING + 2))]

    assert call(frames) == ["send", "Poison"]
    [outcome] = decode(nested(1_200))
    assert isinstance(outcome, Poison)
    assert outcome.why == "nested too deep"


def test_at_most_32_envelopes_are_unwrapped() -> None:
    """Real payloads have three at most."""
    wrapped = [b'{"Message":' * count + RECORDS[2] + b"}" * count for count in (32, 33)]
    assert [kinds(payload) for payload in wrapped] == [["send"], ["Poison"]]


def test_a_document_nested_too_deep_hides_no_other() -> None:
    """This holds for one that no parser can read, too."""
    for deep in (nested(MAX_NESTING + 2), nested(3_000)):
        assert kinds(RECORDS[0] + deep + RECORDS[2]) == ["bounce", "Poison", "send"]
        assert kinds(b"\n".join([RECORDS[0], deep, RECORDS[2]])) == ["bounce", "Poison", "send"]


def test_parts_know_the_line_that_they_begin_on() -> None:
    """A report can name the line of a broken record."""
    parts = split_documents(b"{}\n\n{oops\n" + PRETTY + b"{}")
    lines = 1 + PRETTY.count(b"\n") + 3
    assert [(part.line, part.is_document) for part in parts] == [(1, True), (3, False), (4, True), (lines, True)]


def test_splitting_takes_linear_time() -> None:
    """Twenty thousand documents without a delimiter are one pass, also if each is cut off."""
    assert len(split_documents(RECORDS[2] * 20_000)) == 20_000
    assert len(split_documents(RECORDS[2][:-1] * 2_000)) == 2_000
