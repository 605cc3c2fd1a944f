"""Measure what one call costs over pycurl, http.client and urllib3: `python -m bench.wire`.

A server in a process of its own answers on loopback, plain and over TLS. The libraries take turns
over several rounds; what counts is the CPU time of the calling process and the ratio to pycurl.
"""

from __future__ import annotations

import argparse
import http.client
import multiprocessing
import socket
import ssl
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlencode

import urllib3

from bot.wire import CurlWire
from settings import Secret

TOKEN = Secret("123456789:bench_bench_bench_bench_bench_bench")
FIELDS = {"chat_id": "1001", "text": "A reply of a usual length, with some words in it."}
BODY = (
    b'{"ok":true,"result":{"message_id":1,"date":1,"chat":{"id":1001,"type":"private",'
    b'"first_name":"Alice"},"text":"A reply of a usual length, with some words in it."}}'
)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(BODY),
    BODY,
)
HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}
PATH = "/bot{}/sendMessage"


def serve(pem: str | None, told: Connection) -> None:
    """Tell the port, then answer every request with the same message, a thread a connection."""
    context = None
    if pem:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
    listener = socket.create_server(("127.0.0.1", 0))
    told.send(listener.getsockname()[1])
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_answer, args=(connection, context), daemon=True).start()


def _answer(connection: socket.socket, context: ssl.SSLContext | None) -> None:
    if context:
        connection = context.wrap_socket(connection, server_side=True)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    data = b""
    while piece := connection.recv(65536):
        data += piece
        head, end, body = data.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if end and len(body) >= int(length or 0):
            data = b""
            connection.sendall(ANSWER)


def curl(port: int, pem: str | None) -> Callable[[], object]:
    wire = CurlWire(f"{'https' if pem else 'http'}://127.0.0.1:{port}", ca_file=pem)
    return lambda: wire.exchange(TOKEN, "sendMessage", FIELDS)


def stdlib(port: int, pem: str | None) -> Callable[[], object]:
    connection = (
        http.client.HTTPSConnection(
            "127.0.0.1", port, context=ssl.create_default_context(cafile=pem)
        )
        if pem
        else http.client.HTTPConnection("127.0.0.1", port)
    )

    def call() -> bytes:
        connection.request("POST", PATH.format(TOKEN.reveal()), urlencode(FIELDS), HEADERS)
        return connection.getresponse().read()

    return call


def pool(port: int, pem: str | None) -> Callable[[], object]:
    connections = (
        urllib3.HTTPSConnectionPool("127.0.0.1", port, ca_certs=pem)
        if pem
        else urllib3.HTTPConnectionPool("127.0.0.1", port)
    )

    def call() -> bytes:
        body = urlencode(FIELDS)
        return connections.urlopen(
            "POST", PATH.format(TOKEN.reveal()), body, HEADERS, retries=False
        ).data

    return call


LIBRARIES = {"pycurl": curl, "http.client": stdlib, "urllib3": pool}


def measure(call: Callable[[], object], calls: int) -> tuple[float, float]:
    """CPU and wall time of one call, in microseconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(calls):
        call()
    return (
        (time.process_time() - cpu) / calls * 1e6,
        (time.perf_counter() - wall) / calls * 1e6,
    )


def compare(port: int, pem: str | None, calls: int, rounds: int) -> None:
    """Print a line for each library: medians, and the median of the ratios within a round."""
    candidates = {name: make(port, pem) for name, make in LIBRARIES.items()}
    for call in candidates.values():
        measure(call, 50)
    turns = [
        {name: measure(call, calls) for name, call in candidates.items()} for _ in range(rounds)
    ]
    print(f"{'https' if pem else 'http'}: {rounds} rounds of {calls} calls")
    for name in candidates:
        cpu = statistics.median(turn[name][0] for turn in turns)
        wall = statistics.median(turn[name][1] for turn in turns)
        ratio = statistics.median(turn[name][0] / turn["pycurl"][0] for turn in turns)
        print(f"  {name:12} {cpu:6.0f} µs CPU   {wall:6.0f} µs wall   {ratio:4.2f} times pycurl")


def certificate(folder: Path) -> str:
    """Make a key and a certificate for 127.0.0.1 in one file."""
    pem, key = folder / "server.pem", folder / "server.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(pem)),
        ],
        check=True,
        capture_output=True,
    )
    pem.write_text(pem.read_text() + key.read_text())
    return str(pem)


def main() -> None:
    """Run the comparison, plain and over TLS."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=1000, help="calls a library and round")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for pem in (None, certificate(Path(folder))):
            here, there = multiprocessing.Pipe()
            server = multiprocessing.Process(target=serve, args=(pem, there), daemon=True)
            server.start()
            try:
                compare(here.recv(), pem, options.calls, options.rounds)
            finally:
                server.terminate()
                server.join()


if __name__ == "__main__":
    main()
