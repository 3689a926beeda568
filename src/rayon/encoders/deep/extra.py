"""Whether the extra for neural networks is installed."""

from __future__ import annotations

from importlib.util import find_spec

from rayon.errors import RayonError

PACKAGES = ("torch", "transformers", "onnx", "onnxscript")


class MissingDeepExtraError(RayonError):
    """Neural networks are asked for where torch or transformers is not installed."""

    status = 501


def require_deep(purpose: str) -> None:
    """Refuse to go on without the extra.

    Parameters
    ----------
    purpose
        What needs it, as the beginning of a sentence.

    Raises
    ------
    MissingDeepExtraError
        Naming the first package that is missing, and the line that installs them.
    """
    missing = next((name for name in PACKAGES if find_spec(name) is None), None)
    if missing is not None:
        raise MissingDeepExtraError(
            f"{purpose} needs the package {missing!r}, which is not installed",
            "Install what is needed with: pip install 'rayon[deep]' "
            "(on the CPU alone: pip install torch==2.13.0 first)",
        )
