"""The audit log in words: what was done, to what, and what there is to add."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from rayon.operations.accounts import COMMAND_LINE, SCHEDULE
from rayon.serving.web.languages import N_
from rayon.store.audit import AuditEntry

Form = Literal["text", "word", "sentence", "share", "score", "figure"]

_ACTIONS = {
    "user.create": N_("created a user"),
    "user.password": N_("set a new password"),
    "user.role": N_("changed a role"),
    "user.disable": N_("disabled a user"),
    "user.enable": N_("enabled a user"),
    "user.delete": N_("deleted a user"),
    "key.create": N_("created an API key"),
    "key.revoke": N_("revoked an API key"),
    "golden.fix": N_("fixed the golden set"),
    "golden.grow": N_("let the golden set grow"),
    "brake.set": N_("put a brake on a model"),
    "brake.release": N_("released a brake"),
    "model.register": N_("registered a model"),
    "model.promote": N_("promoted a model"),
    "model.rollback": N_("went back to a model"),
    "data.prune": N_("erased old predictions"),
    "data.forget": N_("erased all of a product or a user"),
}
_ACTORS = {COMMAND_LINE: N_("command line"), SCHEDULE: N_("the schedule")}
_ABOUT_DATA = ("golden.", "data.")
_FIELDS: dict[str, tuple[str, Form]] = {
    "role": (N_("role"), "word"),
    "key": (N_("key"), "text"),
    "reason": (N_("reason"), "sentence"),
    "previous": (N_("before that"), "text"),
    "source": (N_("source"), "word"),
    "share": (N_("share"), "share"),
    "kind": (N_("effect"), "word"),
    "asked": (N_("asked for"), "word"),
    "threshold": (N_("threshold"), "score"),
    "predictions": (N_("predictions"), "figure"),
    "golden": (N_("golden listings"), "figure"),
    "images": (N_("pictures"), "figure"),
    "jobs": (N_("batches"), "figure"),
}
_WORDS = {
    "review": N_("accepts nothing"),
    "tighten": N_("accepts less"),
    "import": N_("imported"),
    "retrain": N_("retrained"),
    "recalibrate": N_("recalibrated"),
}


@dataclass(frozen=True, slots=True)
class Detail:
    """One thing that an entry adds.

    Parameters
    ----------
    label
        What it is; translated where it is known.
    value
        As it is stored.
    form
        How it is shown; a ``"word"`` and a ``"sentence"`` are translated, a ``"text"`` never.
    """

    label: str
    value: Any
    form: Form


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of the audit log for people.

    Parameters
    ----------
    at
        When it was.
    actor, is_person
        Who did it, and whether that is the name of a user, which is not translated.
    what
        In words; the action's own name where there are none.
    subject, is_named
        To what, and whether that is a name, which is not translated.
    details
        What there is to add.
    """

    at: datetime
    actor: str
    is_person: bool
    what: str
    subject: str
    is_named: bool
    details: tuple[Detail, ...]


def line_of(entry: AuditEntry) -> Line:
    """Put an entry into words."""
    return Line(
        entry.at,
        _ACTORS.get(entry.actor, entry.actor),
        entry.actor not in _ACTORS,
        _ACTIONS.get(entry.action, entry.action),
        entry.subject,
        not entry.action.startswith(_ABOUT_DATA),
        tuple(_detail(name, value) for name, value in entry.detail.items() if value not in (None, "")),
    )


def _detail(name: str, value: Any) -> Detail:
    label, form = _FIELDS.get(name, (name, "text"))
    if isinstance(value, str) != (form in ("text", "word", "sentence")):
        form = "text"
    return Detail(label, _WORDS.get(value, value) if form == "word" else value, form)
