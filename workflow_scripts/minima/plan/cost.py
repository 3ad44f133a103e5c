"""What a pack costs: seconds, memory and device memory from its shapes and steps.

An upper bound, as every network is taken to run to its last step; but a flow, which never does, to as many
steps as its tolerance asks for, and a linearized network to a part of its own. Coefficients are one core's;
tests/unit/test_cost.py has measured cells.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from math import ceil, log, prod

from minima.plan.grid import Cell, by_group
from minima.plan.networks import MODULES, moving_units, size_of
from minima.plan.recipes import output_count, row_shape, training_rows

START_SECONDS = 5.0  # a job's imports and files
BASE_MEMORY_MB = 800  # torch, xarray and scikit-learn, imported, and on a cluster Snakemake twice beside them
MEMORY_MARGIN = 1.2
# Seconds of one core per unit of work: fitted to recorded jobs by `python benchmarks/cost.py fit`.
SECONDS = {
    "cell": 9.4e-3,  # its start and its storing
    "parameter": 7.2e-8,  # drawn
    "stack_step": 1.1e-4,  # the small operations around a step's products
    "flow_step": 2.6e-3,  # the same for a step of the flow
    "module": 0.3,  # a network of torch's modules beside its cell
    "module_step": 6.4e-4,  # and its step, one network at a time and by autograd
    "flop_float64": 1.8e-11,  # of stacked products
    "flop_float32": 1.1e-11,
    "flop_module_float64": 1e-10,  # of convolutions of small images
    "flop_module_float32": 3.5e-11,
    "flop_kernel": 4.8e-11,  # of the tangent kernel and of what is done with it
    "pass_float64": 7.6e-10,  # an elementwise operation, per number
    "pass_float32": 1.1e-11,
}
NARROW_SHARE = 0.2  # of the rate of products: a vector and a matrix
COORDINATE_PASSES = 12  # over the weights, in a step of an optimizer that looks at each coordinate
BY_COORDINATE = {"adagrad", "adagrad_norm", "rmsprop", "adam", "adamw", "sign", "preconditioned"}
RUNS = {"linearized_trained", "preconditioned_end"}  # predictors that train the linearized network
RUN_SHARE = 0.17  # of its last step, the mean of 175 networks of the default config: half of them need 0.05
FLOWS = {"adagrad_flow", "adaptive_flow", "relinearized_flow"}  # predictors that follow a flow in pieces
FLOW_PIECES = 14.0  # times ln(growth): from the first piece to the end, times grow by e^14
KERNELS_OF_A_PIECE = 3
FLOW_STEPS = 280  # of width 128 and depth 2 on 40 points, at a tolerance of 1e-3
STACK_BYTES = 4 * 2**20  # of networks trained together: four caches of 1 MiB
BYTES = {"float64": 8, "float32": 4}
EIGH, SOLVE = 30, 5  # operations per n³: eigenvectors; eigenvalues or a factorization


@dataclass(frozen=True)
class Cost:
    """Of one cell, or of cells trained together: these add up, but for a step's small operations, which are
    done once for a whole stack of networks."""

    own_seconds: float = 0.0
    memory_mb: float = 0.0
    stack_steps: float = 0.0  # each cell's steps times its share of a stack
    longest: float = 0.0  # steps: there is one stack at least

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.own_seconds + other.own_seconds,
            self.memory_mb + other.memory_mb,
            self.stack_steps + other.stack_steps,
            max(self.longest, other.longest),
        )

    def then(self, other: "Cost") -> "Cost":
        """Of one after the other."""
        return Cost(
            self.own_seconds + other.own_seconds,
            max(self.memory_mb, other.memory_mb),
            max(self.stack_steps, self.longest) + max(other.stack_steps, other.longest),
        )

    @property
    def seconds(self) -> float:
        """On one core."""
        return self.own_seconds + SECONDS["stack_step"] * max(self.stack_steps, self.longest)


@dataclass(frozen=True)
class Sizes:
    """Of a cell: points, features, outputs; of its network, with copies, parameters, and per point
    multiplications of a forward pass and the numbers it keeps."""

    rows: int
    test_rows: int
    features: int
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
    return Sizes(
        rows, data["test_size"], prod(shape), outputs, *(copies * n for n in (parameters, products, kept))
    )


def _narrow_size(cell: Cell, rows: int, features: int, outputs: int) -> tuple[float, float, float]:
    """As `size_of`, in the coordinates of `minima.engine.models.narrow`. Only scheme: bartlett draws so few
    weights."""
    network, seen = cell["network"], min(rows, features)
    units = min(network["width"], moving_units(rows, features, outputs))
    held = units if cell["init"]["scheme"] == "bartlett" else network["width"]
    products = outputs * seen * (3 * units + 2 * rows) / (3 * rows) / NARROW_SHARE
    return held * (features + outputs), products, features + units + outputs


def cell_cost(cell: Cell) -> Cost:
    """Seconds on one core, and the memory that the cell adds to its pack."""
    sizes = sizes_of(cell)
    kept_rows = sizes.all_rows
    if cell["network"]["kind"] in MODULES:
        kept_rows = cell["optimizer"]["batch_size"] or sizes.rows
    kernel = sizes.all_rows * sizes.rows * sizes.outputs**2 if _needs_kernel(cell) else 0
    data = 3 * sizes.all_rows * sizes.features  # as read, with the test points behind, in the stack
    numbers = 4 * sizes.parameters + 3 * kept_rows * sizes.kept + 3 * kernel + data
    memory_mb = BYTES[cell["dtype"]] * numbers / 1e6
    amounts = work(cell)
    stack_steps = amounts.pop("stack_step", 0.0)
    longest = cell["stop"]["max_steps"] + _run_steps(cell) if stack_steps else 0.0
    seconds = sum(SECONDS[name] * amount for name, amount in amounts.items())
    return Cost(seconds, memory_mb, stack_steps, longest)


def cost_of(cells: Iterable[Cell]) -> Cost:
    """What one job takes to train cells, group after group."""
    together = (sum(map(cell_cost, group), Cost()) for group in by_group(cells).values())
    return reduce(Cost.then, together, Cost())


def work(cell: Cell) -> dict[str, float]:
    """How much of what is in `SECONDS` a cell takes."""
    sizes = sizes_of(cell)
    amounts = Counter({"cell": 1.0, "parameter": sizes.parameters})
    amounts.update(_training_work(cell, sizes))
    amounts.update(_prediction_work(cell, sizes))
    if _needs_kernel(cell):
        amounts["flop_kernel"] += sizes.kernel_flops(sizes.all_rows) + sizes.dense_flops(SOLVE)
    return dict(amounts)


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
    return round(BASE_MEMORY_MB + MEMORY_MARGIN * cost.memory_mb)


def job_minutes(cost: Cost) -> int:
    """Twice the estimate, which is no better, and minutes for a slow start: ending early costs nothing."""
    return ceil(5 + 2 * (START_SECONDS + cost.seconds) / 60)


def _training_work(cell: Cell, sizes: Sizes) -> dict[str, float]:
    steps = cell["stop"]["max_steps"]
    if cell["optimizer"]["name"] == "flow":
        steps = min(steps, _flow_steps(cell, sizes))
        # twice: to go forward, the kernel and its eigenvalues, and Jᵀc
        kernel = sizes.kernel_flops(sizes.rows) + sizes.dense_flops(EIGH)
        return {"flow_step": steps, "flop_kernel": 2 * steps * (4.0 * sizes.rows * sizes.products + kernel)}
    return _step_work(cell, sizes, steps)


def _prediction_work(cell: Cell, sizes: Sizes) -> dict[str, float]:
    """What is predicted in many steps; the rest are a solve or two of the kernel."""
    adaptive = cell["optimizer"]["name"] in BY_COORDINATE
    run_steps = _run_steps(cell)
    amounts = Counter(_step_work(cell, sizes, run_steps) if run_steps and adaptive else {})
    values = sizes.rows * sizes.outputs
    if run_steps and not adaptive:  # on the kernel
        share = min(1.0, BYTES["float64"] * values**2 / STACK_BYTES)
        amounts.update({"stack_step": run_steps * share, "flop_float64": 2.0 * run_steps * values**2})
    pieces = len(FLOWS & set(cell["predict"])) * FLOW_PIECES / log(cell["linearized_run"]["growth"])
    kernel = 2.0 * values**2 * sizes.parameters + sizes.dense_flops(EIGH)
    amounts.update({"flow_step": pieces, "flop_kernel": KERNELS_OF_A_PIECE * pieces * kernel})
    return amounts


def _run_steps(cell: Cell) -> float:
    """For how long the linearized network is trained; 0 where its end is known in closed form."""
    optimizer = cell["optimizer"]
    if not RUNS & set(cell["predict"]) or optimizer["name"] == "flow":
        return 0.0
    plain = optimizer["name"] in ("gd", "sgd") and optimizer["schedule"]["kind"] == "constant"
    known = plain and optimizer["batch_size"] is None
    return 0.0 if known else RUN_SHARE * cell["linearized_run"]["max_steps"]


def _step_work(cell: Cell, sizes: Sizes, steps: float) -> dict[str, float]:
    """So many steps of the cell's optimizer."""
    optimizer, dtype = cell["optimizer"], cell["dtype"]
    # forward, backward and gradient, 2 each; with batches another 2, a look at all points once an epoch
    batch = optimizer["batch_size"]
    flops = steps * (6.0 * sizes.rows if batch is None else 8.0 * batch) * sizes.products
    passes = steps * sizes.parameters * (COORDINATE_PASSES if optimizer["name"] in BY_COORDINATE else 1)
    if cell["network"]["kind"] in MODULES:  # one at a time
        return {"module": 1.0, "module_step": steps, f"flop_module_{dtype}": flops, f"pass_{dtype}": passes}
    stack_bytes = BYTES[dtype] * (sizes.parameters + 2 * sizes.rows * sizes.kept)
    share = min(1.0, stack_bytes / STACK_BYTES)
    return {"stack_step": steps * share, f"flop_{dtype}": flops, f"pass_{dtype}": passes}


def _flow_steps(cell: Cell, sizes: Sizes) -> float:
    """A fit to ReLU networks on digits, one seed of which may take five times what another does."""
    network = cell["network"]
    rich = sizes.rows / 40 * (network["width"] / 128) ** -0.6 * (network["depth"] - 1) ** 0.8
    return max(20.0, FLOW_STEPS * rich * (cell["optimizer"]["tolerance"] / 1e-3) ** -0.75)


def _needs_kernel(cell: Cell) -> bool:
    """As `minima.training` has it: for what is predicted or recorded of it, and for numbers in its units."""
    relative = any(isinstance(cell["optimizer"].get(name), dict) for name in ("lr", "momentum"))
    return bool(cell["predict"]) or cell["record"]["spectrum"] or relative
