"""Gradient descent on two linear layers and what is said of it, written out: f(X) = X W1 W2."""

import numpy as np


def instance(inputs, outputs, width=30, scales=(1.0, 1.0), seed=0, condition=2.0, off=None):
    """A square problem and a network, by plain arrays X, Y, W1 [n, h] and W2 [h, m]."""
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.normal(size=(inputs, inputs))).Q for _ in range(2))
    x = left * np.linspace(1, np.sqrt(condition), inputs) @ right
    first = scales[0] * rng.normal(size=(inputs, width))
    second = scales[1] * rng.normal(size=(width, outputs))
    y = x @ (rng.normal(size=(inputs, outputs)) if off is None else first @ second)
    return x, y + (off or 0) * rng.normal(size=y.shape), first, second


def operator(first, second):
    """τ as a matrix on the entries of M."""
    n, m = len(first), second.shape[1]
    columns = [np.eye(n * m)[i].reshape(n, m) for i in range(n * m)]
    return np.array([(e @ second.T @ second + first @ first.T @ e).ravel() for e in columns])


def written_out(x, y, first, second):
    """p1, p2, α0 and β0 of Table 2, word by word."""
    n, m = x.shape[1], y.shape[1]
    sigma = np.linalg.svd(x, compute_uv=False)
    off = np.linalg.norm(y - x @ first @ second)
    p1 = max(np.linalg.svd(y, compute_uv=False)[-1] - off, 0) / sigma[0]
    p2 = (np.linalg.norm(y) + off) / sigma[-1]
    spectrum = np.sort(np.linalg.eigvalsh(first.T @ first - second @ second.T))[::-1]
    negative = -spectrum[::-1]
    plus, minus = max(spectrum[0], 0), max(negative[0], 0)
    n_th, m_th = max(spectrum[n - 1], 0), max(negative[m - 1], 0)
    together = n_th + m_th

    def summand(shift, p):
        return (-shift + np.sqrt((shift + together) ** 2 + 4 * p**2)) / 2

    def alpha(first, second):
        return summand(plus - n_th, first) + summand(minus - m_th, second)

    covered = alpha(p1 if m <= n else 0, p1 if n <= m else 0)
    beta = (plus + np.sqrt(plus**2 + 4 * p2**2) + minus + np.sqrt(minus**2 + 4 * p2**2)) / 2
    return p1, p2, alpha(p1, p1), covered, beta


def polynomial(x, y, first, second, c1, c2, loss):
    """a1 … a4 of (27)."""
    _, p2, alpha, _, beta = written_out(x, y, first, second)
    sigma = np.linalg.svd(x, compute_uv=False)
    mu, kappa = sigma[-1] ** 2, (sigma[0] / sigma[-1]) ** 2
    return (
        2 * c1 * alpha * mu,
        2 * p2 * np.sqrt(2 * kappa * loss * mu**3) + kappa * mu**2 * (c2 * beta) ** 2,
        2 * c2 * beta * p2 * np.sqrt(2 * kappa**3 * loss * mu**5),
        2 * kappa**2 * mu**3 * p2**2 * loss,
    )


def loss_of(x, y, first, second):
    return ((y - x @ first @ second) ** 2).sum() / 2


def roots(*coefficients):
    """The positive root by companion matrix."""
    found = np.roots(coefficients)
    (one,) = found[(abs(found.imag) < 1e-9 * abs(found)) & (found.real > 0)].real
    return one
