"""Templates to answers: text is escaped, the language is the browser's, nothing is loaded from elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import escape
from starlette.routing import Match

from rayon.data.readable import readable
from rayon.operations.accounts import Role
from rayon.operations.sessions import form_token, new_token
from rayon.serving.cookies import keep_session, session_token
from rayon.serving.services import services
from rayon.serving.web.languages import (
    Formats,
    Language,
    french,
    language_of,
    translate_message,
    translator,
)
from rayon.store.accounts import User

_RANK = {role: rank for rank, role in enumerate(Role)}

PAGES: tuple[tuple[str, str, Role], ...] = (
    ("/", "Start", Role.CLIENT),
    ("/classify", "Classify", Role.CLIENT),
    ("/review", "Review", Role.REVIEWER),
    ("/predictions", "Predictions", Role.CLIENT),
    ("/batches", "Batches", Role.CLIENT),
    ("/monitoring", "Monitoring", Role.REVIEWER),
    ("/models", "Models", Role.REVIEWER),
    ("/people", "People", Role.ADMIN),
)
"""What the navigation leads to: address, name, and the least role that sees it."""


def render_page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Fill in a template for whoever asks.

    Parameters
    ----------
    request
        What is answered.
    template
        Its name below ``templates``.
    status
        Of the answer.
    values
        What the template needs beside what all of them have (see `_surroundings`).
    """
    language, known = language_of(request), session_token(request)
    # Strangers get a token that is worth nothing, so that forms can show that they come from this page.
    token = known or new_token()
    page = environment(language).get_template(template)
    answer = HTMLResponse(page.render(**_surroundings(request, language, token), **values), status)
    if not known:
        keep_session(request, answer, token)
    return answer


def redirect(path: str, done: str = "") -> RedirectResponse:
    """Lead the browser to a page after something was done; ``done`` is a notice of ``notices.html.j2``."""
    mark = "&" if "?" in path else "?"
    return RedirectResponse(f"{path}{mark}done={done}" if done else path, 303)


def signed_in(request: Request) -> User | None:
    """Who asks for the page; ``None`` where nobody is signed in."""
    return request.scope.get("rayon_signed_in")


def may(user: User | None, role: Role) -> bool:
    """Whether somebody has the role, or one above it."""
    return user is not None and _RANK[Role(user.role)] >= _RANK[role]


def _surroundings(request: Request, language: Language, token: str) -> dict[str, Any]:
    """What every template has."""
    user = signed_in(request)
    pages = [(path, name) for path, name, role in PAGES if may(user, role)]
    path = request.url.path
    return {
        "request": request,
        "user": user,
        "is_reviewer": may(user, Role.REVIEWER),
        "is_admin": may(user, Role.ADMIN),
        "language": language,
        "pages": pages,
        "here": max((one for one, _ in pages if _is_below(path, one)), key=len, default=""),
        "path": path,
        "address": f"{path}?{request.url.query}" if request.url.query else _page_of(request),
        "csrf": form_token(token),
        "done": request.query_params.get("done", ""),
        "label": _labels(request, language),
    }


def _page_of(request: Request) -> str:
    """The address itself, or the nearest one above it that can be looked at: some take forms alone."""
    path: str = request.url.path
    while request.method != "GET" and path and not _can_be_got(request, path):
        path = path.rpartition("/")[0]
    return path or "/"


def _can_be_got(request: Request, path: str) -> bool:
    asked = {**request.scope, "method": "GET", "path": path}
    return any(route.matches(asked)[0] is Match.FULL for route in request.app.router.routes)


def _is_below(path: str, page: str) -> bool:
    return path == page if page == "/" else path == page or path.startswith(f"{page}/")


def _labels(request: Request, language: Language) -> Callable[..., str]:
    taxonomy = services(request).model.taxonomy_

    def label(code: str | None, fallback: str = "") -> str:
        """What people call a code; the label that was stored where the model does not know it any more."""
        if code is None:
            return fallback
        return taxonomy.label(code, language) if code in taxonomy else fallback or code

    return label


@cache
def environment(language: Language) -> Environment:
    """Templates in a language; undefined names are errors."""
    made = Environment(
        loader=PackageLoader("rayon.serving.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    say, formats = translator(language), Formats(language)

    def ours(text: str) -> str:
        # The template takes what this gives for safe, and fills its gaps.
        return say(text) if text in french() else escape(text.replace("%", "%%"))

    def plural(one: str, many: str, n: int) -> str:
        # French counts nothing as one, English as many.
        return ours(one if n == 1 or (n == 0 and language == "fr") else many)

    made.install_gettext_callables(ours, plural, newstyle=True)  # type: ignore[attr-defined]
    made.filters.update(
        number=formats.number,
        percent=formats.percent,
        day=formats.day,
        moment=formats.moment,
        size=formats.size,
        message=lambda text: translate_message(text, language),
        readable=readable,
        say=say,  # of texts that come from elsewhere
    )
    made.globals.update(static=static_address, interval=formats.interval, with_query=_with_query)
    return made


@pass_context
def _with_query(context: Context, **changes: str | None) -> str:
    """The page's address with parts of its query changed, or left out where they are ``None``."""
    address = context["request"].url.include_query_params(
        **{name: value for name, value in changes.items() if value is not None}
    )
    address = address.remove_query_params([name for name, value in changes.items() if value is None])
    return f"{address.path}?{address.query}" if address.query else address.path


@cache
def static_files() -> Mapping[str, bytes]:
    """Stylesheet, script and icon by their names."""
    folder = resources.files("rayon.serving.web") / "static"
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def static_address(name: str) -> str:
    """Where a static file is; the address changes with any of them, so that browsers may keep it for good.

    All have the same beginning, by which scripts find each other.
    """
    return f"/static/{_static_digest()}/{name}"


@cache
def _static_digest() -> str:
    return hashlib.sha256(b"".join(data for _, data in sorted(static_files().items()))).hexdigest()[:12]
