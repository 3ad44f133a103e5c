"""The Gram form of the first layer is the plain form, and stays away where it must."""

import pytest
from tests.unit.helpers import arrays, cell, cells, relative_difference, trained

from minima.engine.networks import gram
from minima.training import cells as training

NETWORK = {"width": 16, "depth": 3}


@pytest.mark.parametrize("scheme", ["gaussian", "antisymmetric", "centred"])
@pytest.mark.parametrize("parametrization", ["ntk", "standard"])
@pytest.mark.parametrize(
    "optimizer", ["gd", "heavy_ball", "nesterov", "nesterov_convex", "nesterov_strong", "higher_momentum"]
)
@pytest.mark.parametrize("features", [9, 5], ids=["n < d", "n > d"])
def test_the_gram_form_is_the_plain_form(monkeypatch, features, optimizer, parametrization, scheme):
    """The first layer trained by its coefficients is the same, also where these are more than its weights."""
    split = arrays(points=6, outputs=2, features=features)
    fields = {
        "network": NETWORK | {"parametrization": parametrization},
        "init": {"scheme": scheme},
        "stop": {"residual": 0.05, "max_steps": 300},
        "record": {"probes": ["accuracy"]},
        "keep_parameters": True,
    }
    curvature = {"curvature": 0.01} if optimizer == "nesterov_strong" else {}
    many = cells({"optimizer.lr": [0.02, 0.05]}, optimizer={"name": optimizer, **curvature}, **fields)
    used = []
    form = gram.into
    monkeypatch.setattr(gram, "into", lambda *given: used.append(1) or form(*given))
    in_gram_form = trained(many, split)
    assert used
    monkeypatch.setattr(training, "fitting_form", lambda *_: None)
    for one, other in zip(in_gram_form, trained(many, split), strict=True):
        assert one["steps"] == other["steps"] > 5
        assert relative_difference(one, other) <= 1e-10


@pytest.mark.parametrize(
    "fields",
    [
        {"optimizer": {"name": "adam", "lr": 0.01}},
        {"optimizer": {"name": "sgd", "lr": 0.01, "batch_size": 2}},
        {"optimizer": {"name": "gd", "lr": 0.01, "weight_decay": {"strength": 0.1}}},
        {"record": {"probes": ["norm"]}},
        {"network": NETWORK | {"frozen": [1]}},
    ],
    ids=["coordinate-wise", "mini-batches", "decay", "weights recorded", "first layer frozen"],
)
def test_the_gram_form_stays_away(monkeypatch, fields):
    """Where it would be another algorithm, or somebody looks at the weights on the way."""
    monkeypatch.setattr(gram, "into", None)
    (values,) = trained(
        [cell(**{"network": NETWORK, "stop": {"max_steps": 3}, **fields})], arrays(4, features=9)
    )
    assert values["steps"] == 3
