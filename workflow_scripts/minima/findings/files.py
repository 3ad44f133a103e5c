"""JSON as all findings write it."""

import json
from pathlib import Path

from minima.atomic import write_text


def write_json(content: object, path: Path) -> None:
    """`write_json` writes sorted JSON, the same bytes for the same content."""
    write_text(
        json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n", path
    )
