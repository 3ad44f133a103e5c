"""What a cell names and gives no options: losses, probes and predictors. Each is a module with a class that
subclasses one of these; the first line of its docstring is what the module's numbers are called."""

from collections.abc import Iterator, Mapping
from math import log
from typing import Any, ClassVar

from minima.plan import parts
from minima.plan.inits import is_whole
from minima.plan.linear_nets import not_linear_descent
from minima.plan.networks import has_one_hidden_layer, is_two_linear_layers, kind_of
from minima.plan.parts import Part
from minima.variables import PREDICTED, VARIABLES, Variable

FLOW_PIECES = 14.0  # times ln(growth): from the first piece to the end, times grow by e^14
NETWORK_KERNELS, NETWORK_GRADIENTS = 50.0, 600.0  # of a network followed at three growths, about


class Loss(Part):
    """What training lowers: a module of `minima.engine.losses`."""

    labels: ClassVar[str] = ""  # what it needs: any where empty
    margins: ClassVar[bool] = False  # falls exponentially in margins: descent goes on to the greatest

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        if self.labels and (given := cell["data"]["labels"]) != self.labels:
            yield f"loss: {self.called()} needs data with labels: {self.labels}, not {given}"


class Probe(Part):
    """What is recorded along the way beside the loss: a module of `minima.engine.probes`, or of
    `minima.theory.probes`. A cell stores it as the variable `<probe>_path` and, where the module has
    `of_weights`, that of the trained network as `<probe>`."""

    dims: ClassVar[tuple[str, ...]] = ()  # of what is measured of one network
    units: ClassVar[str] = "1"


class ProbeOfLayers(Probe):
    """A probe that looks at what stands between fully connected layers."""

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        if not kind_of(cell["network"]).BY_LAYERS:
            kind = cell["network"]["kind"]
            yield f"record.probes: {self.called()} needs network.kind: mlp, not {kind}"


class ProbeOfOwnLayers(ProbeOfLayers):
    """A probe of fully connected layers that are a network by themselves."""

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from super().impossible(cell)
        if not is_whole(scheme := cell["init"]["scheme"]):
            yield f"record.probes: {self.called()} is of a network as it is; init: {scheme} trains another"


class ProbeOfNeurons(ProbeOfOwnLayers):
    """A probe of the units of `minima.engine.neurons`: one hidden layer of ReLU, one output, two classes."""

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from super().impossible(cell)
        network, labels = cell["network"], cell["data"]["labels"]
        if not has_one_hidden_layer(network) or network["activation"] != "relu":
            needs = "one hidden layer of ReLU: activation: relu, depth: 2"
            yield f"record.probes: {self.called()} is for {needs}"
        if labels != "sign":
            yield f"record.probes: {self.called()} needs data with labels: sign, not {labels}"


class ProbeOfPoints(Probe):
    """A probe of networks whose output at a point does not depend on the other points."""

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        if reason := kind_of(cell["network"]).ties_points(cell["network"]):
            yield f"record.probes: {self.called()}: {reason}"


class ProbeOfLinearNets(Probe):
    """A probe of two linear layers."""

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        if not is_two_linear_layers(cell["network"]):
            needs = "two linear layers: activation: linear, depth: 2"
            yield f"record.probes: {self.called()} is for {needs}"


class ProbeOfLinearDescent(ProbeOfLinearNets):
    """A probe of what theory says of gradient descent on two linear layers."""

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        return (f"record.probes: {self.called()} {why}" for why in not_linear_descent(cell))


class Predictor(Part):
    """A minimizer that is computed from a network's own start: a module of `minima.theory.predictors`. A cell
    stores it as the variables `<predictor>_<quantity>` of `minima.variables.PREDICTED`."""

    trains: ClassVar[bool] = False  # the linearized network, step by step
    on_parameters: ClassVar[bool] = False  # works on vectors of all parameters, not on the kernel alone
    forms_jacobian: ClassVar[bool] = False  # has J of the training points in memory, as a matrix
    only_mse: ClassVar[str] = "its formula is that of the squared error"  # why; empty where it knows any loss

    def pieces(self, cell: Mapping[str, Any]) -> float:
        """`pieces` returns how many kernels are computed along the way of a flow: 0 where none is."""
        return 0.0

    def gradients(self, cell: Mapping[str, Any]) -> float:
        """`gradients` returns at how many places of its way the network itself is evaluated."""
        return 0.0

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        loss = cell["loss"]
        if loss != "mse" and self.only_mse:
            yield f"predict: {self.called()} is about loss: mse, as {self.only_mse}; with {loss} leave it out"
        elif loss != "mse" and not self.ends(cell):
            yield f"predict: {self.called()} ends where training does: with loss: {loss} give stop.loss"
        if reason := kind_of(cell["network"]).ties_points(cell["network"]):
            yield f"predict: {self.called()}: {reason}, or predict: []"
        if any(cell["augment"].values()):
            yield f"predict: {self.called()} knows the training points as they are, and augment changes them"

    def ends(self, cell: Mapping[str, Any]) -> bool:
        """`ends` returns whether it is known where the predictor ends under a loss without minimizer: at the
        goal of the training."""
        return any(cell["stop"][name] is not None for name in ("loss", "residual", "accuracy"))


class PredictorOfDescent(Predictor):
    """A predictor of gradient flow, known under any loss."""

    only_mse = ""

    def ends(self, cell: Mapping[str, Any]) -> bool:
        """`ends` returns whether there is a goal, or steps of gradient descent, which have their time."""
        family = parts.declaration("optimizers", cell["optimizer"]["name"]).family
        return super().ends(cell) or family == "descent"


class PredictorOfMargin(Predictor):
    """A predictor of the direction of greatest margin."""

    only_mse = ""

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from super().impossible(cell)
        if not parts.declaration("losses", cell["loss"]).margins:
            known = [name for name, loss in parts.options("losses").items() if loss.margins]
            yield f"predict: {self.called()} is where {', '.join(known)} go on to, not loss: {cell['loss']}"


class PredictorOfFlow(Predictor):
    """A predictor that follows the flow of an adaptive method."""

    on_parameters = True
    only_mse = ""

    def pieces(self, cell: Mapping[str, Any]) -> float:
        return FLOW_PIECES / log(cell["linearized_run"]["growth"])


class PredictorOfOwnFlow(PredictorOfFlow):
    """A predictor that follows the flow of the cell's own optimizer, where that adapts."""

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from super().impossible(cell)
        optimizer = cell["optimizer"]
        if (name := optimizer["name"]) not in known_flows():
            return
        if optimizer["schedule"]["kind"] != "constant":
            yield f"predict: {self.called()} of {name} is known for schedule: constant alone"
        if optimizer["weight_decay"]["strength"]:
            yield f"predict: {self.called()} of {name} is known without weight_decay alone"


class PredictorOfNetwork(Predictor):
    """A predictor that follows the network itself, by its own method."""

    on_parameters = True
    only_mse = ""

    def pieces(self, cell: Mapping[str, Any]) -> float:
        return NETWORK_KERNELS

    def gradients(self, cell: Mapping[str, Any]) -> float:
        return NETWORK_GRADIENTS

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from super().impossible(cell)
        if (name := cell["optimizer"]["name"]) not in (known := known_methods()):
            yield f"predict: {self.called()} knows the steps of {', '.join(known)}, not of {name}"

    def ends(self, cell: Mapping[str, Any]) -> bool:
        """`ends` returns True: without a goal as many steps are followed as are trained."""
        return True


@parts.remembered
def known_methods() -> list[str]:
    """`known_methods` returns the optimizers of which many steps can be taken as one: those that declare
    MEMORY, and gradient flow."""
    return sorted(["flow", *_optimizers_with("MEMORY")])


@parts.remembered
def known_flows() -> list[str]:
    """`known_flows` returns the optimizers whose flow at small steps is known: those that declare SQUARES."""
    return _optimizers_with("SQUARES")


def _optimizers_with(constant: str) -> list[str]:
    return [name for name in parts.names("optimizers") if hasattr(parts.load("optimizers", name), constant)]


@parts.remembered
def variables() -> dict[str, Variable]:
    """`variables` returns all that a cell may store, by name: what every cell does, and what its probes and
    predictors add."""
    found = dict(VARIABLES)
    for name, probe in parts.options("probes").items():
        found[f"{name}_path"] = Variable(("step", *probe.dims), probe.said(), probe.units)
        if hasattr(parts.load("probes", name), "of_weights"):
            found[name] = Variable(probe.dims, f"{probe.said()} at the end", probe.units)
    for name, predictor in parts.options("predictors").items():
        for quantity, variable in PREDICTED.items():
            long_name = f"{variable.long_name}, {predictor.said()}"
            found[f"{name}_{quantity}"] = variable._replace(long_name=long_name)
    return found
