"""What processes that were ended have left behind in a folder that Rayon keeps."""

from __future__ import annotations

import shutil
import time
from pathlib import Path


def remove_leftovers(folder: Path, pattern: str, older_than: float) -> None:
    """Remove folders that nobody has written to for long.

    Parameters
    ----------
    folder
        Where they lie; it need not be there.
    pattern
        What their names look like, as a glob.
    older_than
        Seconds since something last appeared in them.
    """
    for place in folder.glob(pattern):
        try:
            forgotten = place.is_dir() and time.time() - place.stat().st_mtime > older_than
        except OSError:  # another process was quicker
            continue
        if forgotten:
            shutil.rmtree(place, ignore_errors=True)
