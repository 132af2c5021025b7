"""Chapters train a network with auxiliary heads by the losses of all its heads."""

from dataclasses import replace

import torch

from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.parameters import setting
from modeconn_lib.experiments.profiles import PROFILES
from modeconn_lib.experiments.runner import Options, run
from modeconn_lib.training.fit import Recipe
from tests.experiments.tiny import TINY


def test_endpoints_and_curves_learn_the_auxiliary_heads(monkeypatch, store):
    monkeypatch.delenv("MODECONN_DATA", raising=False)
    recipe = Recipe(1, weight_decay=0.0)  # nothing but a loss can move a head
    headed = replace(
        TINY,
        architecture="googlenet_w8",
        train_examples=32,
        endpoint=recipe,
        curve=recipe,
        penalty=0.0,
    )
    monkeypatch.setitem(PROFILES, "headed", headed)
    given = setting(profile="headed")
    plan = {
        "A": tasks.endpoint(given, 0, 0),
        "B": tasks.endpoint(given, 0, 1),
        "curve": tasks.curve(given, 0, aligned=False),
    }
    records = run(plan, store, Options(jobs=1, profile="headed"))
    a, b, inner = (store.tensors(record) for record in records.values())
    for head in ("aux1", "aux2"):
        start = (a[f"{head}.fc2.weight"] + b[f"{head}.fc2.weight"]) / 2
        assert not torch.equal(inner[f"{head}.fc2.weight"], start)
        # batch norm of a head follows its batches from 0: it was run in training
        assert a[f"{head}.conv.bn.running_mean"].any()
        assert not torch.equal(a[f"{head}.conv.bn.weight"], torch.ones(16))
