"""A fake of Athena that accepts every statement and stores saved queries. moto has no BatchGetNamedQuery."""

from typing import Any

from tests.support.fake_service import FakeService


class FakeAthena(FakeService):
    """Athena.

    Args:
        page: Saved queries per response of ListNamedQueries.

    Attributes:
        statements: The statements that were run, in order.
        queries: The saved queries, by id.
        refuses: The message with which it rejects statements; "" to accept them.
        refused: The beginning of the statements that it rejects; "" for all.
    """

    SERVICE = "athena"

    def __init__(self, *, page: int = 2) -> None:
        super().__init__()
        self.statements: list[str] = []
        self.queries: dict[str, dict[str, Any]] = {}
        self.refuses = ""
        self.refused = ""
        self._page = page

    def _start_query_execution(self, *, QueryString: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        if self.refuses and QueryString.startswith(self.refused):
            return {"Error": {"Code": "InvalidRequestException", "Message": self.refuses}, "ResponseMetadata": {}}
        self.statements.append(QueryString)
        return {"QueryExecutionId": str(len(self.statements))}

    def _get_query_execution(self, *, QueryExecutionId: str) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        return {
            "QueryExecution": {
                "QueryExecutionId": QueryExecutionId,
                "Status": {"State": "SUCCEEDED"},
                "StatementType": "DDL",
            }
        }

    def _get_query_results(self, **_: Any) -> dict[str, Any]:
        return {"ResultSet": {"Rows": []}}

    def _list_named_queries(self, *, NextToken: str = "0", **_: Any) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        begin = int(NextToken)
        end = begin + self._page
        following = {"NextToken": str(end)} if end < len(self.queries) else {}
        return {"NamedQueryIds": list(self.queries)[begin:end], **following}

    def _batch_get_named_query(self, *, NamedQueryIds: list[str]) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        return {"NamedQueries": [{"NamedQueryId": query_id, **self.queries[query_id]} for query_id in NamedQueryIds]}

    def _create_named_query(self, **query: Any) -> dict[str, Any]:
        query_id = f"id-{len(self.queries)}"
        self.queries[query_id] = {key: value for key, value in query.items() if key != "ClientRequestToken"}
        return {"NamedQueryId": query_id}

    def _update_named_query(self, *, NamedQueryId: str, **query: Any) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        self.queries[NamedQueryId] |= query
        return {}
