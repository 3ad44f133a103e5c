"""The user's IDX files."""

from pathlib import Path

from pydantic import Field

from minima.data.idx import ROLES, KnownFile, Role, load_idx
from minima.data.pool import Pool
from minima.plan.recipes import Recipe, Sha256


class Idx(Recipe):
    """The user's IDX files, plain or .gz, in data_dir."""

    train_images: str = Field(description="File of the training images, relative to data_dir.")
    train_labels: str = Field(description="File of the training labels, relative to data_dir.")
    test_images: str = Field(description="File of the test images, relative to data_dir.")
    test_labels: str = Field(description="File of the test labels, relative to data_dir.")
    sha256: dict[Role, Sha256] = Field({}, description="Checksums to insist on, by the fields above.")

    def own_files(self, data_dir: Path) -> list[Path]:
        return [data_dir / getattr(self, role) for role in ROLES]


def load(recipe: Idx, data_dir: Path) -> Pool:
    """`load` returns the pools of the four files that the recipe names."""
    files = {role: KnownFile(getattr(recipe, role), recipe.sha256.get(role)) for role in ROLES}
    return load_idx(files, recipe.source, data_dir)
