"""Tables of openml.org, through scikit-learn: from the network once, then from `data_dir`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import Field

from minima.data.pool import DataError, Pool
from minima.data.tables import inputs_and_target
from minima.data.targets import targets_of
from minima.plan.recipes import UNKNOWN, Facts, Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Openml(Recipe):
    """A table of openml.org by its number, or by name and version: needs a network, once."""

    targets = "either"
    downloaded = True
    facts = Facts("A table of OpenML", "openml.org", "as openml.org says")

    name: str | None = Field(None, description="Name of the table, with its version; null: see data_id.")
    version: int | None = Field(None, ge=1, description="Version of the table of this name.")
    data_id: int | None = Field(None, ge=1, description="Number of the table, in place of name and version.")
    target: str | None = Field(None, description="Target column; null: the one that OpenML names.")
    columns: list[str] | None = Field(
        None,
        min_length=1,
        description="Columns that are the inputs, in this order; null: all but the target.",
    )

    def images(self) -> bool | None:
        return False

    def expected_shape(self) -> tuple[int, ...]:
        return (len(self.columns),) if self.columns else UNKNOWN

    def where(self) -> str:
        which = f"{self.name}, version {self.version}" if self.name else f"number {self.data_id}"
        return f"openml: {which}"

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if (self.name is None) == (self.data_id is None):
            yield "openml needs either data_id, the number of a table, or its name and version"
        elif self.name is not None and self.version is None:
            yield f"name: {self.name} needs a version, for versions differ: say version: 1, or use data_id"
        elif self.name is None and self.version is not None:
            yield "version goes with name: data_id is of one version"
        for name in dict.fromkeys(self.columns or ()):
            if self.columns.count(name) > 1:
                yield f"columns names {name} twice"
            if name == self.target:
                yield f"{name} is the target and one of columns: leave it out there, or name another target"


def load(recipe: Openml, data_dir: Path) -> Pool:
    """`load` returns the table, whose `y` are classes where the recipe speaks of classes."""
    from sklearn.datasets import fetch_openml  # takes a second

    where = recipe.where()
    named = {"name": recipe.name, "version": recipe.version} if recipe.name else {"data_id": recipe.data_id}
    try:
        found = fetch_openml(
            **named,
            target_column=recipe.target or "default-target",
            data_home=str(data_dir),
            as_frame=True,
            parser="pandas",
            n_retries=1,
        )
    except OSError as error:  # URLError, HTTPError and timeouts are
        raise DataError(
            f"{where} is not in {data_dir / 'openml'}, and getting it from openml.org failed ({error}). "
            "Prepare the data where there is a network (snakemake --cores 1 --until prepare_data), or copy "
            "that folder from where it was."
        ) from error
    except (ValueError, LookupError, EOFError) as error:
        raise DataError(f"{where} cannot be read: {' '.join(map(str, error.args))}") from error
    if len(found.target_names) != 1:
        held = f"{len(found.target_names)} targets ({', '.join(found.target_names) or 'none'})"
        raise DataError(f"{where} has {held}: name one, as in target: {found.frame.columns[-1]}")
    (target,) = found.target_names
    x, y = inputs_and_target(found.frame, where, recipe.columns, target)
    (labels,), words = targets_of(recipe, where, {f"column {target}": y})
    details = found.details
    table = {"data_id": int(details["id"]), "version": int(details["version"])}
    table |= {name: details[name] for name in ("name", "md5_checksum")}
    facts = {
        "title": f"{details['name']}, prepared for training",
        "source": found.url,
        "licence": details.get("licence", recipe.facts.licence),
        "openml": json.dumps(table, sort_keys=True),
    }
    return Pool(x, labels, words=words, facts=facts)
