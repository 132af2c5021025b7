"""Slow versions of what proximal alternating minimisation is made of."""

from itertools import permutations

import numpy as np
import torch
from torch import nn
from torch.func import functional_call


def nearest_with_sums(x):
    """The nearest matrix whose rows and columns sum to 1, by least squares of the constraints."""
    n = len(x)
    rows = np.kron(np.eye(n), np.ones((1, n)))
    columns = np.kron(np.ones((1, n)), np.eye(n))
    constraints = np.vstack([rows, columns])
    step, *_ = np.linalg.lstsq(constraints, 1 - constraints @ x.numpy().ravel(), rcond=None)
    return x + torch.from_numpy(step.reshape(n, n))


def alternating(x, rounds):
    """Alternate projections as the paper says, in float64: to no negative entry, to sums of 1."""
    for _ in range(rounds):
        x = nearest_with_sums(x.clamp_min(0))
    return x


def nearest_doubly_stochastic(x, rounds):
    """The nearest doubly stochastic matrix itself, by Dykstra's algorithm."""
    kept = torch.zeros_like(x)
    for _ in range(rounds):
        y = (x + kept).clamp_min(0)
        kept = x + kept - y
        x = nearest_with_sums(y)
    return x


def greedy_terms(matrix, tolerance):
    """The paper's decomposition (equation 54), trying every permutation."""
    rest, out, rows = matrix.double().clone(), [], range(len(matrix))
    while True:
        least = tolerance if out else 0.0
        within = [p for p in permutations(rows) if min(float(rest[i, p[i]]) for i in rows) > least]
        if not within:
            return out
        best = max(within, key=lambda p: sum(float(rest[i, p[i]]) for i in rows))
        weight = min(float(rest[i, best[i]]) for i in rows)
        for i in rows:
            rest[i, best[i]] -= weight
        out.append((weight, best))


def mixed_mlp(params, first, second):
    """An MLP of two hidden layers whose units are mixed, written out: W -> P_o W P_i^T."""
    return {
        "1.weight": first @ params["1.weight"],
        "1.bias": first @ params["1.bias"],
        "3.weight": second @ params["3.weight"] @ first.T,
        "3.bias": second @ params["3.bias"],
        "5.weight": params["5.weight"] @ second.T,
        "5.bias": params["5.bias"],
    }


def loss_on_curve(module, a, deviation, end, t, images, labels):
    """The loss at r(t) as equation (35) writes it; gradients reach `end`."""
    point = {
        name: (1 - t) ** 2 * a[name]
        + t**2 * end[name]
        + 2 * t * (1 - t) * ((a[name] + end[name]) / 2 + deviation[name])
        for name in end
    }
    return nn.functional.cross_entropy(functional_call(module, point, (images,)), labels)
