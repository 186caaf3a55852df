"""What was sent, looked up, asked in SQL and replayed is one story."""

import json
import re
from typing import Any
from uuid import uuid4

import pytest

from tests.support.cloud_process import CloudProcess
from tests.support.command import good, refused, run, told

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


class Story:
    """Who was written to, each with a label of this test's own."""

    def __init__(self, cloud: CloudProcess) -> None:
        label = uuid4().hex[:8]
        self.bounced = f"bounce+{label}@example.com"
        self.complained = f"complaint+{label}@example.com"
        self.taken = f"success+{label}@example.com"
        self.away = f"ooto+{label}@example.com"
        self.listed = f"suppressionlist+{label}@example.com"
        self.simulated = f"bounce+{label}@simulator.amazonses.com"
        self.stranger = f"stranger+{label}@example.com"
        self.everybody = (self.bounced, self.complained, self.taken, self.away, self.listed, self.simulated)
        [sent] = told("send", "--to", ",".join(self.everybody), "--subject", label, "--tag", f"label={label}", "--json")
        self.message_id = sent["message_id"]
        cloud.settle()

    def asked(self, sql: str) -> list[dict[str, Any]]:
        """Return the answer to SQL in which MAIL stands for this mail's id."""
        return told("query", sql.replace("MAIL", f"'{self.message_id}'"), "--json")


@pytest.fixture(scope="module")
def sent(cloud_process: CloudProcess) -> Story:
    with pytest.MonkeyPatch.context() as environment:
        cloud_process.show(environment)
        return Story(cloud_process)


@pytest.fixture
def story(sent: Story, cloud: CloudProcess) -> Story:
    """A mail that was sent, with the cloud in which it was."""
    return sent


def looked_up(*addresses: str) -> list[dict[str, Any]]:
    return told("lookup", "--json", *addresses)


def test_a_bounce_suppresses_with_reason_time_and_evidence(story: Story) -> None:
    [answer] = looked_up(story.bounced)
    [evidence] = answer["evidence"]
    assert (answer["asked"], answer["address"], answer["suppressed"]) == (story.bounced, story.bounced, True)
    assert (answer["reason"], answer["until"], answer["certain"]) == ("hard", None, True)
    assert re.fullmatch(TIME, answer["since"])
    assert (evidence["fact"], evidence["at"], evidence["message_id"]) == ("hard", answer["since"], story.message_id)
    assert (evidence["sub_type"], evidence["status"], evidence["spelling"]) == ("General", "5.1.1", story.bounced)


def test_a_complaint_suppresses_and_what_was_taken_or_never_sent_does_not(story: Story) -> None:
    answers = looked_up(story.complained, story.taken, story.stranger, story.away)
    assert [answer["suppressed"] for answer in answers] == [True, False, False, False]
    assert answers[0]["reason"] == "complaint"
    assert answers[1]["evidence"] == answers[2]["evidence"] == []


def test_what_only_a_list_of_ses_says_is_known_and_suppresses_nobody(story: Story) -> None:
    [answer] = looked_up(story.listed)
    assert answer["suppressed"] is False
    assert [evidence["fact"] for evidence in answer["evidence"]] == ["echo"]


def test_an_address_of_the_simulator_is_never_suppressed_whatever_is_known_of_it(story: Story) -> None:
    [answer] = looked_up(story.simulated)
    assert answer["suppressed"] is False
    assert [evidence["fact"] for evidence in answer["evidence"]] == ["hard"]


def test_people_read_the_same_in_words(story: Story) -> None:
    first, fact, event, diagnostic, last = good("lookup", story.bounced, story.taken).splitlines()
    assert re.fullmatch(rf"{re.escape(story.bounced)}: suppressed \(hard\) since {TIME}, for good", first)
    assert re.fullmatch(rf"  hard +{TIME}  General 5\.1\.1", fact)
    assert re.fullmatch(r"    event [0-9a-f]{32}", event)
    assert diagnostic.startswith("    smtp; 550")
    assert last == f"{story.taken}: clear"


def test_any_spelling_of_an_address_is_that_address(story: Story) -> None:
    spellings = (story.bounced.upper(), f"Ann <{story.bounced}>", f"  {story.bounced} ")
    for spelling, answer in zip(spellings, looked_up(*spellings), strict=True):
        assert (answer["asked"], answer["address"], answer["suppressed"]) == (spelling, story.bounced, True)


def test_a_long_list_of_addresses_is_answered_line_by_line_in_order(story: Story) -> None:
    asked = [*(f"{number}@example.net" for number in range(2_500)), story.bounced]
    answers = told("lookup", "--json", "-", given="\r\n".join(asked) + "\n\n")
    assert [answer["asked"] for answer in answers] == asked
    assert [answer["asked"] for answer in answers if answer["suppressed"]] == [story.bounced]


@pytest.mark.parametrize("given", [b"", b"\n \n"])
def test_no_address_no_answer(cloud: CloudProcess, given: bytes) -> None:
    assert good("lookup", "-", given=given) == ""


def test_what_is_no_address_is_said_after_the_others_are_answered(story: Story) -> None:
    result = run("lookup", "nobody", story.bounced, "@", given=b"")
    assert result.exit_code == 2
    assert [line for line in result.stdout.splitlines() if line.endswith("no e-mail address")] == [
        "nobody: no e-mail address",
        "@: no e-mail address",
    ]
    assert f"{story.bounced}: suppressed (hard)" in result.stdout
    assert result.stderr == "mailfold: 2 are no e-mail addresses\n"


@pytest.mark.parametrize("given", [b"\xff\xfe\n", b"caf\xe9\n", b"\x1b[31m\n"])
def test_bytes_that_are_no_text_are_no_address(cloud: CloudProcess, given: bytes) -> None:
    result = run("lookup", "--json", "-", given=given)
    assert json.loads(result.stdout)["address"] is None
    assert result.exit_code == 2
    assert json.loads(run("lookup", "--json", "caf\udce9").stdout)["asked"] == "caf\\udce9"


def test_the_log_holds_every_event_of_the_mail(story: Story) -> None:
    rows = story.asked("SELECT event_type, count(*) AS n FROM events WHERE message_id = MAIL GROUP BY 1")
    assert {row["event_type"]: row["n"] for row in rows} == {"send": 1, "delivery": 3, "bounce": 3, "complaint": 1}


def test_sql_finds_the_facts_that_look_ups_show(story: Story) -> None:
    rows = story.asked("SELECT address, fact FROM suppression_facts WHERE message_id = MAIL")
    by_sql = {(row["address"], row["fact"]) for row in rows}
    by_lookup = {(one["address"], item["fact"]) for one in looked_up(*story.everybody) for item in one["evidence"]}
    assert by_sql == by_lookup
    assert (story.bounced, "hard") in by_sql


def test_tags_and_subject_are_in_the_log(story: Story) -> None:
    [row] = story.asked(
        "SELECT subject, tags['label'][1] AS label FROM events WHERE message_id = MAIL AND event_type = 'send'"
    )
    assert row["subject"] == row["label"]


@pytest.fixture
def new_table() -> str:
    return f"rebuilt-{uuid4().hex}"


def test_a_replay_into_a_new_table_makes_the_same_table_and_again_changes_nothing(story: Story, new_table: str) -> None:
    [live] = told("replay", "--json")
    [first] = told("replay", "--into", new_table, "--json")
    [second] = told("replay", "--into", new_table, "--json")
    assert live["digest"] == first["digest"] == second["digest"]
    assert first["rows"] == second["rows"] >= 8
    assert (live["written"], first["unchanged"], second["written"]) == (0, 0, 0)
    assert first["written"] == second["unchanged"] == live["unchanged"] >= 4


def test_a_replay_says_so_in_words(story: Story, new_table: str) -> None:
    [told_in_json] = told("replay", "--into", new_table, "--json")
    line, digest = good("replay", "--into", new_table).splitlines()
    assert re.fullmatch(r"[\d,]+ rows of the log, [\d,]+ facts: 0 items written, [\d,]+ unchanged", line)
    assert digest == f"digest {told_in_json['digest']}"


@pytest.mark.parametrize(
    ("options", "is_all"),
    [
        (["--since", "2020-01-01T10:00:00Z", "--until", "2100-01-01T10:00:00+02:00"], True),
        (["--until", "2020-01-01 10:00"], False),
        (["--since", "2100-01-01"], False),
        (["--since", "0001-01-01", "--until", "9999-12-31T23:59:59.999999"], True),
    ],
)
def test_a_replay_takes_what_arrived_in_between(story: Story, options: list[str], *, is_all: bool) -> None:
    [done] = told("replay", "--json", *options)
    assert (done["rows"] >= len(story.everybody)) is is_all
    assert (done["rows"] == 0) is not is_all


@pytest.mark.parametrize("option", ["--since", "--until"])
@pytest.mark.parametrize("wrong", ["", "yesterday", "2026-13-01", "2026-03-01T25:00", "1772323200", "\x1b[31m"])
def test_what_is_no_date_and_no_time_is_refused(cloud: CloudProcess, option: str, wrong: str) -> None:
    assert refused("replay", option, wrong).startswith("not a date or a time: ")


@pytest.mark.parametrize("extreme", ["0001-01-01T00:00+05:00", "9999-12-31T23:59-05:00"])
def test_a_time_outside_the_calendar_is_refused(cloud: CloudProcess, extreme: str) -> None:
    assert refused("replay", "--since", extreme).startswith("not a date or a time: ")


def test_a_time_span_that_holds_nothing_is_refused(cloud: CloudProcess) -> None:
    for until in ("2026-02-28", "2026-03-01"):
        sentence = refused("replay", "--since", "2026-03-01", "--until", until)
        assert "--since" in sentence
        assert "--until" in sentence


@pytest.mark.parametrize("name", ["", "a b", "x" * 256])
def test_a_name_that_no_table_can_have_is_refused(cloud: CloudProcess, name: str) -> None:
    assert "no name for a table" in refused("replay", "--into", name)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--to", "nobody"], "no e-mail address"),
        (["--to", ""], "recipient"),
        (["--to", "ann@example.com", "--cc", "nobody"], "no e-mail address"),
        (["--to", "ann@example.com", "--tag", "campaign"], "not a tag: 'campaign'"),
        (["--to", "ann@example.com", "--tag", "=x"], "not a tag"),
        (["--to", "ann@example.com", "--from", "nobody"], "sender"),
        (["--to", ",".join(f"{number}@example.com" for number in range(51))], "AWS rejects sending the e-mail"),
    ],
)
def test_a_mail_that_cannot_be_sent_is_refused(cloud: CloudProcess, options: list[str], reason: str) -> None:
    sentence = refused("send", *options)
    assert reason in sentence
    assert "@example.com" not in sentence


def test_cc_and_bcc_are_sent_to_as_well(cloud: CloudProcess) -> None:
    label = uuid4().hex[:8]
    to, cc, bcc = (f"bounce+{label}{number}@example.com" for number in range(3))
    good("send", "--to", f"Ann <{to}>", "--cc", cc, "--bcc", bcc)
    cloud.settle()
    assert [answer["suppressed"] for answer in looked_up(to, cc, bcc)] == [True, True, True]


def test_a_send_is_told_in_words_and_the_id_alone_in_json(cloud: CloudProcess) -> None:
    result = run("send", "--to", "success@example.com")
    assert re.fullmatch(r"sent: message \S+\n", result.stdout)
    [sent] = told("send", "--to", "success@example.com", "--json")
    assert list(sent) == ["message_id"]


@pytest.mark.parametrize(
    "command",
    [
        ["send", "--to", "ann@example.com"],
        ["lookup", "ann@example.com"],
        ["query", "SELECT 1"],
        ["replay"],
        ["ingest", __file__],
        ["decode", "s3://bucket/"],
    ],
    ids=lambda command: command[0],
)
def test_without_a_cloud_every_command_says_how_to_start_one(command: list[str]) -> None:
    sentence = refused(*command)
    assert sentence.startswith("no local cloud is running: start one with `mailfold up`")
    assert "@" not in sentence
