"""Linear models in place of networks, for the engine's own loop (`minima.engine.core.train`) to train.

Both have the `forward`, `gradients` and `trained` of an `Ensemble`, so that optimizers, schedules,
batches and stop rules are those that train the networks. A point comes as its features, a row of
x [E, n, features]: the loop cuts batches and drops finished networks as it does with inputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from minima.engine.ensemble import Ensemble, split
from minima.engine.jacobians import Jacobian
from minima.engine.jacobians.layers import LayersJacobian
from minima.engine.jacobians.modules import ModulesJacobian


class Tape(NamedTuple):
    """`Tape` holds the points of a pass and their factors: layer, copy, hidden [E, n, in], signals
    [E, o, out, n]."""

    x: Tensor
    parts: list[tuple[int, int, Tensor, Tensor]]


@dataclass(frozen=True)
class LinearizedNetwork:
    """`LinearizedNetwork` is the model f = Jθ. Its weights have the network's own layers, so that optimizers
    that look at each coordinate take the steps they would take on the network. The features of a point are
    its factors of J: h_{l−1} and r_k s_l ∂f/∂a_l of every trained layer and copy. Weights and factors may
    both leave out inputs of a layer that no point reaches.
    """

    ensemble: Ensemble

    @property
    def trained(self) -> list[int]:
        return self.ensemble.trained

    def features(self, jacobian: LayersJacobian, inputs: Sequence[Tensor]) -> Tensor:
        """x [E, n, features] of these inputs of each layer; in memory a row per feature, as the products want
        it."""
        columns = []
        for (layer, _), part in zip(self._parts(), jacobian.parts, strict=True):
            columns += [part.hidden[:, :, inputs[layer]], part.signals.flatten(2) * part.factor]
        return torch.cat(columns, dim=2).mT.contiguous().mT

    def forward(
        self, weights: Sequence[Tensor], x: Tensor, last: Tape | None = None, training: bool = False
    ) -> tuple[Tensor, Tape]:
        """Jθ [E, n, o] at the points of x."""
        tape = last if last is not None and last.x is x else Tape(x, self._split(x, weights))
        f: Tensor | None = None
        for layer, copy, hidden, signals in tape.parts:
            moved = weights[layer][:, copy] @ hidden.mT  # [E, out, n]
            term = (signals * moved.unsqueeze(1)).sum(2).mT
            f = term if f is None else f + term
        assert f is not None
        return f, tape

    def gradients(
        self, weights: Sequence[Tensor], tape: Tape, delta: Tensor, out: Sequence[Tensor | None]
    ) -> None:
        """Writes Jᵀδ to `out`, weights [E, K, out, in]; arguments as those of `Ensemble.gradients`."""
        for layer, copy, hidden, signals in tape.parts:
            pulled = (signals * delta.mT.unsqueeze(2)).sum(1)  # [E, out, n]
            torch.bmm(pulled, hidden, out=out[layer][:, copy])

    def _parts(self) -> list[tuple[int, int]]:
        copies = range(len(self.ensemble.readout))
        return [(layer, copy) for layer in self.ensemble.trained for copy in copies]

    def _split(self, x: Tensor, weights: Sequence[Tensor]) -> list[tuple[int, int, Tensor, Tensor]]:
        """`_split` returns the factors of every part, as in `Tape`."""
        outputs, found, begin = self.ensemble.model.sizes[-1], [], 0
        for layer, copy in self._parts():
            units, inputs = weights[layer].shape[2:]
            hidden = x[:, :, begin : begin + inputs]
            begin += inputs
            signals = x[:, :, begin : begin + outputs * units].mT.unflatten(1, (outputs, units))
            begin += outputs * units
            found.append((layer, copy, hidden, signals))
        return found


@dataclass(frozen=True)
class LinearizedModule:
    """`LinearizedModule` is the model f = Jθ of any torch module, with the network's own tensors. The
    features of a point are its rows of J where these fit the budget, else the point itself, where J is taken
    anew."""

    jacobian: ModulesJacobian

    @property
    def trained(self) -> list[int]:
        return self.jacobian.ensemble.trained

    def features(self) -> Tensor:
        """x [E, n, features]."""
        return self.jacobian.x if self.jacobian.formed is None else self.jacobian.formed.flatten(2)

    def forward(
        self, weights: Sequence[Tensor], x: Tensor, last: object = None, training: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Jθ [E, n, o] at the points of x, which are the tape."""
        theta = self.jacobian.ensemble.vector(weights)
        if self.jacobian.formed is None:
            return self.jacobian.at(x).times(theta), x
        return torch.einsum("enop,ep->eno", x.unflatten(2, (-1, theta.shape[1])), theta), x

    def gradients(
        self, weights: Sequence[Tensor], tape: Tensor, delta: Tensor, out: Sequence[Tensor | None]
    ) -> None:
        """Writes Jᵀδ to `out`; arguments as those of `Ensemble.gradients`."""
        if self.jacobian.formed is None:
            found = self.jacobian.at(tape).transposed(delta)
        else:
            found = torch.einsum("enop,eno->ep", tape.unflatten(2, (delta.shape[2], -1)), delta)
        parts = split(found, [weights[layer].shape[1:] for layer in self.trained])
        for layer, part in zip(self.trained, parts, strict=True):
            out[layer].copy_(part)


@dataclass(frozen=True)
class KernelModel:
    """`KernelModel` is the model f = Θα with θ − θ₀ = Jᵀα, by which optimizers whose steps are linear in the
    gradients train a linearized network at O(n²) a step. It has one layer of weights, α [E, 1, 1, n·o]."""

    trained: tuple[int, ...] = (0,)

    def features(self, kernel: Tensor, outputs: int) -> Tensor:
        """x [E, n, features] from Θ [E, n·o, n·o]: a point's rows of Θ, and which they are."""
        rows = kernel.unflatten(1, (-1, outputs)).flatten(2)
        place = torch.arange(rows.shape[1], dtype=rows.dtype, device=rows.device)
        return torch.cat([rows, place[None, :, None].expand(len(rows), -1, 1)], dim=2)

    def forward(
        self, weights: Sequence[Tensor], x: Tensor, last: object = None, training: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Θα [E, n, o] at the points of x, which are the tape."""
        (alpha,) = weights
        rows = x[:, :, :-1].unflatten(2, (-1, alpha.shape[3]))
        return torch.einsum("enam,em->ena", rows, alpha[:, 0, 0]), x

    def gradients(
        self, weights: Sequence[Tensor], tape: Tensor, delta: Tensor, out: Sequence[Tensor | None]
    ) -> None:
        """Writes δ at the points of the batch, and 0 at all others."""
        (target,) = out
        assert target is not None
        outputs = delta.shape[2]
        place = tape[:, :, -1:].long() * outputs + torch.arange(outputs, device=delta.device)
        target.zero_()[:, 0, 0].scatter_add_(1, place.flatten(1), delta.flatten(1))


@dataclass(frozen=True)
class Shifted:
    """`Shifted` is a linear model and a function that no weight moves: the features of a point end in what is
    added to the model's f there."""

    model: Any
    outputs: int

    @property
    def trained(self) -> Sequence[int]:
        return self.model.trained

    def features(self, x: Tensor, offset: Tensor) -> Tensor:
        """x [E, n, features] from the model's own and the offset [E, n, o], in memory as they are."""
        if x.is_contiguous():
            return torch.cat([x, offset], dim=2)
        return torch.cat([x.mT, offset.mT], dim=1).mT

    def forward(
        self, weights: Sequence[Tensor], x: Tensor, last: Any = None, training: bool = False
    ) -> tuple[Tensor, Any]:
        """f [E, n, o] at the points of x; the tape holds x, the model's own features and its tape."""
        known = last is not None and last[0] is x
        own = last[1] if known else x[:, :, : -self.outputs]
        f, tape = self.model.forward(weights, own, last[2] if known else None, training)
        return f + x[:, :, -self.outputs :], (x, own, tape)

    def gradients(
        self, weights: Sequence[Tensor], tape: Any, delta: Tensor, out: Sequence[Tensor | None]
    ) -> None:
        """Writes the model's gradients to `out`; arguments as those of `Ensemble.gradients`."""
        self.model.gradients(weights, tape[2], delta, out)


class Linear(NamedTuple):
    """`Linear` is a linearized network for the engine's loop to train: the model f₀ + J(θ − θ₀), its points
    and θ₀; and which inputs of each tensor its weights have."""

    model: Any
    x: Tensor
    start: list[Tensor]
    inputs: list[Tensor | slice]


def linearized(
    jacobian: Jacobian, ensemble: Ensemble, weights: Sequence[Tensor], f: Tensor, everything: bool
) -> Linear:
    """`linearized` returns networks linearized at these weights, with f₀ [E, n, o] and J of their training
    points.

    Inputs of a fully connected layer that no point of any network reaches are left out, unless `everything`
    is wanted.
    """
    inputs: list[Tensor | slice]
    if isinstance(jacobian, LayersJacobian):
        inputs = reached(jacobian, everything)
        model = LinearizedNetwork(ensemble)
        x = model.features(jacobian, inputs)
    else:
        inputs = [slice(None)] * len(weights)
        model = LinearizedModule(jacobian)
        x = model.features()
    start = [weight[..., own] for weight, own in zip(weights, inputs, strict=True)]
    shifted = Shifted(model, f.shape[2])
    return Linear(shifted, shifted.features(x, f - model.forward(start, x)[0]), start, inputs)


def reached(jacobian: LayersJacobian, everything: bool) -> list[Tensor]:
    """`reached` returns the inputs of each layer that a point of some network reaches. All other columns of J
    are 0, a quarter of digits' first layer, and only a weight decay moves their weights: then `everything`
    counts."""
    return [((h.abs().amax((0, 1)) > 0) | everything).nonzero()[:, 0] for h in jacobian.hidden]
