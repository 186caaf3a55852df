"""Apply a policy to a standing.

A policy is data, with a version. Pure: the verdict does not depend on the clock.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec

from pipeline.address import Address, is_simulator
from pipeline.document import NOT_JSON
from pipeline.errors import UsageError
from pipeline.standing import MAILS_KEPT, Evidence, FactKind, Standing
from pipeline.timestamp import LAST_MS, from_ms
from pipeline.verdict import CLEAR, Reason, ReasonHeld, Verdict

ESSENTIAL = "essential"
"""The purpose of mail that its recipient asked for and waits for, such as a password reset."""

Positive = Annotated[int, msgspec.Meta(ge=1, le=2**31)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=100 * 366 * 86_400)]  # a century: longer is permanent
PURPOSE_PATTERN = "^[a-z][a-z0-9_-]{0,31}$"
Purpose = Annotated[str, msgspec.Meta(pattern=PURPOSE_PATTERN)]
_PERMANENT_ADDRESS_STATUS = "5.1."  # RFC 3463: the address is wrong, whatever SES calls the bounce


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Suppress because of one kind of fact.

    Attributes:
        expiry_seconds: The time that the suppression lasts after the newest fact; None if it is permanent.
        exempt: The purposes whose mail may be sent in spite of it.
    """

    expiry_seconds: Seconds | None = None
    exempt: tuple[Purpose, ...] = ()


class SoftRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Suppress for a limited time after several mails in a row bounced softly.

    A standing keeps 64 mails. So `expiry_seconds` has a limit, beyond which later mails that bounce rarely would hide
    the mails that reached the rule: `(65 - mails) // (mails - 1)` times the window.

    Attributes:
        mails: Number of mails.
        mails_of_wrong_address: The number that is enough if the remote servers report a wrong address (status 5.1.x).
            None: as many as of other mails.
        window_seconds: The time within which all of them were sent.
        expiry_seconds: The time that the suppression lasts after the newest of them.
        exempt: The purposes whose mail may be sent in spite of it.

    Raises:
        ValueError: `expiry_seconds` is beyond the limit, or `mails_of_wrong_address` is greater than `mails`.
    """

    mails: Annotated[int, msgspec.Meta(ge=1, le=MAILS_KEPT)]
    mails_of_wrong_address: Annotated[int, msgspec.Meta(ge=1, le=MAILS_KEPT)] | None = None
    window_seconds: Seconds
    expiry_seconds: Seconds
    exempt: tuple[Purpose, ...] = (ESSENTIAL,)

    def __post_init__(self) -> None:
        if self.mails_of_wrong_address and self.mails_of_wrong_address > self.mails:
            raise ValueError("`mails_of_wrong_address` is greater than `mails`")
        windows = (MAILS_KEPT + 1 - self.mails) // (self.mails - 1) if self.mails > 1 else None
        if windows is not None and self.expiry_seconds > windows * self.window_seconds:
            raise ValueError(
                f"`expiry_seconds` is more than {windows} times `window_seconds`, the most for {self.mails} mails, "
                f"because a table keeps {MAILS_KEPT} mails of an address"
            )


_FOR_GOOD = Rule()
_NOT_ESSENTIAL = Rule(exempt=(ESSENTIAL,))
_LISTED = Rule(expiry_seconds=14 * 86_400, exempt=(ESSENTIAL,))  # SES's global list keeps an address for up to 14 days


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The facts that suppress an address, each with its rule; None if they do not. schemas/policy.json is the default.

    An operator's decision is not subject to a policy. Nor is a release, which lifts every fact that is not later.

    Attributes:
        version: Increased with every change; a table never returns to a lower one.
        hard: The remote server says that the mailbox does not exist. No purpose is exempt: such mail never arrives.
        blocked: The remote server rejects the sender, its reputation or its authentication.
        inferred: A permanent bounce names no one, and its mail had one destination.
        forwarded: A permanent bounce names another address only, and its mail had one destination.
        listed: The address is on SES's global suppression list.
        complaint: The recipient reported spam.
        uncertain_complaint: One of several recipients reported spam.
        not_spam: True if a report that a mail is no spam lifts complaints that are not later.
        soft: The rule for soft bounces.
        echo: One of SES's own lists or predictions stopped a mail.
        opt_out: The recipient unsubscribed from a topic.

    Raises:
        ValueError: A purpose is exempt from `hard`.
    """

    version: Positive = 1
    hard: Rule | None = _FOR_GOOD
    blocked: Rule | None = _NOT_ESSENTIAL
    inferred: Rule | None = _FOR_GOOD
    forwarded: Rule | None = None
    listed: Rule | None = _LISTED
    complaint: Rule | None = _NOT_ESSENTIAL
    uncertain_complaint: Rule | None = _NOT_ESSENTIAL
    not_spam: bool = True
    soft: SoftRule | None = None
    echo: Rule | None = None
    opt_out: Rule | None = None

    def __post_init__(self) -> None:
        if self.hard and self.hard.exempt:
            raise ValueError("no purpose can be exempt from `hard`: such mail never arrives")


DEFAULT_POLICY = Policy()


def verdict(standing: Standing, policy: Policy, *, address: Address) -> Verdict:
    """Return the verdict of `policy` on the standing of `address`."""
    return CLEAR if is_simulator(address) else Verdict(reasons=tuple(_reasons(standing, policy)))


def lifting_evidence(standing: Standing, policy: Policy, kind: FactKind) -> Evidence | None:
    """Return the decision or report that lifts every fact of a kind that is not later than itself; None if none does.

    A release lifts facts of any kind, a report that a mail is no spam lifts complaints.
    """
    is_complaint = kind in {FactKind.COMPLAINT, FactKind.UNCERTAIN_COMPLAINT}
    not_spam = standing.not_spam if is_complaint and policy.not_spam else ()
    return max((*standing.release, *not_spam), default=None)


def parse_policy(document: bytes) -> Policy:
    """Parse a policy from JSON.

    Raises:
        UsageError: It is not JSON, or not a policy.
    """
    try:
        return msgspec.json.decode(document, type=Policy)
    except NOT_JSON as error:
        raise UsageError(f"not a policy: {error}") from error


def _reasons(standing: Standing, policy: Policy) -> Iterator[ReasonHeld]:
    """Yield every reason that holds, gravest first."""
    released_ms = standing.release[0].at_ms if standing.release else -1
    if standing.suppress and standing.suppress[0].at_ms >= released_ms:
        yield _held(Reason.OPERATOR, standing.suppress, Rule())
    for reason, kind, certain in _RULES:
        rule, known = getattr(policy, kind), getattr(standing, kind)
        if not rule or not known:
            continue
        lifting = lifting_evidence(standing, policy, kind)
        evidence = [item for item in known if item.at_ms > lifting.at_ms] if lifting else known
        if isinstance(rule, SoftRule):
            if triggers := _triggers(evidence, rule):
                yield _held(reason, evidence, rule, newest=triggers[-1])
        elif evidence:
            yield _held(reason, evidence, rule, certain=certain)


_RULES = (
    (Reason.COMPLAINT, FactKind.COMPLAINT, True),
    (Reason.COMPLAINT, FactKind.UNCERTAIN_COMPLAINT, False),
    (Reason.HARD, FactKind.HARD, True),
    (Reason.BLOCKED, FactKind.BLOCKED, True),
    (Reason.INFERRED, FactKind.INFERRED, False),
    (Reason.LISTED, FactKind.LISTED, True),
    (Reason.SOFT, FactKind.SOFT, True),
    (Reason.FORWARDED, FactKind.FORWARDED, False),
    (Reason.ECHO, FactKind.ECHO, True),
    (Reason.OPT_OUT, FactKind.OPT_OUT, True),
)
"""Reason, kind of fact, and whether the fact is certain; gravest first."""


def _triggers(soft: Sequence[Evidence], rule: SoftRule) -> list[Evidence]:
    """Return the mails that, together with those before them, reach the rule, in ascending order."""
    wrong = [item for item in soft if item.status.startswith(_PERMANENT_ADDRESS_STATUS)]
    reached = {
        newest
        for mails, needed in ((soft, rule.mails), (wrong, rule.mails_of_wrong_address or rule.mails))
        for oldest, newest in zip(mails, mails[needed - 1 :], strict=False)
        if newest.at_ms - oldest.at_ms <= 1_000 * rule.window_seconds
    }
    return sorted(reached)


def _held(
    reason: Reason,
    evidence: Sequence[Evidence],
    rule: Rule | SoftRule,
    *,
    certain: bool = True,
    newest: Evidence | None = None,
) -> ReasonHeld:
    """Return a reason that holds because of `evidence`; its expiry runs from `newest`, by default the last of it."""
    until = None
    if rule.expiry_seconds is not None:
        until_ms = (newest or evidence[-1]).at_ms + 1_000 * rule.expiry_seconds
        until = from_ms(min(until_ms, LAST_MS))
    since = from_ms(evidence[0].at_ms) if evidence[0].at_ms else None
    return ReasonHeld(reason=reason, since=since, until=until, certain=certain, exempt=rule.exempt)
