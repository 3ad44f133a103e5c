"""The user's IDX files."""

from pathlib import Path
from typing import TYPE_CHECKING

from minima.data.idx_pool import NAMES, KnownFile, load_idx
from minima.data.pool import Pool

if TYPE_CHECKING:
    from minima.plan.recipes import Idx


def load(recipe: "Idx", data_dir: Path) -> Pool:
    """`load` returns the pools of the four files that the recipe names."""
    files = {role: KnownFile(getattr(recipe, role), recipe.sha256.get(role)) for role in NAMES}
    return load_idx(files, recipe.source, data_dir)
