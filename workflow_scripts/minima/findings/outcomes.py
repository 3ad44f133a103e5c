"""What the store knows of how long training takes, for the plan's model of convergence."""

import json
from collections.abc import Iterable, Iterator

from minima import store
from minima.plan.convergence import Outcome

NEEDED = {"status", "steps", "residual"}
NAMES = (*sorted(NEEDED), "level", "residual_steps", "linearized_trained_steps")


def outcomes(entries: Iterable[store.Entry]) -> Iterator[Outcome]:
    """`outcomes` yields what stored cells took, read with their numbers of `NAMES`."""
    for entry in entries:
        numbers = entry.numbers
        if not numbers.keys() >= NEEDED:
            continue
        levels = zip(numbers.get("level", []), numbers.get("residual_steps", []), strict=False)
        run = numbers.get("linearized_trained_steps")
        yield Outcome(
            json.loads(entry.identity.fields),
            str(numbers["status"]),
            float(numbers["steps"]),
            float(numbers["residual"]),
            tuple((float(level), float(steps)) for level, steps in levels),
            None if run is None else float(run),
        )
