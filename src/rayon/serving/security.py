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
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "cache-control": "no-store",  # what is answered is for who is signed in now
}


def guards(content_type: str) -> dict[str, str]:
    """The headers that an answer with such content has, unless it says otherwise itself."""
    policy = PAGE_POLICY if content_type.startswith("text/html") else _NOTHING
    return {**_ALWAYS, "content-security-policy": policy}


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
    wanted = guards(there.get(b"content-type", b"").decode("latin-1"))
    missing = ((name.encode(), value.encode()) for name, value in wanted.items())
    return [*headers, *((name, value) for name, value in missing if name not in there)]
