"""Projected gradient descent image by image and pixel by pixel, as the definition reads."""

import torch
from torch import Tensor, nn

from modeconn_lib.training.attacks import Attack


def attack_one(network: nn.Module, image: Tensor, label: Tensor, start: Tensor, attack: Attack):
    """Attack one image (channels, height, width) from `start`; returns it, in float64."""
    current = start.double()
    for _ in range(attack.steps):
        asked = current.clone().requires_grad_()
        loss = nn.functional.cross_entropy(network(asked[None]), label[None])
        loss.backward()
        moved = current + attack.step * asked.grad.sign()
        pixels = [
            min(max(float(x), float(x0) - attack.epsilon, 0.0), float(x0) + attack.epsilon, 1.0)
            for x, x0 in zip(moved.flatten(), image.double().flatten(), strict=True)
        ]
        current = torch.tensor(pixels, dtype=torch.float64).view_as(image)
    return current
