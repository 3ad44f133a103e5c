"""The other coordinates in which networks may be trained, exactly and cheaper. Imports nothing of the engine:
the plan asks too, for the fingerprint."""

from collections.abc import Mapping
from typing import Any


def forms_of(network: Mapping[str, Any]) -> list[str]:
    """Modules of such coordinates for a cell's `network` section, the cheapest first."""
    if network["kind"] != "mlp":
        return []
    narrow = ["minima.engine.models.narrow"] if network["activation"] == "linear" else []
    return [*narrow, "minima.engine.models.gram"]
