"""Named random streams: each draw has its own generator, so nothing depends on what was drawn before it."""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.random import Generator


def stream(seed: int, name: str) -> "Generator":
    """The generator of one purpose (`name`) of one seed.

    Philox is counter-based: its 128-bit key alone fixes the whole sequence. The key is the start of a
    sha256 of seed and name, so neighbouring seeds and different names give unrelated streams.

    Examples:
        >>> stream(100, "weights").random() == stream(100, "weights").random()
        True
        >>> stream(100, "weights").random() == stream(100, "batches").random()
        False
    """
    from numpy.random import Generator, Philox

    digest = hashlib.sha256(f"{int(seed)}:{name}".encode()).digest()
    return Generator(Philox(key=int.from_bytes(digest[:16], "little")))
