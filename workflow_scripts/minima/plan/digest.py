"""Digests: canonical JSON in, a short name out."""

import hashlib
import json
from typing import Any

ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: key order never changes a digest."""
    return ENCODER.encode(value)


def digest(text: str, length: int = 16) -> str:
    """The first `length` hex digits of the sha256; 16 keep 10⁶ names apart with chance 1 − 3e-8."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def bits(hex_digest: str) -> str:
    """`bits` returns a digest in binary."""
    return f"{int(hex_digest, 16):0{4 * len(hex_digest)}b}"
