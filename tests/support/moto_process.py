"""Program: moto in its own process, until its input ends. Prints its address."""

import sys

from pipeline.local.gateway.backend import Moto
from pipeline.local.gateway.server import Server

if __name__ == "__main__":
    with Server(Moto()) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        sys.stdin.read()
