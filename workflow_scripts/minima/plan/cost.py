"""What a pack costs: seconds, memory and device memory from its shapes and steps.

An upper bound, as every network is taken to run to its last step; but a flow, which never does, to as many
steps as its tolerance asks for. The coefficients are one core's; tests/unit/test_cost.py has measured cells.
"""

from dataclasses import dataclass
from math import prod

from minima.plan.grid import Cell
from minima.plan.networks import MODULES, size_of
from minima.plan.recipes import output_count, row_shape, training_rows

START_SECONDS = 5.0  # a job's imports and files
BASE_MEMORY_MB = 600  # torch, xarray and scikit-learn, imported
CELL_SECONDS = 1e-2  # drawing, storing
STEP_SECONDS = 5e-5  # the small operations around a step's products
FLOW_STEP_SECONDS = 1e-3  # the same for a step of the flow
FLOPS_PER_SECOND = {"float64": 3e10, "float32": 6e10}  # what one core reaches on stacked products
NARROW_SHARE = 0.2  # of that, on products of a vector and a matrix
MODULE_FLOPS_PER_SECOND = {"float64": 1e10, "float32": 4e10}  # on convolutions of small images
MODULE_STEP_SECONDS = 3e-4  # as STEP_SECONDS, one network at a time and by autograd
PASS_SECONDS = {"float64": 5e-10, "float32": 2.5e-10}  # per number: an elementwise operation
ADAPTIVE_PASSES = 12  # over the weights, in a step of an optimizer that looks at each coordinate
ADAPTIVE = {"adagrad", "adagrad_norm", "rmsprop", "adam", "adamw", "sign", "preconditioned"}
FLOW_POWER = -0.75  # steps of the flow ≈ tolerance to this power: 20 to 420 at 1e-3, the rich ReLU ones most
EIGH, SOLVE = 30, 5  # operations per n³: eigenvectors; eigenvalues or a factorization


@dataclass(frozen=True)
class Cost:
    """Of one cell or of one pack; cells trained together add up."""

    seconds: float = 0.0
    memory_mb: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.seconds + other.seconds, self.memory_mb + other.memory_mb)


@dataclass(frozen=True)
class Sizes:
    """Of a cell: points, outputs; of its network, with copies, parameters, and per point multiplications of
    a forward pass and the numbers it keeps."""

    rows: int
    test_rows: int
    outputs: int
    parameters: float
    products: float
    kept: float

    @property
    def all_rows(self) -> int:
        return self.rows + self.test_rows

    def kernel_flops(self, rows: int) -> float:
        """The tangent kernel of so many points and the training points: their signals, products per layer."""
        signals = 4.0 * rows * self.outputs * self.products
        return signals + 2.0 * rows * self.rows * (1 + self.outputs**2) * self.kept

    def dense_flops(self, per_cube: float) -> float:
        return per_cube * (self.rows * self.outputs) ** 3.0


def sizes_of(cell: Cell) -> Sizes:
    data, outputs = cell["data"], output_count(cell["data"])
    copies = 2 if cell["init"]["scheme"] == "antisymmetric" else 1
    shape = row_shape(data) or (1, 28, 28)
    rows, network = training_rows(data), cell["network"]
    if _is_narrow(cell):
        parameters, products, kept = _narrow_size(cell, rows, prod(shape), outputs)
    else:
        parameters, products, kept = size_of(network, shape, outputs)
    return Sizes(rows, data["test_size"], outputs, *(copies * n for n in (parameters, products, kept)))


def _narrow_size(cell: Cell, rows: int, features: int, outputs: int) -> tuple[float, float, float]:
    """As `size_of`, in the coordinates of `minima.engine.models.narrow`. Only scheme: bartlett draws so few
    weights."""
    network, seen = cell["network"], min(rows, features)
    units = min(network["width"], seen + outputs)
    held = units if cell["init"]["scheme"] == "bartlett" else network["width"]
    products = outputs * seen * (3 * units + 2 * rows) / (3 * rows) / NARROW_SHARE
    return held * (features + outputs), products, features + units + outputs


def cell_cost(cell: Cell) -> Cost:
    """Seconds on one core, and the memory that the cell adds to its pack."""
    sizes = sizes_of(cell)
    seconds = CELL_SECONDS + _training_seconds(cell, sizes)
    kept_rows, kernel = sizes.all_rows, 0
    if cell["network"]["kind"] in MODULES:
        kept_rows = cell["optimizer"]["batch_size"] or sizes.rows
    if _needs_kernel(cell):
        flops = sizes.kernel_flops(sizes.all_rows) + sizes.dense_flops(SOLVE)
        seconds += flops / FLOPS_PER_SECOND["float64"]
        kernel = sizes.all_rows * sizes.rows * sizes.outputs**2
    size = 8 if cell["dtype"] == "float64" else 4
    return Cost(seconds, size * (4 * sizes.parameters + 3 * kept_rows * sizes.kept + 3 * kernel) / 1e6)


def _is_narrow(cell: Cell) -> bool:
    """Two linear layers trained at the size of what moves; a few probes forbid it, at another cost."""
    network, optimizer = cell["network"], cell["optimizer"]
    return (
        network["kind"] == "mlp"
        and (network["activation"], network["depth"]) == ("linear", 2)
        and optimizer.get("batch_size") is None
        and "unseen" not in cell["record"]["probes"]
    )


def job_memory_mb(cost: Cost) -> int:
    return round(BASE_MEMORY_MB + 1.2 * cost.memory_mb)


def job_minutes(cost: Cost) -> int:
    return max(1, round((START_SECONDS + cost.seconds) / 60 + 1))


def _training_seconds(cell: Cell, sizes: Sizes) -> float:
    optimizer, rate = cell["optimizer"], FLOPS_PER_SECOND[cell["dtype"]]
    if optimizer["name"] == "flow":
        steps = min(cell["stop"]["max_steps"], optimizer["tolerance"] ** FLOW_POWER)
        # twice: to go forward, the kernel and its eigenvalues, and Jᵀc
        kernel = sizes.kernel_flops(sizes.rows) + sizes.dense_flops(EIGH)
        flops = 2 * (4.0 * sizes.rows * sizes.products + kernel)
        return steps * (flops / rate + FLOW_STEP_SECONDS)
    # forward, backward and gradient, 2 each; with batches another 2, a look at all points once an epoch
    batch = optimizer["batch_size"]
    flops = (6.0 * sizes.rows if batch is None else 8.0 * batch) * sizes.products
    small = STEP_SECONDS
    if cell["network"]["kind"] in MODULES:
        rate, small = MODULE_FLOPS_PER_SECOND[cell["dtype"]], MODULE_STEP_SECONDS
    passes = ADAPTIVE_PASSES if optimizer["name"] in ADAPTIVE else 1
    update = passes * sizes.parameters * PASS_SECONDS[cell["dtype"]]
    return cell["stop"]["max_steps"] * (flops / rate + update + small)


def _needs_kernel(cell: Cell) -> bool:
    """As `minima.training` has it: for what is predicted or recorded of it, and for numbers in its units."""
    relative = any(isinstance(cell["optimizer"].get(name), dict) for name in ("lr", "momentum"))
    return bool(cell["predict"]) or cell["record"]["spectrum"] or relative
