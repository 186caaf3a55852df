"""The fold of the event log by Athena: the one SQL statement that restates the join, over the whole log or some hours.

It needs no Parquet library, so a Lambda function can fold a log of any size. The statement is that of the view
`table_facts`, with a slice of the log in place of the log. Rows of another decoder version are left out, because SQL
cannot decode them again; `other_rows` counts them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby

from pipeline.address import Address
from pipeline.aws.archive.athena import QueryResult, query
from pipeline.aws.archive.athena_csv import Row
from pipeline.aws.archive.sql_files import sql_files
from pipeline.aws.clients import Clients
from pipeline.decode import DECODER_VERSION
from pipeline.standing import Evidence, FactKind, Key, Standing, fold

KEYS_PER_PART = 1_000
TIMEOUT_SECONDS = 600.0  # a Lambda function has 900
_COLUMNS = ("address", "scope", "fact", *Evidence.__struct_fields__)
_ROWS = f"SELECT {', '.join(_COLUMNS)} FROM table_facts ORDER BY address, scope"  # noqa: S608 - no text of others
_LOG, _SLICE = "FROM events\n", "FROM slice\n"  # in the text of the view `suppression_facts`


class AthenaFold:
    """Folds a log by SQL; see `ports.LogFold`.

    Args:
        clients: boto3 clients of the deployment.
        database: The Glue database of the log.
        workgroup: Athena's workgroup.
        output_location: Where Athena puts results; None if the workgroup decides it.
        keys_per_part: About the number of keys of a part.

    Attributes:
        scanned_bytes: Bytes that Athena read so far, which it bills.
    """

    def __init__(
        self,
        clients: Clients,
        *,
        database: str,
        workgroup: str = "primary",
        output_location: str | None = None,
        keys_per_part: int = KEYS_PER_PART,
    ) -> None:
        self.scanned_bytes = 0
        self._clients, self._database = clients, database
        self._workgroup, self._output_location = workgroup, output_location
        self._keys_per_part = keys_per_part

    def standings(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Mapping[Key, Standing]]:
        """See `ports.LogFold`.

        Raises:
            QueryFailed: Athena rejected or stopped the query, as at the scan limit of the workgroup.
        """
        part: dict[Key, Standing] = {}
        rows = self._query(table_facts_statement(_ROWS, since=since, until=until)).rows
        addresses = groupby(_standings(rows), key=lambda pair: pair[0].address)
        for _, standings in addresses:
            part |= standings
            if len(part) >= self._keys_per_part:
                yield part
                part = {}
        yield part

    def other_rows(self, *, since: datetime | None = None, until: datetime | None = None) -> int:
        """Return the number of rows with feedback that another version of the decoder wrote. Raises as `standings`."""
        condition = f"is_feedback AND decoder_version <> {DECODER_VERSION} AND {_hours(since, until)}"
        [(number,)] = self._query(f"SELECT count(*) FROM events WHERE {condition}").rows  # noqa: S608 - no text of others
        return int(number or 0)

    def _query(self, sql: str) -> QueryResult:
        result = query(
            self._clients.athena,
            sql,
            s3=self._clients.s3,
            database=self._database,
            workgroup=self._workgroup,
            output_location=self._output_location,
            timeout_seconds=TIMEOUT_SECONDS,
        )
        self.scanned_bytes += result.scanned_bytes
        return result


def table_facts_statement(select: str, *, since: datetime | None = None, until: datetime | None = None) -> str:
    """Return the SQL that joins the facts of a slice of the log.

    Args:
        select: A query of `table_facts`, which has one row for each fact that a table keeps.
        since: The first hour of the slice; None for the first of the log.
        until: The last hour of the slice, included; None for the last of the log.
    """
    bodies = {file.name: file.sql.partition(" AS\n")[2] for file in sql_files("views")}
    facts = bodies["suppression_facts"].replace(_LOG, _SLICE)
    condition = f"decoder_version = {DECODER_VERSION} AND {_hours(since, until)}"
    return f"""WITH
slice AS (SELECT is_feedback, facts FROM events WHERE {condition}),
suppression_facts AS ({facts}),
table_facts AS ({bodies["table_facts"]})
{select}"""  # noqa: S608 - no text of others


def _hours(since: datetime | None, until: datetime | None) -> str:
    """Return the condition for the hours of both bounds, and those between. By `dt` alone, Athena reads fewer files."""
    conditions = ["true"]
    for bound, sign in ((since, ">="), (until, "<=")):
        if bound:
            day, hour = f"{bound.astimezone(UTC):%Y-%m-%d %H}".split()
            conditions.append(f"dt {sign} '{day}' AND (dt <> '{day}' OR hr {sign} '{hour}')")
    return " AND ".join(conditions)


def _standings(rows: Iterable[Row]) -> Iterator[tuple[Key, Standing]]:
    for key, facts in groupby(rows, key=lambda row: Key(Address(row[0] or ""), row[1] or "")):
        yield key, fold((FactKind(row[2] or ""), _evidence(row)) for row in facts)


def _evidence(row: Row) -> Evidence:
    _, _, _, at_ms, *texts = (value or "" for value in row)
    return Evidence(int(at_ms), *texts)
