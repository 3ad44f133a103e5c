"""Sections of a cell that are fine alone and impossible together."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

# The sections that the rules below look at.
LOOKED_AT = ("data", "init", "loss", "optimizer", "predict")


def impossible(variants: Mapping[str, list[Any]]) -> list[str]:
    """What is wrong with some combination of these sections' values, each said once."""
    combinations = product(*(variants[name] for name in LOOKED_AT))
    return list(dict.fromkeys(reason for values in combinations for reason in _reasons(*values)))


def _reasons(
    data: Mapping[str, Any],
    init: Mapping[str, Any],
    loss: str,
    optimizer: Mapping[str, Any],
    predict: list[str],
) -> Iterator[str]:
    batch = optimizer.get("batch_size")
    if batch is not None and batch > data["train_size"]:
        yield f"optimizer.batch_size {batch} is more than the {data['train_size']} training rows"
    labels = {"cross_entropy": "onehot", "logistic": "sign"}.get(loss)
    if labels and data["labels"] != labels:
        yield f"loss: {loss} needs data with labels: {labels}, not {data['labels']}"
    if loss == "mse":
        return
    if init["scheme"] == "centred":
        yield f"init.scheme: centred needs loss: mse, not {loss}"
    if predict:
        yield f"predict: {', '.join(predict)} is about loss: mse; with {loss} say predict: []"
    if isinstance(optimizer.get("lr"), Mapping):
        yield f"optimizer.lr: the stability edge is that of loss: mse; with {loss} give an absolute rate"
    if optimizer["name"] == "flow":
        yield f"optimizer: flow integrates loss: mse, not {loss}"
