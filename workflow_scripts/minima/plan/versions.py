"""The libraries that decide the last bits of a result. Their versions are stored with each cell; they are no
part of its key, for an upgrade must not train a year of work again."""

from functools import cache
from importlib.metadata import version

LIBRARIES = ("numpy", "torch")


@cache
def library_versions() -> str:
    """`library_versions` returns the versions in use here, as `numpy 2.3.1, torch 2.9.0`, without importing a
    library. The build, as in `2.9.0+cu128`, is left out: the device is no part of a cell either."""
    return ", ".join(f"{name} {version(name).partition('+')[0]}" for name in LIBRARIES)
