"""Erase a person from rows and standings: a keyed hash takes the place of the address, and the facts stay.

The hash is a pseudonym: an address at a domain that cannot exist, so that the fold, SQL and look-ups treat it like any
other. With the key it can be computed from the address, to ask whether the address is suppressed. Without the key it
cannot, not even by trying addresses. Event ids are hashes of addresses too, so they are hashed again.

The rewriting of a row and of a standing agree: the fold of rewritten rows is the rewritten fold. But new ids
have another order, which decides between two events of one mail at one time: a reconciliation heals that. Pure.
"""

import hmac
import json
import re
from collections.abc import Iterable, Mapping
from functools import cached_property, partial
from typing import Any

import idna
import msgspec

from pipeline.address import Address, canonical, domain
from pipeline.adoption import make_evidence
from pipeline.decode import DECODER_VERSION
from pipeline.document import NOT_JSON, to_python
from pipeline.evidence import DIAGNOSTIC_KEPT, SPELLING_KEPT, truncate
from pipeline.pseudonym import pseudonym
from pipeline.row import Diagnosis, FactColumn, Row, row_facts, to_column
from pipeline.standing import Evidence, FactKind, Key, Standing, fold, kept_facts

_ID_DIGITS = 32

# What a mail to one person says of that person, in words that cannot be recognized as such.
_PERSONAL_COLUMNS = ("subject", "headers", "ip_address", "user_agent", "link", "link_tags", "smtp_response")
_PERSONAL_KEYS = frozenset(
    {"commonHeaders", "headers", "ipAddress", "userAgent", "link", "linkTags", "smtpResponse", "diagnosticCode"}
)
_SES_TAG = "ses:"  # prefix of the tags that SES adds; others are the sender's, such as the number of a customer
# Else it is a part of a longer address. In a link and in a return path, delimiters precede it that an address may have.
_BEFORE, _BEFORE_PART, _AFTER = r"(?<![\w.!#$%'*+^`{|}~-])", r"(?<![\w.-])", r"(?![\w-]|\.\w)"

Source = tuple[Key, str]
"""What a fact is about, and the id of the event that states it."""


class Erasure(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The erasure of one person's address.

    Attributes:
        address: The address.
        key: The secret key, 32 random bytes.
    """

    address: Address
    key: bytes

    @cached_property
    def pseudonym(self) -> Address:
        """The address that takes its place."""
        return pseudonym(self.address, key=self.key)

    def concerns(self, row: Row) -> bool:
        """Return True if a row names the person, in a column or anywhere in its text."""
        named = (*row.destinations, *row.recipients, *(fact.address for fact in row.facts))
        return self.address in named or self.is_named_in(row.raw)

    def is_named_in(self, text: str) -> bool:
        """Return True if a text names the person."""
        return self._pattern.search(text) is not None

    def is_done(self, row: Row) -> bool:
        """Return True if a row was rewritten before."""
        return self.pseudonym in (*row.destinations, *row.recipients) or self.pseudonym in row.raw

    def row(self, row: Row) -> Row:
        """Return the row without the person; itself if it does not name the person.

        The raw text of a row with facts becomes those facts, as records that decode to them; see `adoption`.
        """
        if not self.concerns(row):
            return row
        is_private = row.destinations == (self.address,) or row.recipients == (self.address,)
        facts = tuple(self._fact(to_column(fact)) for fact in row_facts(row))
        columns = {name: self._value(getattr(row, name)) for name in Row.__struct_fields__ if name != "facts"}
        recipients = columns["recipients"]
        changes = columns | {
            "event_id": self.event_id(row.event_id),
            "recipient_domains": tuple(dict.fromkeys(map(domain, recipients))),
            "diagnoses": tuple(map(self._diagnosis, row.diagnoses)),
            "facts": facts,
            "decoder_version": DECODER_VERSION,
            "raw": "\n".join(map(_evidence_text, facts)) or self._text_of(row.raw, is_private=is_private),
        }
        if is_private:
            changes |= dict.fromkeys(_PERSONAL_COLUMNS)
            changes["tags"] = _ses_tags(changes["tags"])
        return Row(**changes)

    def key_of(self, key: Key) -> Key:
        """Return the key under which a standing lies afterwards."""
        return Key(self.pseudonym, key.scope) if key.address == self.address else key

    def standing(self, key: Key, standing: Standing, *, rewritten: frozenset[Source]) -> Standing:
        """Return a standing without the person.

        Args:
            key: Its key before.
            standing: The standing.
            rewritten: The sources of the facts in all rewritten rows, as they are now.
        """
        is_own = key.address == self.address
        facts = (
            (kind, evidence, is_own or (bool(rewritten) and (key, self.event_id(evidence.event_id)) in rewritten))
            for kind, evidence in kept_facts(standing)
        )
        return fold(
            (kind, self._evidence(evidence, is_own=is_own, is_rewritten=is_in)) for kind, evidence, is_in in facts
        )

    def event_id(self, event_id: str) -> str:
        """Return the id that takes the place of an event's."""
        return hmac.digest(self.key, event_id.encode(), "sha256").hex()[:_ID_DIGITS]

    def text(self, text: str) -> str:
        """Return a text with the pseudonym wherever it names the person."""
        if address := canonical(text):
            return self.pseudonym if address == self.address else text
        return self._pattern.sub(self.pseudonym, text)

    @cached_property
    def needle(self) -> str:
        """A regular expression without look-around that matches part of every text that names person or pseudonym."""
        return _either(address.rpartition("@")[0] for address in (self.address, self.pseudonym))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """Matches the address in a text: as such, in a link, in a return path, and as JSON escapes it."""
        local, _, host = self.address.rpartition("@")
        hosts = {host, _unicode(host)}
        whole, parts = ({f"{local}{at}{name}" for name in hosts for at in marks} for marks in (("@",), ("=", "%40")))
        patterns = (f"{_BEFORE}{_either(whole)}{_AFTER}", f"{_BEFORE_PART}{_either(parts)}{_AFTER}")
        return re.compile("|".join(patterns), re.IGNORECASE)

    def _fact(self, column: FactColumn) -> FactColumn:
        is_own = column.address == self.address
        evidence = Evidence(**{name: getattr(column, name) for name in Evidence.__struct_fields__})
        texts = msgspec.structs.asdict(self._evidence(evidence, is_own=is_own, is_rewritten=True))
        address = self.pseudonym if is_own else column.address
        return FactColumn(address=address, scope=column.scope, fact=column.fact, **texts)

    def _evidence(self, evidence: Evidence, *, is_own: bool, is_rewritten: bool) -> Evidence:
        return msgspec.structs.replace(
            evidence,
            event_id=self.event_id(evidence.event_id) if is_rewritten else evidence.event_id,
            diagnostic="" if is_own else truncate(self.text(evidence.diagnostic), DIAGNOSTIC_KEPT),
            spelling="" if is_own else truncate(self.text(evidence.spelling), SPELLING_KEPT),
        )

    def _diagnosis(self, diagnosis: Diagnosis) -> Diagnosis:
        if diagnosis.address == self.address:
            return msgspec.structs.replace(diagnosis, address=self.pseudonym, diagnostic=None)
        return msgspec.structs.replace(diagnosis, diagnostic=self._value(diagnosis.diagnostic))

    def _value(self, value: Any) -> Any:
        """Return a value of a row or of JSON with the pseudonym in all of its texts."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(name): self._value(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(map(self._value, value))
        return value

    def _text_of(self, raw: str, *, is_private: bool) -> str:
        """Return the raw text of a row without facts."""
        try:
            tree = to_python(raw.encode())
        except NOT_JSON:
            return self.text(raw)
        return msgspec.json.encode(self._value(_impersonal(tree) if is_private else tree)).decode()


def _evidence_text(column: FactColumn) -> str:
    evidence = Evidence(**{name: getattr(column, name) for name in Evidence.__struct_fields__})
    return make_evidence(Key(column.address, column.scope), FactKind(column.fact), evidence).decode()


def _impersonal(tree: Any) -> Any:
    """Return JSON without what a mail to one person says of that person."""
    if isinstance(tree, list):
        return [_impersonal(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    kept = {name: _impersonal(item) for name, item in tree.items() if name not in _PERSONAL_KEYS}
    return kept | {"tags": _ses_tags(kept["tags"])} if isinstance(kept.get("tags"), dict) else kept


def _ses_tags(tags: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {name: values for name, values in (tags or {}).items() if name.startswith(_SES_TAG)} or None


def _either(forms: Iterable[str]) -> str:
    """Return a pattern of texts, plain and as JSON escapes them."""
    escaped = {encode(form)[1:-1] for form in forms for encode in (json.dumps, partial(json.dumps, ensure_ascii=False))}
    return f"(?:{'|'.join(map(re.escape, sorted(escaped, key=len, reverse=True)))})"


def _unicode(host: str) -> str:
    try:
        return idna.decode(host)
    except idna.IDNAError:  # an address literal, or a name that is no IDNA
        return host


def sources(row: Row) -> frozenset[Source]:
    """Return the source of each fact in a row."""
    return frozenset((fact.key, fact.evidence.event_id) for fact in row_facts(row))
