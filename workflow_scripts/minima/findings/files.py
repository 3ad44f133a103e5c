"""Writing text so that a reader sees the whole file or none."""

import json
import os
import uuid
from pathlib import Path


def write_json(content: object, path: Path) -> None:
    write_text(
        json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n", path
    )


def write_text(text: str, path: Path) -> None:
    """Written under a temporary name and renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
