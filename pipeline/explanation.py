"""The parts of an explanation: the verdict on an address, the rules behind it, and everything that happened, in order.

Pure types. `Explanation` is the JSON that `mailfold explain --json` prints; schemas/explanation.json is its schema.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from pipeline.account_list import ListEntry
from pipeline.address import Address
from pipeline.explained_fact import FactState
from pipeline.logged_event import LoggedEvent
from pipeline.policy import Policy
from pipeline.standing import EVERY_SCOPE, FactKind, Key
from pipeline.verdict import Reason


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked.

    Attributes:
        requested: The address as written.
        address: Its canonical form.
        scope: The sender's scope; `*` counts in any case.
        moment: The time to answer for, aware.
        is_as_of: Answer from what had arrived in the log by `moment`, and not from the table.
        policy: The policy.
        pseudonym: Where facts about the person lie after an erasure; None if no one was ever erased.
    """

    requested: str
    address: Address
    scope: str = EVERY_SCOPE
    moment: datetime
    is_as_of: bool = False
    policy: Policy
    pseudonym: Address | None = None

    @property
    def forms(self) -> list[Address]:
        """The addresses under which facts may lie."""
        return [self.address, self.pseudonym] if self.pseudonym else [self.address]

    @property
    def keys(self) -> list[Key]:
        """The keys that count."""
        return [Key(form, scope) for scope in dict.fromkeys((EVERY_SCOPE, self.scope)) for form in self.forms]


class LogAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the event log says about an address.

    Attributes:
        events: Its events; copies of one event are allowed.
        problem: Why the log was not read; "" if it was.
        is_whole: False if only some of its days were read.
        scanned_bytes: Bytes that the query read.
    """

    events: Sequence[LoggedEvent] = ()
    problem: str = ""
    is_whole: bool = True
    scanned_bytes: int = 0


class ListAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What one of SES's own suppression lists says about an address.

    Attributes:
        scope: The tenant whose own list it is; `*` for the account's.
        entries: Its entries for the address, one for each spelling that it has.
        problem: Why SES did not answer; "" if it did.
    """

    scope: str = EVERY_SCOPE
    entries: tuple[ListEntry, ...] = ()
    problem: str = ""


class ExplainedReason(msgspec.Struct, frozen=True, kw_only=True):
    """A reason of the verdict.

    Attributes:
        reason: Its name.
        scope: The scope in which it holds; `*` for all mail.
        since: Time of the oldest evidence that nothing lifts; null if unknown.
        until: When it ends or ended; null if it is permanent.
        is_over: True if it has ended.
        certain: False if it may be about another address.
        exempt: The purposes whose mail may be sent in spite of it.
        text: The rule, for people.
    """

    reason: Reason
    scope: str
    since: datetime | None
    until: datetime | None
    is_over: bool
    certain: bool
    exempt: tuple[str, ...]
    text: str


class ExplainedFact(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that an event is about the address.

    Attributes:
        fact: Its kind.
        scope: Its scope; `*` for all mail.
        at: The time from which it counts; null if unknown.
        state: What it does to the verdict.
        until: When the suppression ends or ended; null if it is permanent or there is none.
        exempt: The purposes whose mail may be sent in spite of it.
        lifted_by: The event that lifts it; null if none does.
        text: What it does, for people.
    """

    fact: FactKind
    scope: str
    at: datetime | None
    state: FactState
    until: datetime | None
    exempt: tuple[str, ...]
    lifted_by: str | None
    text: str


class ExplainedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event or a decision about the address. Texts of strangers are as they wrote them.

    Attributes:
        event_id: Its id.
        kind: What happened, as in the column event_type of the log; `evidence` or empty if only a table's fact
            describes it.
        at: When it happened; null if unreadable.
        arrived_at: When the log first received it; null if the log does not have it, or was not read.
        message_id: SES's id of the mail.
        subject: The mail's subject.
        sender: The mail's sender.
        sub_type: SES's type and sub-type.
        status: The enhanced status code that the remote server reports.
        diagnostic: The remote server's or SES's own words.
        decided_by: Of a decision: who decided.
        because: Of a decision: why.
        batch: Of a decision: the request that made it together with others.
        facts: Its facts about the address.
        text: What happened, for people.
    """

    event_id: str
    kind: str
    at: datetime | None
    arrived_at: datetime | None
    message_id: str
    subject: str
    sender: str
    sub_type: str
    status: str
    diagnostic: str
    decided_by: str
    because: str
    batch: str
    facts: tuple[ExplainedFact, ...]
    text: str


class FactDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that only the log or only the table has.

    Attributes:
        only_in: `log` or `table`.
        fact: Its kind.
        scope: Its scope; `*` for all mail.
        at: The time from which it counts; null if unknown.
        event_id: Its event.
    """

    only_in: str
    fact: FactKind
    scope: str
    at: datetime | None
    event_id: str


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why an address is suppressed or clear.

    Attributes:
        requested: The address as it was asked for.
        address: Its canonical form.
        scope: The scope that was asked for; `*` counts in any case.
        moment: The time that the answer is for.
        is_as_of: True if it is for a time in the past, from what had arrived in the log by then.
        suppressed: Whether mail without a purpose must not be sent.
        text: The verdict, for people.
        reasons: The reasons of the verdict, the gravest first.
        events: What happened, in order of time.
        other_scopes: Scopes that were not asked for, about which the log has facts.
        log_was_read: Whether the log was read.
        log_is_whole: Whether all its days were read.
        log_problem: Why the log was not read.
        scanned_bytes: Bytes that the query of the log read.
        differences: The facts that only the log or only the table has.
        lists: What SES's own lists say.
        policy_version: The version of the policy by which facts and rules are explained.
        notes: What limits this answer, for people.
    """

    requested: str
    address: str
    scope: str
    moment: datetime
    is_as_of: bool
    suppressed: bool
    text: str
    reasons: tuple[ExplainedReason, ...]
    events: tuple[ExplainedEvent, ...]
    other_scopes: tuple[str, ...]
    log_was_read: bool
    log_is_whole: bool
    log_problem: str
    scanned_bytes: int
    differences: tuple[FactDifference, ...]
    lists: tuple[ListAnswer, ...]
    policy_version: int
    notes: tuple[str, ...]
