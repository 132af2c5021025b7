"""The steps of ensembles that share a backbone, and the tasks that name them.

networks  ->  ask_together  ->  accuracy by number of members, each network run whole
networks  ->  share_backbone  ->  the same with the first layers of the first, and what both cost
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from modeconn_lib.core.params import Params, combine
from modeconn_lib.evaluation.ensembles import labels_of, logits_of, mean_probabilities, metrics_of
from modeconn_lib.evaluation.shared_backbone import cost_of, shared_backbone
from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.distribution.connection_steps import linear_layers
from modeconn_lib.experiments.parameters import Setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.work import Outcome, Step, Work


def ask_together(work: Work) -> Outcome:
    """Measure ensembles of the first 1, 2, ... networks, and every network alone."""
    networks, module = _networks(work)
    images = work.in_order("test", work.config["test_examples"])
    logits = [logits_of(module, network, images, work.exact) for network in networks]
    alone = [metrics_of(one, labels_of(images)) for one in logits]
    cost = cost_of(module, linear_layers(module)[1], 1, _image(work))
    return Outcome(
        scalars={"multiply_adds": cost.multiply_adds, "parameters": cost.parameters},
        series={
            **_by_members(work, logits),
            "alone_accuracy": [one.accuracy for one in alone],
            "alone_loss": [one.loss for one in alone],
        },
    )


def share_backbone(work: Work) -> Outcome:
    """Adjust every network to the first one's layers before the split, and measure as above."""
    networks, module = _networks(work)
    config = work.config
    images = list(work.inputs("train", config["adjust_examples"]))
    with work.exact.precision():
        found = shared_backbone(
            module, networks, config["layer"], images, config["positions"], config["ridge"]
        )
    test = work.in_order("test", config["test_examples"])
    logits = [logits_of(module, network, test, work.exact) for network in found.members]
    counts = range(1, len(networks) + 1)
    costs = [cost_of(module, config["layer"], n, _image(work)) for n in counts]
    series = _by_members(work, logits) | {
        "residuals": list(found.residuals),
        "multiply_adds": [cost.multiply_adds for cost in costs],
        "parameters": [cost.parameters for cost in costs],
    }
    if config["layer"] == linear_layers(module)[-1]:
        means = [combine([1 / n] * n, found.members[:n]) for n in counts]
        each = [metrics_of(logits_of(module, m, test, work.exact), labels_of(test)) for m in means]
        series |= {"averaged_accuracy": [one.accuracy for one in each]}
        series |= {"averaged_loss": [one.loss for one in each]}
    return Outcome(scalars={}, series=series)


def _by_members(work: Work, logits: Sequence[Tensor]) -> dict[str, list[Any]]:
    """Return accuracy and loss of the ensembles of the first 1, 2, ... members."""
    labels = labels_of(work.in_order("test", work.config["test_examples"]))
    counts = range(1, len(logits) + 1)
    found = [metrics_of(mean_probabilities(logits[:n]), labels) for n in counts]
    return {
        "members": list(counts),
        "accuracy": [one.accuracy for one in found],
        "loss": [one.loss for one in found],
    }


def _networks(work: Work) -> tuple[list[Params], nn.Sequential]:
    """Return all networks on the machine, and their module."""
    module = work.network().to(work.machine.device)
    assert isinstance(module, nn.Sequential)  # as the chapter has made sure of
    return [work.here(work.tensors(record)) for record in work.records], module


def _image(work: Work) -> Tensor:
    """Return one image, for its shape."""
    first: Tensor = next(iter(work.inputs("train", 1)))
    return first[0]


def independent(setting: Setting) -> Task:
    """Return the measuring of ensembles of whole networks."""
    inputs = members(setting)
    cost = len(inputs) * setting.numbers.test_examples
    label = f"ensembles of up to {len(inputs)} networks"
    return tasks.task(setting, "ask_together", tasks.measuring(setting), inputs, label, cost)


def sharing(setting: Setting, layer: str) -> Task:
    """Return the measuring of ensembles whose members are the same up to a layer."""
    numbers, inputs = setting.numbers, members(setting)
    config = {
        **tasks.measuring(setting),
        "layer": layer,
        "adjust_examples": numbers.adjust_examples,
        "positions": numbers.positions,
        "ridge": numbers.ridge,
    }
    cost = len(inputs) * (numbers.adjust_examples + numbers.test_examples)
    label = f"ensembles of up to {len(inputs)} networks that share what is before {layer}"
    return tasks.task(setting, "share_backbone", config, inputs, label, cost)


def members(setting: Setting) -> tuple[Task, ...]:
    """Return the trainings of all networks: numbers 2p and 2p + 1 are those of pair p.

    Where another chapter trains its pairs likewise, they are the same networks.
    """
    numbers = range(setting.numbers.models)
    return tuple(tasks.network(setting, i, f"network {i + 1} of the ensemble") for i in numbers)


STEPS: dict[str, Step] = {"ask_together": ask_together, "share_backbone": share_backbone}
