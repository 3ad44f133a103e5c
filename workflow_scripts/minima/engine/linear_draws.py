"""Draws of two linear layers: what the initializations made for them share, with theory."""

import numpy as np


def triangle(rng: np.random.Generator, count: int, width: int, rows: int) -> np.ndarray:
    """`triangle` draws `count` normal matrices [rows, width] and returns each in a basis of the span of its
    rows: [count, rows, rows]."""
    if width < rows:
        raise ValueError(f"width {width} is less than the {rows} units that move: draw the network itself")
    z = np.tril(rng.standard_normal((count, rows, rows)), -1)
    degrees = width - np.arange(rows)
    z[:, np.arange(rows), np.arange(rows)] = np.sqrt(rng.chisquare(degrees, (count, rows)))
    return z


def row_space(x: np.ndarray) -> np.ndarray:
    """`row_space` returns an orthonormal basis Φ1ᵀ [r, d] of what the points x [n, d] span."""
    _, roots, rows = np.linalg.svd(x, full_matrices=False)
    return rows[roots > roots[0] * max(x.shape) * np.finfo(np.float64).eps]


def without(first: np.ndarray, rows: np.ndarray, span: np.ndarray) -> np.ndarray:
    """`without` returns W_1 [1, h, d] with the span of the rows [k, h] taken out of the part of W_1 that the
    points do not see."""
    seen = first @ rows.T @ rows
    basis = np.linalg.qr(span.T).Q
    unseen = first - seen
    return seen + unseen - basis @ (basis.T @ unseen)
