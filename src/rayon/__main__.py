"""``python -m rayon``."""

from rayon.cli.main import run

if __name__ == "__main__":
    run()
