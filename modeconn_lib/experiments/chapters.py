"""Every chapter that has a plan, in one table.

"13", "13_learned_curves", "learned_curves"  ->  chapter  ->  Chapter  ->  plan(setting)
"""

from modeconn_lib.core.errors import Refusal
from modeconn_lib.experiments.beyond import any_network, residual_connections
from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.distribution import (
    deep_networks,
    global_connections,
    one_hidden_layer,
    wa_ensembles,
)
from modeconn_lib.experiments.git_rebasin import (
    counterexample,
    failure_modes,
    matching_methods,
    merging_many,
    onset,
    split_data,
    symmetries,
    width,
)
from modeconn_lib.experiments.neuron_alignment import (
    alignment_costs,
    correlation_signature,
    hyperparameters,
    learned_curves,
    pam,
    planes,
    robust_curves,
    theory,
)

CHAPTERS: dict[str, Chapter] = {
    module.CHAPTER.name: module.CHAPTER
    for module in (
        correlation_signature,
        alignment_costs,
        learned_curves,
        planes,
        pam,
        robust_curves,
        hyperparameters,
        theory,
        matching_methods,
        onset,
        width,
        split_data,
        merging_many,
        counterexample,
        symmetries,
        failure_modes,
        one_hidden_layer,
        deep_networks,
        global_connections,
        wa_ensembles,
        any_network,
        residual_connections,
    )
}


def chapter(name: str) -> Chapter:
    """Return a chapter by its full name, its number, or its name without the number.

    Raises
    ------
    Refusal
        If there is none; the message lists them.
    """
    for known, found in CHAPTERS.items():
        number, _, topic = known.partition("_")
        if name in (known, number, topic):
            return found
    raise Refusal(f"unknown chapter {name!r}; known: {', '.join(CHAPTERS)}")
