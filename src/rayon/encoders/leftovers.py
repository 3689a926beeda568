"""What processes that were ended have left behind in a folder that Rayon keeps."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path


def remove_leftovers(folder: Path, name: re.Pattern[str], older_than: float) -> None:
    """Remove folders that nobody has written to for long.

    Parameters
    ----------
    folder
        Where they lie; it need not be there.
    name
        What the whole of their names looks like; nobody else should think of such names.
    older_than
        Seconds since something last appeared in them.
    """
    if not folder.is_dir():
        return
    for place in folder.iterdir():
        if not name.fullmatch(place.name):
            continue
        try:
            forgotten = place.is_dir() and time.time() - place.stat().st_mtime > older_than
        except OSError:  # another process was quicker
            continue
        if forgotten:
            shutil.rmtree(place, ignore_errors=True)
