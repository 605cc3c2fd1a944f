"""The courier: carries calls nobody waits for, many at once, and hears their answers in one place.

A thread that waits for each answer pays for two hand-overs of the interpreter a call. Here whoever
has nothing else to do listens to all connections at once, so a call costs a tenth of that.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi

from bot.link import PIECE, Link
from bot.wire import Ambiguous, NeverSent, Reply, check_base
from settings import Secret

TIMEOUT = (5.0, 30.0)
"""Seconds to connect to one address, and from the request to its answer."""

REST = 30.0
"""Seconds after a failed connection in which calls go by the wire, which finds other ways."""

HELD = 0.004
"""Seconds that a call waits for others to leave with it, and no longer than what runs then."""

STALE = 60.0
"""Seconds after which an idle connection is not trusted: a router may have forgotten it."""

Heard: TypeAlias = Callable[[Reply | NeverSent | Ambiguous], None]
Parcel: TypeAlias = "tuple[Link, Secret, str, bytes, Callable[[], bool]]"
"""A call that is held: what `post` was given, and the link that it goes by."""


class Courier:
    """Posts requests from any thread; one thread at a time listens with `receive`.

    Without a base URL it carries nothing, and only `wake` ends a `receive`. What became of a call
    goes to its `heard`: a Reply, or the NeverSent or Ambiguous that the wire would have raised.
    """

    def __init__(
        self,
        base_url: str = "",
        *,
        ca_file: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        timeout: tuple[float, float] = TIMEOUT,
    ) -> None:
        """Raises ValueError for a base URL that is unfit to carry a token."""
        parts = urlsplit(check_base(base_url) if base_url else "")
        tls, host = parts.scheme == "https", parts.hostname or ""
        proxied = tls and "https" in getproxies() and not proxy_bypass(host)
        self._carries = bool(base_url) and not proxied  # through a proxy the wire finds the way
        self._rests_until = float("-inf")
        self._place = (host, parts.port or (443 if tls else 80))
        self._tls = ssl.create_default_context(cafile=ca_file or certifi.where()) if tls else None
        self._path, self._netloc = parts.path, parts.netloc
        self._clock = clock
        self._timeout = timeout
        self._selector = selectors.DefaultSelector()
        self._idle: list[Link] = []
        self._heads: dict[bytes, int] = {}
        self.busy: dict[Link, Heard] = {}
        """The calls that have no answer yet, by the link they went over."""
        self._listening = threading.Lock()
        self._holding = threading.Lock()
        self._holds = False
        self._held_since = 0.0
        self._held: deque[Parcel] = deque()
        self._look_at = 0.0
        self._bell, self._rope = socket.socketpair()
        for end in (self._bell, self._rope):
            end.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ, self._quiet)

    @property
    def open(self) -> bool:
        """Whether it carries anything now; after a failed connection it rests for a while."""
        return self._carries and self._clock() >= self._rests_until

    def post(
        self,
        token: Secret,
        method: str,
        body: bytes,
        heard: Heard,
        *,
        still: Callable[[], bool] | None = None,
    ) -> None:
        """Send a form; when no link is idle it connects first, which may take its time.

        While calls are held, one that says whether it may `still` go is sent later, if so.
        """
        try:
            link = self._take() or self._connect()
        except (OSError, UnicodeError) as error:
            self._rests_until = self._clock() + REST
            return heard(NeverSent(f"Telegram was not reached: {type(error).__name__}"))
        link.due = self._clock() + self._timeout[1]
        self.busy[link] = heard
        if still is not None:
            with self._holding:
                if self._holds:
                    self._held_since = self._held_since or self._clock()
                    return self._held.append((link, token, method, body, still))
        try:
            self._send(link, token, method, body)
        except BaseException:  # who called learns of it, and must not be told twice
            self.busy.pop(link, None)
            self._drop(link)
            raise

    def hold(self) -> None:
        """Collect what is posted until `let_go`; called again, it lets go what has waited.

        Of calls that leave one by one each wakes the other side, which costs more than the call.
        """
        if self._held_since and self._clock() - self._held_since > HELD:
            self.let_go()
        self._holds = True

    def let_go(self) -> None:
        """Send what was held, and hold no more.

        One after the other: when this thread is stuck with one, another can send the rest.
        """
        with self._holding:
            self._holds, self._held_since = False, 0.0
        while parcel := self._next_held():
            link, token, method, body, still = parcel
            try:
                if still():
                    self._send(link, token, method, body)
                else:
                    self._spare(link, NeverSent("it may not go any more"))
            except Exception as error:  # noqa: BLE001 - nobody here can be told but its caller
                self._lose(link, Ambiguous(f"it was not sent well: {type(error).__name__}"))
                self._drop(link)

    def _next_held(self) -> Parcel | None:
        try:
            return self._held.popleft()
        except IndexError:
            return None

    def receive(self, timeout: float | None) -> None:
        """Wait for answers, at most so many seconds, and pass on those that came."""
        if self._holds or self._held:
            self.let_go()
        with self._listening:
            for key, _ in self._selector.select(timeout):
                link: Link | Callable[[], None] = key.data
                if not isinstance(link, Link):
                    link()
                elif not (keep := link.read()) or link.reply is not None:
                    self._finish(link, keep=keep)
            if (now := self._clock()) >= self._look_at:
                self._look_at = now + 1
                for link in [link for link in list(self.busy) if link.due <= now]:
                    self._lose(link, Ambiguous("no answer from Telegram: it took too long"))

    def watch(self, file: int, hear: Callable[[], None]) -> None:
        """Listen to another open file too: `hear` is called when there is something to read."""
        self._selector.register(file, selectors.EVENT_READ, hear)

    def ignore(self, file: int) -> None:
        """Listen to it no more; before it is closed."""
        with suppress(KeyError, ValueError):
            self._selector.unregister(file)

    def wake(self) -> None:
        """End a `receive` that waits, from any thread."""
        with suppress(BlockingIOError):  # it rings already
            self._rope.send(b"\0")

    def close(self) -> None:
        """Close every connection."""
        for link in [*self._idle, *self.busy]:
            self._drop(link)
        for end in (self._bell, self._rope):
            end.close()
        self._selector.close()

    def _take(self) -> Link | None:
        """The idle link that was used last; one that stood for long may be dead unnoticed."""
        while self._idle:
            try:
                link = self._idle.pop()
            except IndexError:  # another thread was quicker
                break
            if self._clock() - link.used <= STALE and not link.stirs():
                return link
            self._drop(link)
        return None

    def _connect(self) -> Link:
        sock = socket.create_connection(self._place, self._timeout[0])
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._tls:
                sock = self._tls.wrap_socket(  # a cut must not pass for an answer's end
                    sock, server_hostname=self._place[0], suppress_ragged_eofs=False
                )
            sock.setblocking(False)
        except BaseException:
            sock.close()
            raise
        link = Link(sock, self._heads)
        self._selector.register(sock, selectors.EVENT_READ, link)
        return link

    def _send(self, link: Link, token: Secret, method: str, body: bytes) -> None:
        try:
            self._put(link, token, method, body)
        except (NeverSent, Ambiguous) as error:
            self._lose(link, error)
            self._drop(link)  # when its answer was quicker, it was only ended

    def _put(self, link: Link, token: Secret, method: str, body: bytes) -> None:
        """Write the request; the token is in no variable that a traceback could show."""
        sent, whole = 0, False
        try:
            while not whole:
                wrote = self._write(link, token, method, body, sent)
                if isinstance(wrote, str):
                    kind = Ambiguous if sent or self._tls else NeverSent
                    raise kind(f"the connection broke: {wrote}")
                if wrote == (sent, False):
                    self._await_room(link)
                sent, whole = wrote
        except BaseException:
            link.writing = False
            raise

    def _write(
        self, link: Link, token: Secret, method: str, body: bytes, sent: int
    ) -> tuple[int, bool] | str:
        """Write what fits; give how much is sent by now, and whether that is all.

        Gives an error's name instead of raising it: its frames hold the request.
        """
        request = b""
        try:
            request = self._request(token, method, body)
            with link.lock:
                link.asked = link.writing = True
                sent += link.sock.send(request[sent:] if sent else request)
                link.writing = sent < len(request)
                return sent, not link.writing
        except (BlockingIOError, ssl.SSLWantWriteError):
            return sent, False
        except OSError as error:
            return type(error).__name__
        finally:
            request = b""  # whatever else is raised shows it in no frame

    def _await_room(self, link: Link) -> None:
        """Wait until the connection takes more. Raises Ambiguous when it does not."""
        with selectors.DefaultSelector() as selector:
            selector.register(link.sock, selectors.EVENT_WRITE)
            if not selector.select(self._timeout[1]):
                raise Ambiguous("the connection takes nothing")

    def _request(self, token: Secret, method: str, body: bytes) -> bytes:
        return (
            f"POST {self._path}/bot{token.reveal()}/{method} HTTP/1.1\r\n"
            f"Host: {self._netloc}\r\nUser-Agent: steadygram\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    def _finish(self, link: Link, *, keep: bool) -> None:
        """Pass on what came over a link, and let it carry the next call."""
        heard = self.busy.pop(link, None)
        if heard is None:  # it was idle: the server ended it, or said what nobody asked for
            with suppress(ValueError):  # another thread just took it, and will notice
                self._idle.remove(link)
                self._drop(link)
            return
        reply, link.reply, link.asked = link.reply, None, False
        if keep:
            link.used = self._clock()
            self._idle.append(link)
        else:
            self._drop(link)
        heard(reply or Ambiguous("no answer from Telegram: the connection ended before it"))

    def _lose(self, link: Link, error: NeverSent | Ambiguous) -> None:
        if heard := self.busy.pop(link, None):
            self._drop(link)
            heard(error)

    def _spare(self, link: Link, error: NeverSent) -> None:
        """Do without a call that was not begun; its link carries another one."""
        if heard := self.busy.pop(link, None):
            self._idle.append(link)
            heard(error)

    def _drop(self, link: Link) -> None:
        with suppress(KeyError, ValueError):
            self._selector.unregister(link.sock)
        link.close()

    def _quiet(self) -> None:
        with suppress(BlockingIOError):
            self._bell.recv(PIECE)
