"""The reports of the months, as the schedule has written them: pages of their own, which run nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from rayon.errors import NotFoundError
from rayon.serving.auth import Reviewer
from rayon.serving.services import services

router = APIRouter()
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""A report has its styles and pictures in itself, and may do nothing."""

_NAME = re.compile(r"monitoring-([0-9]{4})-(0[1-9]|1[0-2])\.html")


@dataclass(frozen=True, slots=True)
class MonthlyReport:
    """A file, and the first day of the month that it is about."""

    name: str
    month: date


def list_reports(folder: Path | None) -> list[MonthlyReport]:
    """What is in the folder, newest first; nothing where there is no folder."""
    if folder is None or not folder.is_dir():
        return []
    found = [_NAME.fullmatch(path.name) for path in folder.iterdir() if path.is_file()]
    reports = [MonthlyReport(one[0], date(max(1, int(one[1])), int(one[2]), 1)) for one in found if one]
    return sorted(reports, key=lambda one: one.month, reverse=True)


@router.get("/monitoring/reports/{name}")
def read(request: Request, _user: Reviewer, name: str) -> Response:
    """Open one of them, by a name from the list."""
    folder = services(request).reports
    if folder is None or name not in [one.name for one in list_reports(folder)]:
        raise NotFoundError("There is no such report", "The journal lists them")
    return HTMLResponse((folder / name).read_bytes(), headers={"Content-Security-Policy": POLICY})
