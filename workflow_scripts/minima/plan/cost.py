"""What a pack costs: seconds, memory and device memory from its shapes and steps.

Two costs by one formula: expected, at the steps that like networks took (`minima.plan.convergence`), and at
most, where every network and linearized network runs to its last step. A flow has no such bound that anyone
would wait for: at most is so many times what it is expected to take. Coefficients are one core's;
tests/unit/plan/test_cost.py has measured cells.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from math import ceil, prod
from typing import NamedTuple
from weakref import WeakKeyDictionary

from minima.forms import in_kernel_units, is_linear, is_stacked
from minima.plan import parts
from minima.plan.convergence import Known, expected_run, expected_steps, recorded
from minima.plan.files import training_rows
from minima.plan.grid import SECTIONS, Cell, by_group
from minima.plan.inits import copies
from minima.plan.marks import Predictor

ROOM = 16  # a job asks for so many times what it is expected to take
START_SECONDS = 5.0  # a job's imports and files
BASE_MEMORY_MB = 800  # torch, xarray and scikit-learn, imported, and on a cluster Snakemake twice beside them
MEMORY_MARGIN = 1.2
# Seconds of one core per unit of work: fitted to recorded jobs by `python benchmarks/cost.py fit`.
SECONDS = {
    "cell": 1.1e-2,  # its start and its storing
    "parameter": 7.3e-8,  # drawn
    "stack_step": 1.2e-4,  # the small operations around a step's products
    "flow_step": 2.6e-3,  # the same for a step of the flow
    "module": 0.33,  # a network of torch's modules beside its cell
    "module_step": 5.7e-4,  # and its step, one network at a time and by autograd
    "flop_float64": 2e-11,  # of stacked products
    "flop_float32": 8.2e-12,
    "flop_module_float64": 1e-10,  # of convolutions of small images
    "flop_module_float32": 2.3e-11,
    "flop_kernel": 3.8e-11,  # of the tangent kernel and of what is done with it
    "pass_float64": 7.5e-10,  # an elementwise operation, per number
    "pass_float32": 2e-9,
}
COORDINATE_PASSES = 12  # over the weights, in a step of an optimizer that looks at each coordinate
KERNELS_OF_A_PIECE = 3
KERNEL_COPIES = 3  # of a tangent kernel, where it is solved
JACOBIAN_COPIES = 4  # of J as a matrix, in a linear program
COPIES = 8  # of all parameters, at the peak of a predictor that works on them
FLOW_SPREAD = 5.0  # one seed's steps over the expected ones
STACK_BYTES = 4 * 2**20  # of networks trained together: four caches of 1 MiB
BYTES = {"float64": 8, "float32": 4}
EIGH, SOLVE = 30, 5  # operations per n³: eigenvectors; eigenvalues or a factorization
DESCENT = 60  # and a flow under a loss that has no closed form: some 50 steps, a factorization each


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


class Steps(NamedTuple):
    """`Steps` is for how long a cell's network is trained, and its linearized network."""

    training: float
    run: float


Lengths = Callable[[Cell], Steps]


def expected(known: Known) -> Lengths:
    """`expected` returns how long cells are expected to train, by what is known of like ones."""

    def lengths(cell: Cell) -> Steps:
        return Steps(expected_steps(cell, known), expected_run(cell, known) if _runs(cell) else 0.0)

    return lengths


def as_recorded(cell: Cell) -> Steps:
    """`as_recorded` returns what is expected of a cell by the package's own records: it depends on no store,
    so that packs stay where they are."""
    return expected(recorded())(cell)


def at_most(cell: Cell) -> Steps:
    """`at_most` returns the last steps of a cell's training and of its linearized network's."""
    last = float(cell["stop"]["max_steps"])
    if cell["optimizer"]["name"] == "flow":
        last = min(last, FLOW_SPREAD * expected_steps(cell, recorded()))
    return Steps(last, float(cell["linearized_run"]["max_steps"]) if _runs(cell) else 0.0)


@dataclass(frozen=True)
class Sizes:
    """Of a cell: points, features, outputs; of its network, with copies: parameters, those that a step moves,
    and per point the multiplications of a forward pass in training and of one in the network's own
    coordinates, and the numbers that a pass keeps."""

    rows: int
    test_rows: int
    features: int
    outputs: int
    parameters: float
    moving: float
    step_products: float
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
    data, outputs, shape = cell["data"], cell.recipe.output_count(), cell.recipe.expected_input_shape()
    rows, features = training_rows(data), prod(shape)
    size = cell.part("network").size_in_training(cell, shape, outputs)
    drawn = cell.part("init").drawn(size.parameters, rows, features, outputs)
    numbers = (copies(cell["init"]["scheme"]) * n for n in size._replace(parameters=drawn))
    return Sizes(rows, data["test_size"], features, outputs, *numbers)


def cell_cost(cell: Cell, lengths: Lengths = as_recorded) -> Cost:
    """Seconds on one core, and the memory that the cell adds to its pack."""
    sizes, steps = sizes_of(cell), lengths(cell)
    kept_rows = sizes.all_rows
    if not is_stacked(cell["network"]):
        kept_rows = cell["optimizer"].get("batch_size") or sizes.rows
    kernel = sizes.all_rows * sizes.rows * sizes.outputs**2 if _needs_kernel(cell) else 0
    data = 3 * sizes.all_rows * sizes.features  # as read, with the test points behind, in the stack
    numbers = 4 * sizes.parameters + 3 * kept_rows * sizes.kept + 3 * kernel + data
    held = COPIES if any(predictor.on_parameters for predictor in _predictors(cell)) else 0
    held += JACOBIAN_COPIES * sizes.rows * sizes.outputs if _forms_jacobian(cell) else 0
    memory_mb = (BYTES[cell["dtype"]] * numbers + BYTES["float64"] * held * sizes.parameters) / 1e6
    amounts = _work(cell, sizes, steps)
    stack_steps = amounts.pop("stack_step", 0.0)
    longest = sum(steps) if stack_steps else 0.0
    seconds = sum(SECONDS[name] * amount for name, amount in amounts.items())
    return Cost(seconds, memory_mb, stack_steps, longest)


def kernel_problem(cells: Iterable[Cell], gigabytes: float) -> str:
    """`kernel_problem` returns why the tangent kernel of one of these cells, or its Jacobian where a
    predictor has it as a matrix, does not fit so much memory, or ""."""
    fits: set[tuple[int, ...]] = set()  # sections whose kernels do
    for cell in cells:
        own = tuple(id(cell.sections[SECTIONS.index(name)]) for name in ("data", "network", "predict"))
        if own in fits:
            continue
        points, outputs = training_rows(cell["data"]), cell.recipe.output_count()
        problem = kernel_too_large(points, outputs, gigabytes, "execution.kernel_memory_gb")
        if problem and _needs_kernel(cell):
            other = "ask for nothing of the kernel (predict, record.spectrum, learning rates in its units)"
            return f"{problem}; or {other}"
        if _forms_jacobian(cell) and (large := jacobian_too_large(sizes_of(cell), gigabytes)):
            return large
        if not problem:
            fits.add(own)
    return ""


def kernel_too_large(points: int, outputs: int, gigabytes: float, option: str) -> str:
    """`kernel_too_large` returns why a tangent kernel does not fit so much memory, which `option` gives, and
    how many points would fit, or ""."""
    most = int((gigabytes * 1e9 / BYTES["float64"] / KERNEL_COPIES) ** 0.5)  # its rows
    if points * outputs <= most:
        return ""
    needed = KERNEL_COPIES * BYTES["float64"] * (points * outputs) ** 2.0 / 1e9
    return (
        f"the tangent kernel of {points} points × {outputs} outputs takes {needed:.3g} GB, and {option} is "
        f"{gigabytes:g}: {most // outputs} points would fit"
    )


def jacobian_too_large(sizes: Sizes, gigabytes: float) -> str:
    """`jacobian_too_large` returns why J as a matrix does not fit so much memory, and how many points would
    fit, or ""."""
    of_a_point = JACOBIAN_COPIES * BYTES["float64"] * sizes.outputs * sizes.parameters / 1e9
    if sizes.rows * of_a_point <= gigabytes:
        return ""
    return (
        f"predict: max_margin_linf has the Jacobian of {sizes.rows} points as a matrix, which takes "
        f"{sizes.rows * of_a_point:.3g} GB, and execution.kernel_memory_gb is {gigabytes:g}: "
        f"{int(gigabytes / of_a_point)} points would fit"
    )


def _forms_jacobian(cell: Cell) -> bool:
    return any(predictor.forms_jacobian for predictor in _predictors(cell))


def cell_costs(cells: Iterable[Cell], lengths: Lengths = as_recorded) -> Iterator[Cost]:
    """`cell_costs` yields the cost of each cell. Cells that differ in their seeds alone cost the same, which
    is computed once."""
    known = _known_costs.setdefault(lengths, {})
    for cell in cells:
        if (network := cell.of_any_seed) not in known:
            known[network] = cell_cost(cell, lengths)
        yield known[network]


_known_costs: WeakKeyDictionary[Lengths, dict[tuple[str, ...], Cost]] = WeakKeyDictionary()


def cost_of(cells: Iterable[Cell], lengths: Lengths = as_recorded) -> Cost:
    """What one job takes to train cells, group after group."""
    groups = by_group(cells).values()
    together = (sum(cell_costs(group, lengths), Cost()) for group in groups)
    return reduce(Cost.then, together, Cost())


def work(cell: Cell, steps: Steps) -> dict[str, float]:
    """How much of what is in `SECONDS` a cell takes."""
    return _work(cell, sizes_of(cell), steps)


def _work(cell: Cell, sizes: Sizes, steps: Steps) -> dict[str, float]:
    amounts = Counter({"cell": 1.0, "parameter": sizes.parameters})
    amounts.update(_training_work(cell, sizes, steps.training))
    amounts.update(_prediction_work(cell, sizes, steps.run))
    if _needs_kernel(cell):
        amounts["flop_kernel"] += sizes.kernel_flops(sizes.all_rows) + sizes.dense_flops(SOLVE)
    return dict(amounts)


def job_memory_mb(cost: Cost) -> int:
    return round(BASE_MEMORY_MB + MEMORY_MARGIN * cost.memory_mb)


def job_minutes(expected: Cost, at_most: Cost, attempt: int = 1) -> int:
    """`job_minutes` returns the minutes that a job asks for: many times what is expected, but no more than
    twice what it can take at most, and minutes for a slow start; at each further attempt several times that.
    Ending early costs nothing, and a job that was killed keeps the cells that had finished."""
    seconds = min(2 * at_most.seconds, ROOM * 4 ** (attempt - 1) * expected.seconds)
    return attempt * ceil(5 + (2 * START_SECONDS + seconds) / 60)


def _training_work(cell: Cell, sizes: Sizes, steps: float) -> dict[str, float]:
    if cell["optimizer"]["name"] == "flow":
        # twice: to go forward, the kernel and its eigenvalues, and Jᵀc
        kernel = sizes.kernel_flops(sizes.rows) + sizes.dense_flops(EIGH)
        return {"flow_step": steps, "flop_kernel": 2 * steps * (4.0 * sizes.rows * sizes.products + kernel)}
    return _step_work(cell, sizes, steps)


def _prediction_work(cell: Cell, sizes: Sizes, run: float) -> dict[str, float]:
    """What is predicted in many steps; the rest are a solve or two of the kernel."""
    adaptive = not is_linear(cell["optimizer"]["name"])
    amounts = Counter(_step_work(cell, sizes, run) if run and adaptive else {})
    values = sizes.rows * sizes.outputs
    if run and not adaptive:  # on the kernel
        share = min(1.0, BYTES["float64"] * values**2 / STACK_BYTES)
        amounts.update({"stack_step": run * share, "flop_float64": 2.0 * run * values**2})
    pieces = sum(predictor.pieces(cell) for predictor in _predictors(cell))
    kernel = 2.0 * values**2 * sizes.parameters + sizes.dense_flops(EIGH)
    amounts.update({"flow_step": pieces, "flop_kernel": KERNELS_OF_A_PIECE * pieces * kernel})
    if gradients := sum(predictor.gradients(cell) for predictor in _predictors(cell)):
        amounts.update(_step_work(cell, sizes, gradients))
    if cell["loss"] != "mse":
        flows = sum(not predictor.pieces(cell) for predictor in _predictors(cell))
        amounts["flop_kernel"] += flows * sizes.dense_flops(DESCENT)
    return amounts


def _predictors(cell: Cell) -> list[Predictor]:
    return [parts.mark("predictors", name) for name in cell["predict"]]


def _runs(cell: Cell) -> bool:
    """Whether the linearized network is trained step by step, its end not being known in closed form."""
    optimizer = cell["optimizer"]
    if optimizer["name"] == "flow" or not any(predictor.trains for predictor in _predictors(cell)):
        return False
    plain = optimizer["name"] in ("gd", "sgd") and optimizer["schedule"]["kind"] == "constant"
    return not (plain and optimizer["batch_size"] is None and cell["loss"] == "mse")


def _step_work(cell: Cell, sizes: Sizes, steps: float) -> dict[str, float]:
    """So many steps of the cell's optimizer."""
    optimizer, dtype = cell["optimizer"], cell["dtype"]
    # forward, backward and gradient, 2 each; with batches another 2, a look at all points once an epoch
    batch = optimizer["batch_size"]
    flops = steps * (6.0 * sizes.rows if batch is None else 8.0 * batch) * sizes.step_products
    passes = steps * sizes.moving * (1 if is_linear(optimizer["name"]) else COORDINATE_PASSES)
    if not is_stacked(cell["network"]):  # one at a time
        return {"module": 1.0, "module_step": steps, f"flop_module_{dtype}": flops, f"pass_{dtype}": passes}
    stack_bytes = BYTES[dtype] * (sizes.moving + 2 * sizes.rows * sizes.kept)
    share = min(1.0, stack_bytes / STACK_BYTES)
    alone = parts.declaration("optimizers", optimizer["name"]).one_by_one
    return {
        "stack_step": steps * share,
        "module_step": steps if alone else 0.0,
        f"flop_{dtype}": flops,
        f"pass_{dtype}": passes,
    }


def _needs_kernel(cell: Cell) -> bool:
    """As `minima.training` has it: for what is predicted or recorded of it, and for numbers in its units."""
    relative = any(in_kernel_units(cell["optimizer"].get(name)) for name in ("lr", "momentum"))
    return bool(cell["predict"]) or cell["record"]["spectrum"] or relative
