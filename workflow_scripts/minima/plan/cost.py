"""What a pack costs: seconds, memory and device memory from its shapes and steps.

A first model, an upper bound: every network is taken to run to its last step.
"""

from dataclasses import dataclass

from minima.plan.grid import Cell
from minima.plan.networks import MODULES, size_of
from minima.plan.recipes import output_count, row_shape, training_rows

START_SECONDS = 5.0  # a job's imports and files
BASE_MEMORY_MB = 600  # torch, xarray and scikit-learn, imported
FLOPS_PER_SECOND = 3e10  # what one core reaches on stacked float64 products
MODULE_FLOPS_PER_SECOND = 1e10  # on convolutions of small images
STEP_SECONDS = 5e-6  # per network and step: the small operations around the products


@dataclass(frozen=True)
class Cost:
    """Of one cell or of one pack; cells trained together add up."""

    seconds: float = 0.0
    memory_mb: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.seconds + other.seconds, self.memory_mb + other.memory_mb)


def cell_cost(cell: Cell) -> Cost:
    """Seconds on one core, and the memory that the cell adds to its pack."""
    data, network, steps = cell["data"], cell["network"], cell["stop"]["max_steps"]
    rows, test_rows = training_rows(data), data["test_size"]
    outputs = output_count(data)
    shape = row_shape(data) or (1, 28, 28)
    copies = 2 if cell["init"]["scheme"] == "antisymmetric" else 1
    parameters, products, kept = (copies * n for n in size_of(network, shape, outputs))
    if network["kind"] in MODULES:
        batch = cell["optimizer"]["batch_size"] or rows
        flops = 2.0 * products * steps * 4 * batch  # an epoch of steps, and a look at all points behind it
        rate, kept_rows = MODULE_FLOPS_PER_SECOND, batch
    else:
        flops = 6.0 * rows * products * steps  # forward, backward, gradient: 2 each
        rate, kept_rows = FLOPS_PER_SECOND, rows + test_rows
    seconds = flops / rate + steps * STEP_SECONDS
    size = 8 if cell["dtype"] == "float64" else 4
    kernel = (rows + test_rows) * rows * outputs**2 * 3 if cell["predict"] else 0
    return Cost(seconds, size * (4 * parameters + 3 * kept_rows * kept + kernel) / 1e6)


def job_memory_mb(cost: Cost) -> int:
    return round(BASE_MEMORY_MB + 1.2 * cost.memory_mb)


def job_minutes(cost: Cost) -> int:
    return max(1, round((START_SECONDS + cost.seconds) / 60 + 1))
