"""What the store knows of how long training takes, for the plan's model of convergence."""

import json
from collections.abc import Iterator, Sequence

from minima import store
from minima.plan.convergence import Outcome

NEEDED = {"status", "steps", "residual"}
NAMES = (*sorted(NEEDED), "residual_steps", "linearized_trained_steps")


def outcomes(entries: Sequence[store.Entry]) -> Iterator[Outcome]:
    """`outcomes` yields what stored cells took."""
    for entry, numbers in store.numbers(entries, NAMES):
        if not numbers.keys() >= NEEDED:
            continue
        levels = zip(numbers["level"], numbers.get("residual_steps", []), strict=False)
        run = numbers.get("linearized_trained_steps")
        yield Outcome(
            json.loads(entry.identity.fields),
            str(numbers["status"]),
            float(numbers["steps"]),
            float(numbers["residual"]),
            tuple((float(level), float(steps)) for level, steps in levels),
            None if run is None else float(run),
        )
