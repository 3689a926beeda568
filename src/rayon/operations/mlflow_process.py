"""Calls to MLflow from outside of it: one short-lived process each, with an end to every wait."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from rayon.errors import RayonError

_MODULE = "rayon.operations.mlflow_calls"
_ENDING_SECONDS = 10
_LONGEST_REASON = 300


@dataclass(frozen=True)
class TrackingLimits:
    """Whole seconds after which a call to MLflow is given up.

    Parameters
    ----------
    loading
        To import the package.
    reaching
        To get the first answer, from a server or a database; MLflow's own SQLite file is made in this time.
    answering
        For the answer to that first question where it goes over HTTP; it is asked once.
    working
        For all that comes after, uploads included; MLflow's own settings count within it.
    """

    loading: int = 60
    reaching: int = 30
    answering: int = 10
    working: int = 600

    def total(self) -> int:
        """Until the process is killed, should it not have ended itself."""
        return self.loading + self.reaching + self.working + _ENDING_SECONDS


class MlflowCallError(RayonError):
    """MLflow could not do what it was asked for; the message is the reason."""

    status = 503


def call_mlflow(uri: str, call: str, arguments: Mapping[str, Any], limits: TrackingLimits) -> dict[str, Any]:
    """Have another process ask MLflow for something.

    Parameters
    ----------
    uri
        The tracking URI; it is not shown in lists of processes.
    call, arguments
        A function of `rayon.operations.mlflow_calls` and what it takes, JSON-ready.
    limits
        How long it may take.

    Returns
    -------
    dict
        What the function gave.

    Raises
    ------
    MlflowCallError
        With the reason, in which the password of the URI is not shown.
    """
    request = {"uri": uri, "call": call, "arguments": dict(arguments), "limits": asdict(limits)}
    # -P keeps an mlflow.py of the current folder out; -W: warnings of MLflow are none of Rayon's business.
    command = [sys.executable, "-P", "-W", "ignore", "-m", _MODULE]
    try:
        ended = subprocess.run(  # noqa: S603  # our own interpreter and module
            command,
            input=json.dumps(request),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=limits.total(),
            check=False,
            start_new_session=True,  # a Ctrl-C is for us, who then ask it to end the run
        )
    except subprocess.TimeoutExpired:
        raise MlflowCallError(f"it was not done within {limits.total()} s") from None
    except OSError as error:
        raise MlflowCallError(f"no process could be started ({error.strerror})") from None
    told = [json.loads(line) for line in ended.stdout.splitlines()]
    if told and isinstance(told[-1], dict) and "error" not in told[-1]:
        return told[-1]
    raise MlflowCallError(_without_password(_reason(ended, told, limits), uri)[:_LONGEST_REASON])


def shown_uri(uri: str) -> str:
    """The URI without its password."""
    return _without_password(uri, uri)


def _reason(ended: subprocess.CompletedProcess[str], told: list[Any], limits: TrackingLimits) -> str:
    if told and isinstance(told[-1], dict):
        return " ".join(str(told[-1]["error"]).split())
    if ended.returncode == -signal.SIGALRM and told:
        return {
            "loading": f"the package did not load within {limits.loading} s",
            "reaching": f"there was no answer within {limits.reaching} s",
            "working": f"it was not done within {limits.working} s",
        }[told[-1]]
    last = ended.stderr.strip().splitlines()[-1:]
    return f"its process ended with {ended.returncode}" + (f" ({last[0]})" if last else "")


def _without_password(text: str, uri: str) -> str:
    try:
        password = urlsplit(uri).password
    except ValueError:  # no address at all, which MLflow will say better
        password = None
    if not password:
        return text
    return text.replace(password, "***").replace(unquote(password), "***")
