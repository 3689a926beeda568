"""The ``rayon`` command; also ``python -m rayon``."""

from __future__ import annotations

import signal
import sys
from types import FrameType

INTERRUPTED = 130


def main() -> None:
    """Load the command line, which takes a moment, and run it."""
    signal.signal(signal.SIGINT, _leave)
    from rayon.cli.main import run

    signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
