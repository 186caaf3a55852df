"""A projector that runs for hours sees within a minute which table is live, and never guesses."""

import pytest

from pipeline.aws.runtime import MAX_AGE_SECONDS, LiveTables
from pipeline.aws.stack import SuppressionTables
from pipeline.errors import MailfoldError, ServiceUnavailable, UsageError

FIRST, SECOND = (
    SuppressionTables(live="mail-suppression-1"),
    SuppressionTables(live="mail-suppression-2", shadow_tables=("mail-suppression-1",)),
)


class Parameter:
    """The parameter, and a clock that stands still until it is moved."""

    def __init__(self, says: SuppressionTables | MailfoldError | None) -> None:
        self.says = says
        self.now_seconds = 1_000.0
        self.times_asked = 0
        self.warnings: list[str] = []

    def read(self) -> SuppressionTables | None:
        self.times_asked += 1
        if isinstance(self.says, MailfoldError):
            raise self.says
        return self.says

    def tables(self) -> LiveTables:
        return LiveTables(
            self.read,
            otherwise="mail-suppression-0",
            warn=self.warnings.append,
            clock=lambda: self.now_seconds,
        )


def test_what_the_parameter_says_is_used_and_asked_for_once_a_minute() -> None:
    parameter = Parameter(FIRST)
    tables = parameter.tables()
    for _ in range(3):
        assert tables.now() == FIRST
        parameter.now_seconds += MAX_AGE_SECONDS / 3 - 0.1
    assert parameter.times_asked == 1


def test_a_flip_is_seen_within_a_minute() -> None:
    parameter = Parameter(FIRST)
    tables = parameter.tables()
    tables.now()
    parameter.says = SECOND
    parameter.now_seconds += MAX_AGE_SECONDS
    assert tables.now() == SECOND


def test_without_a_parameter_the_table_of_the_settings_is_live_until_there_is_one() -> None:
    parameter = Parameter(None)
    tables = parameter.tables()
    assert tables.now() == SuppressionTables(live="mail-suppression-0")
    parameter.says = SECOND
    assert tables.now() == SuppressionTables(live="mail-suppression-0")
    parameter.now_seconds += MAX_AGE_SECONDS
    assert tables.now() == SECOND


@pytest.mark.parametrize("error", [ServiceUnavailable("AWS answers ThrottlingException"), UsageError("AWS denies it")])
def test_if_it_cannot_be_read_what_it_said_last_is_used_and_why_is_told(error: MailfoldError) -> None:
    parameter = Parameter(SECOND)
    tables = parameter.tables()
    tables.now()
    parameter.says = error
    parameter.now_seconds += MAX_AGE_SECONDS

    assert [tables.now(), tables.now()] == [SECOND, SECOND]
    assert parameter.warnings == [str(error)]
    assert parameter.times_asked == 2  # asking may take most of a minute: not with every batch

    parameter.says = FIRST
    parameter.now_seconds += MAX_AGE_SECONDS
    assert tables.now() == FIRST


@pytest.mark.parametrize("error", [ServiceUnavailable("AWS answers ThrottlingException"), UsageError("AWS denies it")])
def test_if_it_was_never_read_that_is_an_outage_and_asked_again_at_once(error: MailfoldError) -> None:
    parameter = Parameter(error)
    tables = parameter.tables()
    with pytest.raises(ServiceUnavailable, match=f"which table is live cannot be read: {error}"):
        tables.now()
    parameter.says = FIRST
    assert tables.now() == FIRST
    assert parameter.warnings == []
