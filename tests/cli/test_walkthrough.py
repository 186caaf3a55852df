"""Sending, lookup, SQL and replay agree on the same mail."""

import json
import re
from typing import Any
from uuid import uuid4

import pytest

from tests.support.cloud_process import CloudProcess
from tests.support.command import json_lines, run, run_failing, run_ok

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


class SentMail:
    """A mail to recipients of all kinds, whose addresses no other test uses."""

    def __init__(self, cloud: CloudProcess) -> None:
        label = uuid4().hex[:8]
        self.bounced = f"bounce+{label}@example.com"
        self.complained = f"complaint+{label}@example.com"
        self.delivered = f"success+{label}@example.com"
        self.out_of_office = f"ooto+{label}@example.com"
        self.listed = f"suppressionlist+{label}@example.com"
        self.simulated = f"bounce+{label}@simulator.amazonses.com"
        self.stranger = f"stranger+{label}@example.com"
        self.recipients = (
            self.bounced,
            self.complained,
            self.delivered,
            self.out_of_office,
            self.listed,
            self.simulated,
        )
        [sent] = json_lines(
            "send", "--to", ",".join(self.recipients), "--subject", label, "--tag", f"label={label}", "--json"
        )
        self.message_id = sent["message_id"]
        cloud.settle()

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Return the result of SQL in which MAIL is replaced by this mail's id."""
        return json_lines("query", sql.replace("MAIL", f"'{self.message_id}'"), "--json")


@pytest.fixture(scope="module")
def sent(cloud_process: CloudProcess) -> SentMail:
    with pytest.MonkeyPatch.context() as environment:
        cloud_process.show(environment)
        return SentMail(cloud_process)


@pytest.fixture
def mail(sent: SentMail, cloud: CloudProcess) -> SentMail:
    """A mail that was sent, in the shared cloud."""
    return sent


def looked_up(*addresses: str) -> list[dict[str, Any]]:
    return json_lines("lookup", "--json", *addresses)


def test_a_bounce_suppresses_with_reason_time_and_evidence(mail: SentMail) -> None:
    """A lookup after a hard bounce shows reason, time and the evidence with its message."""
    [answer] = looked_up(mail.bounced)
    [evidence] = answer["facts"]
    assert (answer["requested"], answer["address"], answer["suppressed"]) == (mail.bounced, mail.bounced, True)
    assert (answer["reason"], answer["until"], answer["certain"]) == ("hard", None, True)
    assert re.fullmatch(TIME, answer["since"])
    assert (evidence["fact"], evidence["at"], evidence["message_id"]) == ("hard", answer["since"], mail.message_id)
    assert (evidence["sub_type"], evidence["status"], evidence["spelling"]) == ("General", "5.1.1", mail.bounced)


def test_a_complaint_suppresses_and_a_delivery_does_not(mail: SentMail) -> None:
    """A complaint suppresses. A delivery, an automatic reply and an unknown address do not."""
    answers = looked_up(mail.complained, mail.delivered, mail.stranger, mail.out_of_office)
    assert [answer["suppressed"] for answer in answers] == [True, False, False, False]
    assert answers[0]["reason"] == "complaint"
    assert answers[1]["facts"] == answers[2]["facts"] == []


def test_an_address_on_ses_global_list_is_suppressed_for_a_while(mail: SentMail) -> None:
    """SES's list forgets an address after 14 days, and essential mail may be tried before."""
    [answer] = looked_up(mail.listed)
    [reason] = answer["reasons"]
    assert (answer["suppressed"], reason["reason"], reason["exempt"]) == (True, "listed", ["essential"])
    assert answer["until"] > answer["since"]
    assert [fact["fact"] for fact in answer["facts"]] == ["listed"]


def test_a_simulator_address_is_never_suppressed(mail: SentMail) -> None:
    """An address of the mailbox simulator is not suppressed, despite its evidence."""
    [answer] = looked_up(mail.simulated)
    assert answer["suppressed"] is False
    assert [fact["fact"] for fact in answer["facts"]] == ["hard"]


def test_a_lookup_prints_the_same_as_text(mail: SentMail) -> None:
    """The text for people shows verdict, fact, event and diagnostic."""
    first, fact, event, diagnostic, last = run_ok("lookup", mail.bounced, mail.delivered).splitlines()
    assert re.fullmatch(rf"{re.escape(mail.bounced)}: suppressed \(hard\) since {TIME}, permanent", first)
    assert re.fullmatch(rf"  hard +{TIME}  General 5\.1\.1", fact)
    assert re.fullmatch(r"    event [0-9a-f]{32}", event)
    assert diagnostic.startswith("    smtp; 550")
    assert last == f"{mail.delivered}: clear"


def test_any_spelling_finds_the_address(mail: SentMail) -> None:
    """Case, display name and spaces make no difference to a lookup."""
    spellings = (mail.bounced.upper(), f"Ann <{mail.bounced}>", f"  {mail.bounced} ")
    for spelling, answer in zip(spellings, looked_up(*spellings), strict=True):
        assert (answer["requested"], answer["address"], answer["suppressed"]) == (spelling, mail.bounced, True)


def test_a_long_list_of_addresses_keeps_its_order(mail: SentMail) -> None:
    """A list of thousands of addresses on standard input is answered in order."""
    requested = [*(f"{number}@example.net" for number in range(2_500)), mail.bounced]
    answers = json_lines("lookup", "--json", "-", stdin="\r\n".join(requested) + "\n\n")
    assert [answer["requested"] for answer in answers] == requested
    assert [answer["requested"] for answer in answers if answer["suppressed"]] == [mail.bounced]


@pytest.mark.parametrize("stdin", [b"", b"\n \n"])
def test_no_address_yields_no_line(cloud: CloudProcess, stdin: bytes) -> None:
    """Blank standard input yields no line."""
    assert run_ok("lookup", "-", stdin=stdin) == ""


def test_invalid_addresses_are_counted_after_all_results(mail: SentMail) -> None:
    """Invalid addresses get a line each, and exit code 1 after all results are printed."""
    result = run("lookup", "no-address", mail.bounced, "@", stdin=b"")
    assert result.exit_code == 1
    assert [line for line in result.stdout.splitlines() if line.endswith("not one e-mail address")] == [
        "no-address: not one e-mail address",
        "@: not one e-mail address",
    ]
    assert f"{mail.bounced}: suppressed (hard)" in result.stdout
    assert result.stderr.startswith("mailfold: 2 arguments that are not one e-mail address")


@pytest.mark.parametrize("stdin", [b"\xff\xfe\n", b"caf\xe9\n", b"\x1b[31m\n"])
def test_invalid_utf8_is_no_address(cloud: CloudProcess, stdin: bytes) -> None:
    """An argument or a line that is not UTF-8 is reported as no address."""
    result = run("lookup", "--json", "-", stdin=stdin)
    assert json.loads(result.stdout)["address"] is None
    assert result.exit_code == 1
    assert json.loads(run("lookup", "--json", "caf\udce9").stdout)["requested"] == "caf\\udce9"


def test_the_log_holds_every_event_of_the_mail(mail: SentMail) -> None:
    """The log has every event of the mail, by type."""
    rows = mail.query("SELECT event_type, count(*) AS n FROM events WHERE message_id = MAIL GROUP BY 1")
    assert {row["event_type"]: row["n"] for row in rows} == {"send": 1, "delivery": 3, "bounce": 3, "complaint": 1}


def test_sql_and_lookups_show_the_same_facts(mail: SentMail) -> None:
    """The view `suppression_facts` and lookups show the same facts."""
    rows = mail.query("SELECT address, fact FROM suppression_facts WHERE message_id = MAIL")
    by_sql = {(row["address"], row["fact"]) for row in rows}
    by_lookup = {
        (result["address"], item["fact"]) for result in looked_up(*mail.recipients) for item in result["facts"]
    }
    assert by_sql == by_lookup
    assert (mail.bounced, "hard") in by_sql


def test_tags_and_subject_are_in_the_log(mail: SentMail) -> None:
    """The log has the subject and the tags of the mail."""
    [row] = mail.query(
        "SELECT subject, tags['label'][1] AS label FROM events WHERE message_id = MAIL AND event_type = 'send'"
    )
    assert row["subject"] == row["label"]


@pytest.fixture
def new_table() -> str:
    return f"rebuilt-{uuid4().hex}"


def test_a_replay_into_a_new_table_yields_the_same_table(mail: SentMail, new_table: str) -> None:
    """A replay into a new table has the live table's digest, and a second replay changes nothing."""
    [live] = json_lines("replay", "--json")
    [first] = json_lines("replay", "--into", new_table, "--json")
    [second] = json_lines("replay", "--into", new_table, "--json")
    assert live["digest"] == first["digest"] == second["digest"]
    assert first["rows"] == second["rows"] >= 8
    assert (live["written"], first["unchanged"], second["written"]) == (0, 0, 0)
    assert first["written"] == second["unchanged"] == live["unchanged"] >= 4


def test_a_replay_prints_the_same_as_text(mail: SentMail, new_table: str) -> None:
    """The text for people shows the counts and the digest of the JSON."""
    [json_result] = json_lines("replay", "--into", new_table, "--json")
    line, digest = run_ok("replay", "--into", new_table).splitlines()
    assert re.fullmatch(r"[\d,]+ rows of the log, [\d,]+ facts: 0 items written, [\d,]+ unchanged", line)
    assert digest == f"digest {json_result['digest']}"


@pytest.mark.parametrize(
    ("options", "is_all"),
    [
        (["--since", "2020-01-01T10:00:00Z", "--until", "2100-01-01T10:00:00+02:00"], True),
        (["--until", "2020-01-01 10:00"], False),
        (["--since", "2100-01-01"], False),
        (["--since", "0001-01-01", "--until", "9999-12-31T23:59:59.999999"], True),
    ],
)
def test_a_replay_reads_only_the_given_time_span(mail: SentMail, options: list[str], *, is_all: bool) -> None:
    """A replay reads what arrived between --since and --until."""
    [result] = json_lines("replay", "--json", *options)
    assert (result["rows"] >= len(mail.recipients)) is is_all
    assert (result["rows"] == 0) is not is_all


def test_cc_and_bcc_get_the_mail_too(cloud: CloudProcess) -> None:
    """Bounces of --cc and --bcc recipients suppress them too."""
    label = uuid4().hex[:8]
    to, cc, bcc = (f"bounce+{label}{number}@example.com" for number in range(3))
    run_ok("send", "--to", f"Ann <{to}>", "--cc", cc, "--bcc", bcc)
    cloud.settle()
    assert [answer["suppressed"] for answer in looked_up(to, cc, bcc)] == [True, True, True]


def test_send_prints_the_message_id(cloud: CloudProcess) -> None:
    """The text for people, and the JSON, have the message id."""
    result = run("send", "--to", "success@example.com")
    assert re.fullmatch(r"sent: message \S+\n", result.stdout)
    [sent] = json_lines("send", "--to", "success@example.com", "--json")
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
    """Without a cloud, every command says how to start or name one."""
    sentence = run_failing(*command)
    assert sentence.startswith("no local cloud is running: start one with `mailfold up`")
    assert "@" not in sentence
