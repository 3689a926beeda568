"""Pictures of listings as small inlined thumbnails."""

from __future__ import annotations

import base64
import io

from markupsafe import Markup
from PIL import Image

from rayon.data.image import decode_image
from rayon.data.listings import ImageSource
from rayon.errors import ImageError

THUMBNAIL_SIZE = 120
"""Side of a thumbnail in pixels."""

_QUALITY = 72


def thumbnail(source: ImageSource | None, size: int = THUMBNAIL_SIZE) -> Markup | None:
    """A picture as the ``data:`` address of a small JPEG; ``None`` where it is absent or unreadable.

    The picture is decoded and encoded again, so that nothing of the original file reaches the page.
    """
    if source is None:
        return None
    try:
        pixels = decode_image(source, size)
    except ImageError:
        return None
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=_QUALITY, optimize=True)
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Markup(f"data:image/jpeg;base64,{encoded}")  # noqa: S704  # base64 has nothing to escape
