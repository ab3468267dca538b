"""Who may ask: a program of this machine's user that was shown the address, and no page of another site."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import socket
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

MOST_BYTES = 1 << 20  # of what a page may send
_LOCAL = ("127.0.0.1", "localhost", "[::1]")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Stands before the application. What it refuses, the application never hears of."""

    def __init__(self, app: ASGIApp, token: str, secret: str, host: str = "127.0.0.1", port: int = 0) -> None:
        """token: of the first address. secret: what the cookie holds then. host, port: where it listens."""
        self.app, self._token, self._secret = app, token, secret
        self.cookie = f"videdit-{port}"  # cookies of other ports come along
        self._names = set(_LOCAL) | ({host, socket.gethostname()} if host not in _LOCAL else set())
        self._anywhere = host in ("0.0.0.0", "::")
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI connection. Web sockets are not answered, and a body that is too large is cut off."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # no web sockets here
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, _with_headers(send))
            return
        await self.app(scope, _limited(receive), _with_headers(send))

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if not self._is_ours(host):
            return PlainTextResponse("This studio has another address.\n", 421)
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        foreign = (origin is not None and origin != f"http://{host}") or site not in ("same-origin", "none")
        # A link to the first address may be followed from anywhere: it brings nothing but the token.
        if foreign and not (scope["method"] == "GET" and scope["path"] == "/" and origin is None):
            return _refused(403, "Another site asked for this.")
        if scope["method"] == "GET" and scope["path"] == "/" and (given := _token_of(scope)):
            if not _same(given, self._token):
                return PlainTextResponse("The token of this address is not, or no longer, right.\n", 401)
            answer = RedirectResponse("/", 303)
            answer.set_cookie(self.cookie, self._secret, max_age=30 * 86400, httponly=True, samesite="strict")
            return answer
        if not self._is_known(headers):
            words = "Open the address that videdit studio printed: it holds the key to this page."
            return PlainTextResponse(words + "\n", 401) if scope["path"] == "/" else _refused(401, words)
        if scope["method"] not in ("GET", "HEAD"):
            if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
                return _refused(415, "Requests are JSON.")
            length = headers.get("content-length", "")
            if not (length.isascii() and length.isdigit()) or len(length) > 12:
                return _refused(411, "A request says how long it is.")
            if int(length) > MOST_BYTES:
                return _refused(413, f"A request holds {MOST_BYTES >> 10} KiB at most.")
        return None

    def _is_ours(self, host: str) -> bool:
        name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        if not name:
            name, port = host, "80"
        if self._port and port != str(self._port):
            return False
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return self._anywhere  # a name could be another's that leads here (DNS rebinding), a number cannot

    def _is_known(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return _same(given.strip(), self._token)
        try:
            jar = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        return self.cookie in jar and _same(jar[self.cookie].value, self._secret)


def _token_of(scope: Scope) -> str:
    return parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=8).get("token", [""])[0]


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _refused(status: int, words: str) -> Response:
    return JSONResponse({"error": words}, status)


def _limited(receive: Receive) -> Receive:
    """The same, ended where more comes than was announced to be."""
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MOST_BYTES:
            return {"type": "http.disconnect"}
        return message

    return limited


def _with_headers(send: Send) -> Send:
    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sender
