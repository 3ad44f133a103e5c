"""The config: names, types, defaults, bounds and one-line descriptions, each said once.

`config/schema.json` and the tables of `config/README.md` are generated from these models
(`make generated`); `minima.plan.mistakes` turns what they refuse into messages.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, field_validator

from minima.plan import parts
from minima.plan.inits import AnyInit
from minima.plan.networks import AnyNetwork
from minima.plan.optimizers import AnyOptimizer
from minima.plan.options import LATER, NAME_PATTERN, VARIES, Options
from minima.plan.recipes import DataRecipe
from minima.plan.recording import Record

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
NEAREST_WITHIN = 0.05  # of a network's norm: nearer than that a minimizer is the network's own


class Stop(Options):
    """When a network has finished."""

    residual: float | None = Field(
        1e-3,
        gt=0,
        lt=1,
        description="Converged at √(loss/initial loss) ≤ residual; for mse this is ‖y − f‖/‖y − f₀‖.",
        json_schema_extra=VARIES,
    )
    loss: float | None = Field(
        None,
        gt=0,
        description="A training loss at or below this counts as converged too.",
        json_schema_extra=VARIES,
    )
    accuracy: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Reaching this fraction of training points in the right class counts as converged too.",
        json_schema_extra=VARIES,
    )
    max_steps: int = Field(
        100_000, ge=1, description="The last step; a network that gets there has stopped, not converged."
    )


class LinearizedRun(Options):
    """How far the linearized network is trained and its flows are followed, where `predict` asks for that."""

    residual: float = Field(
        1e-4,
        gt=0,
        lt=1,
        description="Residual at which linearized_trained and preconditioned_end stop training; AdaGrad goes "
        "on from there in closed form. With a loss other than mse they stop as the network does.",
    )
    max_steps: int = Field(
        100_000, ge=1, description="A run that needs more steps gives no prediction (NaN)."
    )
    growth: float = Field(
        1.3,
        gt=1,
        le=4,
        description="Length of a piece of adagrad_flow and adaptive_flow over that of the piece before.",
        json_schema_extra=VARIES,
    )


class NetworkRun(Options):
    """How closely network_flow and network_at_step follow a network, where `predict` asks for them."""

    tolerance: float = Field(
        0.005,
        gt=0,
        lt=1,
        description="Error of the prediction on the test points, over its norm there, as estimated: strides "
        "are halved until it is below this, five times at most.",
        json_schema_extra=LATER,
    )


class Augment(Options):
    """Random changes of the images of every mini-batch."""

    shift: int = Field(0, ge=0, description="Shift by up to this many pixels each way, padding with zeros.")
    flip: bool = Field(False, description="Mirror an image with probability ½.")


class SeedRange(Options):
    """`count` seeds from `start`."""

    start: int = Field(ge=0, description="First seed.")
    count: int = Field(ge=1, le=100_000, description="Number of seeds.")

    def values(self) -> list[int]:
        return list(range(self.start, self.start + self.count))


class Training(Options):
    """The sections of a cell beside its data."""

    model_config = ConfigDict(defer_build=True)  # until extensions have joined the parts

    network: AnyNetwork = Field({"kind": "mlp"}, validate_default=True, description="Architecture.")
    init: AnyInit = Field(
        {"scheme": "gaussian"},
        validate_default=True,
        description="Initialization; kaiming for kinds of network other than mlp.",
    )
    loss: Annotated[str, parts.NameOf("losses")] = Field("mse", description="Training loss.")
    optimizer: AnyOptimizer = Field(
        {"name": "gd"}, validate_default=True, description="Optimizer and its numbers."
    )
    augment: Augment = Field(Augment(), description="Random changes of the images in training.")
    stop: Stop = Field(Stop(), description="Stop rules.")
    record: Record = Field(Record(), description="Step grid and residuals to record.")
    predict: list[Annotated[str, parts.NameOf("predictors")]] = Field(
        ["linearized"],
        description="Predicted minimizers, computed from the network's own start; [] for kinds of network "
        "other than mlp.",
    )
    linearized_run: LinearizedRun = Field(
        LinearizedRun(), description="How far the linearized network is trained."
    )
    network_run: NetworkRun = Field(NetworkRun(), description="How closely the network itself is followed.")
    dtype: Literal["float64", "float32"] = Field(
        "float64", description="Arithmetic of the training; float32 for kinds of network other than mlp."
    )
    keep_parameters: bool = Field(False, description="Store the trained parameters.")


class Block(Training):
    """A dense grid: data, network, axes and how to train."""

    data: Name = Field(description="Name of a data recipe.")
    axes: dict[str, Any] = Field(
        {},
        description="Path of a field → its values: a list, {start, count} of whole numbers, "
        "or a mapping of labels to values.",
    )
    seed: SeedRange = Field(
        SeedRange(start=100, count=1), description="Seeds: {start, count}, or one number."
    )
    references: bool = Field(True, description="Whether the study's references are fitted for it.")

    @field_validator("seed", mode="before", json_schema_input_type=SeedRange | int)
    @classmethod
    def _one_seed(cls, seed: Any) -> Any:
        return seed if isinstance(seed, dict | SeedRange) else {"start": seed, "count": 1}


class Figure(Options):
    """One figure of a study."""

    kind: str = Field("", description="Kind of figure; the figure's own name where omitted.")
    block: str = Field("", description="The block to draw; may be omitted in a study of one block.")
    beside: list[str] = Field([], description="Further blocks, drawn beside the first: one name or a list.")

    @field_validator("beside", mode="before", json_schema_input_type=str | list[str])
    @classmethod
    def _one_name(cls, beside: Any) -> Any:
        return [beside] if isinstance(beside, str) and beside else beside or []


class Study(Options):
    """One question: named blocks, and the references and figures that belong to it."""

    model_config = ConfigDict(defer_build=True)

    title: str = Field("", description="What the study asks.")
    citation: str = Field("", description="The paper whose claims the study tests, if any.")
    data: dict[Name, DataRecipe] = Field({}, description="Data recipes by name, for all studies.")
    blocks: dict[Name, Block] = Field(min_length=1, description="Dense grids by name.")
    references: Annotated[Any, parts.EachOf("references")] = Field(
        {},
        validate_default=True,
        description="What is computed once per data and architecture; what is not named is not fitted.",
    )
    nearest_within: float = Field(
        NEAREST_WITHIN,
        gt=0,
        le=1,
        description="A minimizer farther than this from a network, over the network's norm on test points, "
        "is not the one that the network found, even where it is the nearest: the answer is none.",
    )
    figures: dict[Name, Figure] = Field({}, description="Figures by name.")
    roles: dict[Name, list[Name]] = Field(
        {},
        description="Role → the data recipes that play it, such as binary: [digits_3_8]: what the data of a "
        "replication may take the place of.",
    )

    def references_of(self, block: str) -> dict[str, dict[str, Any]]:
        """`references_of` returns reference → options of those that the config names, for a block."""
        named = self.references.model_dump(mode="json", exclude_none=True)
        return named if self.blocks[block].references else {}

    @field_validator("figures", mode="before")
    @classmethod
    def _bare_names(cls, figures: Any) -> Any:
        """`_bare_names` reads `test_error:` with nothing behind it as `test_error: {}`."""
        if not isinstance(figures, dict):
            return figures
        return {name: {} if figure is None else figure for name, figure in figures.items()}


class Replication(Options):
    """The same register asked on other data."""

    title: str = Field("", description="What pages call the data set; its name where omitted.")
    data: dict[Name, dict[str, Any]] = Field(
        min_length=1,
        description="Role, or name of one recipe → what is laid over each recipe that plays it; another "
        "source keeps what all sources share.",
    )
    seed_shift: int = Field(
        0,
        ge=0,
        description="Added to every seed, times seeds_each where seeds share a split, so that the networks "
        "have starts of their own.",
    )
    claims: list[str] | None = Field(
        None, min_length=1, description="Claims that are asked; all where omitted."
    )
    studies: dict[Name, dict[str, Any]] = Field(
        {}, description="Laid over the studies, as the config's own: widths, rates, null for a block."
    )


class Execution(Options):
    """How jobs run. Never part of a digest: changing it retrains nothing."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: a GPU where the job has one, else the CPU; cuda: an error without a GPU."
    )
    pack_minutes: float = Field(10.0, gt=0, description="Estimated minutes a training job should take.")
    device_memory_gb: float = Field(8.0, gt=0, description="Device memory a pack may use.")
    kernel_memory_gb: float = Field(
        4.0,
        gt=0,
        description="Memory that Jacobians and tangent kernels may take: Jacobians that need more are "
        "taken in parts, kernels that need more are refused.",
    )
    products: Literal["auto", "numpy", "torch"] = Field(
        "auto",
        description="Library of matrix products on a CPU: NumPy's OpenBLAS, PyTorch's MKL, or auto, the "
        "faster one for the processor and the size of the matrices. Last bits may differ between them.",
    )


class Config(Options):
    """The whole config."""

    model_config = ConfigDict(defer_build=True)

    results: str = Field("results", min_length=1, description="Folder of all outputs.")
    data_dir: str = Field(
        "data", min_length=1, description="Where data files are looked for and downloaded to."
    )
    extensions: list[str] = Field(
        [], description="Folders with parts and studies of your own, relative to the config file."
    )
    network_dirs: list[str] = Field(
        [],
        description="Where network.file is looked for, relative to the config file, before the folders of "
        "extensions and the working directory; by default beside the config file.",
    )
    run: list[str] | None = Field(
        None, min_length=1, description="Studies to run; those of `studies` where omitted."
    )
    scale: Name | None = Field(
        None,
        description="Overlay of every study whose folder has it, laid over its study.yaml: smoke, paper.",
    )
    whole: bool = Field(
        False, description="Whether the studies stand here whole, so that their folders are not read again."
    )
    claims: str | None = Field(
        None, description="A register of claims, beside those in the folders of the studies that run."
    )
    verdicts: bool = Field(True, description="Whether claims are judged.")
    reuse: Literal["same_code", "same_versions", "any_code"] = Field(
        "same_code",
        description="Stored cells that serve: same_code takes those of today's code, whatever versions of "
        "torch and NumPy trained them; same_versions those of today's versions alone; any_code those of "
        "older code too.",
    )
    prune: Literal["list", "move"] = Field("list", description="What `snakemake prune` does.")
    options: str = Field(
        "", description="What Snakemake was given to make this config; not to be set, a run writes it here."
    )
    execution: Execution = Field(Execution(), description="How jobs run.")
    data: dict[Name, DataRecipe] = Field({}, description="Data recipes by name, laid over those of studies.")
    studies: dict[Name, Study] = Field(
        {}, description="Studies by name: laid over the study's own folder, or whole."
    )
    replications: dict[Name, Replication] = Field(
        {}, description="The same claims on other data, by name: snakemake replications."
    )
    replication: Name | None = Field(
        None, description="Name of a replication to run in the place of the studies as they are."
    )

    @field_validator("run", mode="before", json_schema_input_type=str | list[str] | None)
    @classmethod
    def _one_study(cls, run: Any) -> Any:
        """`_one_study` reads a bare name, as `--config run=my_study` gives it, as a list of one."""
        return [run] if isinstance(run, str) else run


@parts.on_change
def _build_again() -> None:
    for model in (Record, Training, Block, Study, Config):
        model.model_rebuild(force=True)
