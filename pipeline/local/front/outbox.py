"""Where accepted e-mails become events, and the events go to their destinations."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING

from pipeline.errors import MailfoldError

if TYPE_CHECKING:
    from pipeline.local.ses.publisher import Email, Fate, Publisher

Destinations = Callable[[Sequence[bytes]], None]
"""Takes the events of an e-mail to wherever the configuration set publishes them."""

_log = logging.getLogger(__name__)


class Outbox:
    """Publishes the events of e-mails. Safe to use from several threads.

    Args:
        publisher: What makes events of an e-mail.
        destinations: Where they go.
    """

    def __init__(self, publisher: Publisher, destinations: Destinations) -> None:
        self._publisher = publisher
        self._destinations = destinations
        self._lock = Lock()

    def publish(self, email: Email, *, message_id: str, fate: Fate | None = None) -> None:
        """Publish the events of an e-mail that was just accepted. That it fails is logged: the e-mail is sent anyway.

        Args:
            email: What was sent.
            message_id: What the sender was told.
            fate: What becomes of it; None: its addresses decide.
        """
        with self._lock:
            events = self._publisher.publish(email, sent_at=datetime.now(UTC), message_id=message_id, fate=fate)
        try:
            self._destinations(events)
        except MailfoldError as error:
            _log.warning("the events of message %s are lost: %s", message_id, error)
