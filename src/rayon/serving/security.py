"""Headers that keep a browser from doing with an answer what it is not made for."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Pages load scripts, styles and pictures from this server alone, and send forms to it alone."""

_NOTHING = "default-src 'none'; frame-ancestors 'none'"
_ALWAYS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=(), payment=()",
}


class SecurityHeaders:
    """Add the headers that an answer does not have already.

    Parameters
    ----------
    app
        The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _with_guards(message.get("headers", []))
            await send(message)

        await self._app(scope, receive, guarded)


def _with_guards(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    there = dict(headers)
    page = there.get(b"content-type", b"").startswith(b"text/html")
    wanted = {**_ALWAYS, b"content-security-policy": (PAGE_POLICY if page else _NOTHING).encode()}
    if page:
        wanted[b"cache-control"] = b"no-store"  # what is on it is for who is signed in now
    return [*headers, *((name, value) for name, value in wanted.items() if name not in there)]
