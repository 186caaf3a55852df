"""A program: an empty DynamoDB that stores nothing and answers a request after some milliseconds.

It uses so little CPU that a benchmark measures its client. It prints its port, and ends at the end of its input.

Example: python tests/benchmarks/quiet_dynamodb.py 0.004
"""

import socket
import sys
import time
from threading import Thread

EMPTY = {b"BatchGetItem": b'{"Responses":{},"UnprocessedKeys":{}}'}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n%s"


def answer(connection: socket.socket, latency_seconds: float) -> None:
    """Answer every request on a connection."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb") as requests:
        while requests.readline():
            lines = iter(lambda: requests.readline().strip(), b"")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
            requests.read(int(headers[b"content-length"]))
            time.sleep(latency_seconds)
            body = EMPTY.get(headers[b"x-amz-target"].rpartition(b".")[2], b"{}")
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
