"""An outage of one table: DynamoDB's answer while it throttles, though all other tables work."""

from io import BytesIO
from threading import Event, Semaphore

from werkzeug.wrappers import Request, Response

THROTTLED = b'{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"too many"}'


class Outage:
    """Answers in DynamoDB's place, between `begin` and `end`, each request that names the table."""

    def __init__(self, table: str) -> None:
        self._quoted_table = f'"{table}"'.encode()
        self._active = Event()
        self._refusals = Semaphore(0)

    def answer(self, request: Request) -> Response | None:
        """Return a refusal, or None to pass the request on; see `Gateway`."""
        if not self._active.is_set():
            return None
        body = request.get_data()
        request.environ["wsgi.input"] = BytesIO(body)  # the next one to answer reads it again
        if self._quoted_table not in body:
            return None
        self._refusals.release()
        return Response(THROTTLED, status=400, mimetype="application/x-amz-json-1.0")

    def begin(self) -> None:
        """Start to refuse requests."""
        self._active.set()

    def await_refusals(self, number: int, *, timeout_seconds: float) -> None:
        """Wait until so many requests were refused."""
        for _ in range(number):
            assert self._refusals.acquire(timeout=timeout_seconds)

    def end(self) -> None:
        """Pass requests on again."""
        self._active.clear()
