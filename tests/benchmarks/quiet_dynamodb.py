"""A program: an empty DynamoDB that stores no item and answers a request after some milliseconds.

It uses so little CPU that a benchmark measures its client. It keeps the addresses of puts. `CountAddresses` returns
their number and starts again: what was sent must have been loaded. It prints its port, and ends with its input.

Example: python tests/benchmarks/quiet_dynamodb.py 0.004
"""

import re
import socket
import sys
import time
from threading import Thread

ADDRESS = re.compile(rb'"address": ?{"S": ?"([^"]+)"}')
EMPTY = {b"BatchGetItem": b'{"Responses":{},"UnprocessedKeys":{}}'}
put: set[bytes] = set()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n%s"


def answer(connection: socket.socket, latency_seconds: float) -> None:
    """Answer every request on a connection."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb") as requests:
        while requests.readline():
            lines = iter(lambda: requests.readline().strip(), b"")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
            request = requests.read(int(headers[b"content-length"]))
            operation = headers[b"x-amz-target"].rpartition(b".")[2]
            if operation == b"CountAddresses":
                body = b"%d" % len(put)
                put.clear()
            else:
                time.sleep(latency_seconds)
                body = EMPTY.get(operation, b"{}")
            if operation in {b"PutItem", b"TransactWriteItems"}:
                put.update(ADDRESS.findall(request))
            connection.sendall(HEAD % (len(body), body))


def main(latency_seconds: float) -> None:
    """Serve until standard input ends."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        Thread(target=serve, args=(server, latency_seconds), daemon=True).start()
        sys.stdin.read()


def serve(server: socket.socket, latency_seconds: float) -> None:
    """Accept connections without end."""
    while True:
        Thread(target=answer, args=(server.accept()[0], latency_seconds), daemon=True).start()


if __name__ == "__main__":
    main(float(sys.argv[1]))
