"""The bounds of Tatro et al. 2020, C.1, one image, one layer and one t at a time, in numpy."""

import numpy as np


def forward(layers, x):
    """Pre-activations of one input; `layers` are pairs of numpy arrays (weight, bias)."""
    found = []
    for weight, bias in layers:
        x = weight @ x + bias
        found.append(x)
        x = np.maximum(x, 0)
    return found


def mixed(a, b, t):
    return [((1 - t) * v + t * w, (1 - t) * c + t * d) for (v, c), (w, d) in zip(a, b, strict=True)]


def distance(network, other, images, layer):
    """Root of the mean squared distance of one layer's pre-activations."""
    squares = [np.sum((forward(network, x)[layer] - forward(other, x)[layer]) ** 2) for x in images]
    return np.sqrt(np.mean(squares))


def norm(weight):
    return np.linalg.svd(weight, compute_uv=False)[0]


def deviation(a, b, images, t):
    """How far the outputs at t are from the mixture of the ends' outputs."""
    squares = []
    for x in images:
        wanted = (1 - t) * forward(a, x)[-1] + t * forward(b, x)[-1]
        squares.append(np.sum((forward(mixed(a, b, t), x)[-1] - wanted) ** 2))
    return np.sqrt(np.mean(squares))


def bounds(a, b, images, t):
    """Equations 15 to 26: bounds of d_i(t; 0), of d_i(t; 1), and of `deviation`."""
    to_a, to_b = [], []
    for i, ((v, _), (w, _)) in enumerate(zip(a, b, strict=True)):
        carried = 0.0
        if i > 0:
            carried = (1 - t) * norm(v) * to_a[-1] + t * norm(w) * to_b[-1]
        if i == len(a) - 1:
            return to_a, to_b, carried
        apart = distance(a, b, images, i)
        to_a.append(carried + t * apart)
        to_b.append(carried + (1 - t) * apart)
    raise AssertionError("a network has a last layer")
