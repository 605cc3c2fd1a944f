"""The wire: one HTTP exchange with Telegram, and the only place where the token is plain."""

from __future__ import annotations

import io
import math
import select
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import quote, urlsplit

import certifi
import pycurl

from bot.form import File, Multipart, form

if TYPE_CHECKING:
    from settings import Secret

STALLED = 100
"""Bytes a second below which an upload or a download counts as standing still."""


class NeverSent(Exception):
    """Nothing of the request left this machine: no name, no connection, no TLS."""


class Ambiguous(Exception):
    """The request may have been carried out, but no whole answer came back."""


class Reply(NamedTuple):
    """An answer as it came. Header names are lower-case; only `retry-after` is kept."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire(Protocol):
    """What carries calls to a Bot API. `timeout` is (connect, read) in seconds.

    Both methods raise NeverSent and Ambiguous. No exception, nor any frame it passes, may hold
    the revealed token.
    """

    def exchange(
        self,
        token: Secret,
        method: str,
        fields: Mapping[str, str],
        files: Mapping[str, File] | None = None,
        timeout: tuple[float, float] = (10, 30),
    ) -> Reply:
        """Call a method of the Bot API; the fields are encoded as by `encode`."""
        ...

    def fetch(
        self, token: Secret, file_path: str, timeout: tuple[float, float] = (10, 30)
    ) -> Reply:
        """Get a file by the path that getFile told."""
        ...


class CurlWire:
    """The wire over libcurl: one handle a thread, its connection kept alive.

    The body is handed over by a function that cannot start again. Without that, libcurl sends a
    request a second time, and tells nobody, when the server closes a used connection instead of
    answering.
    """

    def __init__(self, base_url: str, *, ca_file: str | None = None) -> None:
        """Raises ValueError for a base URL that is unfit to carry a token."""
        self._base = check_base(base_url)
        self._ca_file = ca_file or certifi.where()
        self._threads = threading.local()

    def exchange(
        self,
        token: Secret,
        method: str,
        fields: Mapping[str, str],
        files: Mapping[str, File] | None = None,
        timeout: tuple[float, float] = (10, 30),
    ) -> Reply:
        """Call a method. Raises NeverSent and Ambiguous, and ValueError for an odd name."""
        if not (method.isascii() and method.isalpha()):
            raise ValueError(f"{method[:64]!r} is not the name of a method")
        if files:
            return self._upload(token, method, Multipart(fields, files), timeout)
        body = form(fields)
        curl = self._handle("calls")
        curl.setopt(pycurl.POST, 1)
        curl.setopt(pycurl.READFUNCTION, io.BytesIO(body).read)
        curl.setopt(pycurl.POSTFIELDSIZE_LARGE, len(body))
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(timeout[0] * 1000))
        curl.setopt(pycurl.TIMEOUT_MS, int((timeout[0] + timeout[1]) * 1000))
        curl.setopt(pycurl.URL, f"{self._base}/bot{token.reveal()}/{method}".encode())
        return _perform(curl)

    def _upload(
        self, token: Secret, method: str, body: Multipart, timeout: tuple[float, float]
    ) -> Reply:
        curl = self._bulk(timeout)
        kind = f"Content-Type: multipart/form-data; boundary={body.boundary}"
        curl.setopt(pycurl.POST, 1)
        curl.setopt(pycurl.HTTPHEADER, ["Expect:", kind])
        curl.setopt(pycurl.READFUNCTION, body.read)
        curl.setopt(pycurl.POSTFIELDSIZE_LARGE, body.size)
        curl.setopt(pycurl.URL, f"{self._base}/bot{token.reveal()}/{method}".encode())
        try:
            return _perform(curl)
        finally:
            curl.setopt(pycurl.READFUNCTION, io.BytesIO().read)  # lets go of the files

    def fetch(
        self, token: Secret, file_path: str, timeout: tuple[float, float] = (10, 30)
    ) -> Reply:
        """Get a file. Raises NeverSent and Ambiguous, and ValueError for a path that climbs."""
        if ".." in file_path.split("/"):
            raise ValueError("a file path must not contain '..'")
        path = quote(file_path.lstrip("/"))
        curl = self._bulk(timeout)
        curl.setopt(pycurl.HTTPGET, 1)
        curl.setopt(pycurl.URL, f"{self._base}/file/bot{token.reveal()}/{path}".encode())
        return _perform(curl)

    def _bulk(self, timeout: tuple[float, float]) -> pycurl.Curl:
        """The thread's handle for files: its time is bounded by progress, not in all."""
        curl = self._handle("files")
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(timeout[0] * 1000))
        curl.setopt(pycurl.LOW_SPEED_LIMIT, STALLED)
        curl.setopt(pycurl.LOW_SPEED_TIME, max(1, math.ceil(timeout[1])))
        return curl

    def _handle(self, purpose: str) -> pycurl.Curl:
        """This thread's handle, renewed when its connection was closed by the server.

        libcurl looks for that too, but not within a second of its last look.
        """
        curl: pycurl.Curl | None = getattr(self._threads, purpose, None)
        if curl is not None and _is_stale(curl):
            curl.close()
            curl = None
        if curl is None:
            curl = self._open()
            setattr(self._threads, purpose, curl)
        return curl

    def _open(self) -> pycurl.Curl:
        curl = pycurl.Curl()
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        curl.setopt(pycurl.SSL_VERIFYPEER, 1)
        curl.setopt(pycurl.SSL_VERIFYHOST, 2)
        curl.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
        curl.setopt(pycurl.CAINFO, self._ca_file)
        curl.setopt(pycurl.TCP_KEEPALIVE, 1)
        curl.setopt(pycurl.TCP_KEEPIDLE, 30)
        curl.setopt(pycurl.TCP_KEEPINTVL, 10)
        curl.setopt(pycurl.USERAGENT, "steadygram")
        curl.setopt(pycurl.HTTPHEADER, ["Expect:"])
        if self._base.startswith("http:"):  # a proxy would read the token
            curl.setopt(pycurl.NOPROXY, "*")
        return curl


def check_base(url: str) -> str:
    """Give the base URL without a slash at its end.

    Raises ValueError, one sentence, unless it is https, or http to a server of one's own.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is not a base URL: set one like https://api.telegram.org")
    if parts.scheme == "http" and (host == "telegram.org" or host.endswith(".telegram.org")):
        raise ValueError(f"{url!r} would send the token unencrypted: write https:// instead")
    if not url.isascii():
        raise ValueError(f"{url!r} has other than ASCII letters: write the host in punycode")
    return url.rstrip("/")


def _is_stale(curl: pycurl.Curl) -> bool:
    """Whether something came over the idle connection: its end, or what nobody asked for."""
    descriptor: int = curl.getinfo(pycurl.ACTIVESOCKET)
    if descriptor < 0:
        return False
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _perform(curl: pycurl.Curl) -> Reply:
    try:
        body: bytes = curl.perform_rb()
    except pycurl.error as error:
        code, said = error.args
        if curl.getinfo(pycurl.REQUEST_SIZE) == 0:
            raise NeverSent(f"Telegram was not reached: {said} (curl {code})") from None
        raise Ambiguous(f"no answer from Telegram: {said} (curl {code})") from None
    status: int = curl.getinfo(pycurl.RESPONSE_CODE)
    if status == 200:
        return Reply(200, {}, body)
    after: int = curl.getinfo(pycurl.RETRY_AFTER)
    return Reply(status, {"retry-after": str(after)} if after else {}, body)
