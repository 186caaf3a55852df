"""A table that is away for a while, though all others are there: what DynamoDB answers while it throttles."""

from io import BytesIO
from threading import Event, Semaphore

from werkzeug.wrappers import Request, Response

THROTTLED = b'{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"too many"}'


class Outage:
    """Answers in DynamoDB's place, between `begin` and `end`, whatever names a table."""

    def __init__(self, table: str) -> None:
        self._named = f'"{table}"'.encode()
        self._away = Event()
        self._refusals = Semaphore(0)

    def answer(self, request: Request) -> Response | None:
        """Refuse, or let it pass; see `front.application.Answer`."""
        if not self._away.is_set():
            return None
        body = request.get_data()
        request.environ["wsgi.input"] = BytesIO(body)  # for whoever answers if not this
        if self._named not in body:
            return None
        self._refusals.release()
        return Response(THROTTLED, status=400, mimetype="application/x-amz-json-1.0")

    def begin(self) -> None:
        self._away.set()

    def await_refusals(self, number: int, *, timeout_seconds: float) -> None:
        """Return once so many requests have been refused."""
        for _ in range(number):
            assert self._refusals.acquire(timeout=timeout_seconds)

    def end(self) -> None:
        self._away.clear()
