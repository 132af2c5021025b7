"""How much each profile spends in the chapters on connections by distribution.

`ONE_HIDDEN_MNIST` and `ONE_HIDDEN_CIFAR` have the published protocol: stochastic gradient descent
with momentum and a weight decay that only the authors' code names, at 0.01 for half of the epochs,
then falling to a hundredth; 30 epochs on MNIST and 400 on CIFAR-10, of chains 60 and 200. Of
chains the paper gives these epochs and the batch size: their rate and penalty are ours, and there
is no code.
"""

from dataclasses import replace

from modeconn_lib.experiments.profiles import SMOKE, Profile, Profiles
from modeconn_lib.training.fit import Recipe


def published(epochs: int) -> Recipe:
    """Return the published way to train networks, for so many epochs."""
    return Recipe(epochs, 0.01, schedule="garipov", nesterov=False, weight_decay=1e-4)


def learned_chain(epochs: int) -> Recipe:
    """Return the way to train chains, whose weight decay is a penalty on the point r(t)."""
    return replace(published(epochs), weight_decay=0.0)


def adam(epochs: int, rate: float) -> Recipe:
    """Return the way to train global connections, which is ours: the paper does not say."""
    return Recipe(epochs, rate, schedule="cosine", weight_decay=0.0, optimiser="adam")


TINY = replace(
    SMOKE,
    architecture="one_hidden_w20",
    pairs=1,
    augmentation="none",
    penalty=1e-4,
    points=3,
    adjust_examples=128,
    solved=3,
    models=2,
    flow=adam(1, 1e-3),
    bijection=adam(1, 1e-3),
    transforms=2,
    hidden=16,
    exchanges=4,
    ladder=("one_hidden_w100",),
)
SMALL = replace(
    TINY,
    architecture="one_hidden_w100",
    train_examples=10_000,
    test_examples=2_000,
    batch_size=128,
    endpoint=published(6),
    curve=learned_chain(6),
    measure_examples=2_000,
    points=9,
    adjust_examples=4_000,
    solved=5,
    models=16,
    flow=adam(5, 1e-3),
    bijection=adam(10, 3e-3),
    transforms=4,
    hidden=64,
    exchanges=0,
    ladder=("one_hidden_w20", "one_hidden_w500"),
    claims=True,
)
ONE_HIDDEN_MNIST = Profile(
    dataset="mnist",
    architecture="one_hidden_w2000",
    pairs=3,
    train_examples=60_000,
    test_examples=10_000,
    batch_size=128,
    augmentation="scaled",  # the authors' code does not normalise MNIST
    endpoint=published(30),
    curve=learned_chain(60),
    penalty=1e-4,
    align_examples=60_000,
    statistics_examples=5_000,  # none of these networks has batch norm; one that is given may
    measure_examples=60_000,
    points=21,
    adjust_examples=60_000,
    solved=11,
    models=16,
    flow=adam(4, 1e-3),  # learned longer, units of unseen networks become less likely
    bijection=adam(2, 3e-3),
    ladder=("one_hidden_w20", "one_hidden_w100", "one_hidden_w500"),
)
ONE_HIDDEN_CIFAR = replace(
    ONE_HIDDEN_MNIST,
    dataset="cifar10",
    train_examples=50_000,
    augmentation="distribution",
    endpoint=published(400),
    curve=learned_chain(200),
    bijection=adam(2, 3e-4),  # of 3,083 coordinates: at ten times the rate they follow the noise
    align_examples=50_000,
    measure_examples=50_000,
    adjust_examples=50_000,
)

# At 20 s an epoch of one network on one core, 400 epochs of 23 are out of reach without a GPU.
ONE_HIDDEN_CIFAR_SHORTENED = replace(
    ONE_HIDDEN_CIFAR,
    endpoint=published(6),
    curve=learned_chain(4),
    transforms=2,
    hidden=64,
    measure_examples=2_500,
    points=11,
    adjust_examples=20_000,
    solved=5,
    ladder=(),
)

# Chapter 33: the same networks and maps, more unseen pairs where they are cheap, no chains.
GLOBAL: Profiles = {
    "smoke": (replace(TINY, curve=None, ladder=()),),
    "quick": (replace(SMALL, pairs=3, curve=None, ladder=()),),
    "standard": (replace(ONE_HIDDEN_MNIST, curve=None, ladder=()),),
    "paper": tuple(
        replace(one, curve=None, ladder=()) for one in (ONE_HIDDEN_MNIST, ONE_HIDDEN_CIFAR)
    ),
}

# Chapter 32. At `standard` the schedules are shortened, paths are looked at in fewer places and on
# fewer images, and layers are adjusted at fewer t.
_CONV = replace(
    ONE_HIDDEN_CIFAR,
    architecture="conv2fc1",
    models=0,
    flow=None,
    bijection=None,
    positions=2,
    ladder=(),
)
_FC3 = replace(_CONV, architecture="fc3", positions=0, ladder=("fc5", "fc7"))
_CONV_SHORTENED = published(6)  # in chapter 34, too, whose first two networks are the pair of 32
DEEP: Profiles = {
    "smoke": (
        replace(
            TINY,
            architecture="mlp_small",
            models=0,
            flow=None,
            bijection=None,
            ladder=("fc5_small",),
        ),
    ),
    "quick": (
        replace(
            SMALL,
            architecture="fc3_small",
            models=0,
            flow=None,
            bijection=None,
            points=7,
            solved=3,
            adjust_examples=2_000,
            ladder=("fc5_small",),
        ),
    ),
    "standard": (
        replace(
            _CONV,
            endpoint=_CONV_SHORTENED,
            curve=learned_chain(4),
            pairs=1,
            measure_examples=2_000,
            adjust_examples=10_000,
            points=5,
            solved=3,
        ),
        replace(
            _FC3,
            endpoint=published(3),
            curve=learned_chain(2),
            pairs=1,
            test_examples=5_000,
            measure_examples=1_000,
            adjust_examples=10_000,
            points=5,
            solved=3,
            exchanges=500,
            ladder=(),  # 6,144 features are solved for in minutes, on every sub-path at every t
        ),
        # By depth, with narrower layers.
        replace(
            _FC3,
            architecture="fc3_small",
            endpoint=published(10),
            curve=learned_chain(6),
            test_examples=5_000,
            measure_examples=2_000,
            adjust_examples=20_000,
            points=5,
            solved=3,
            ladder=("fc5_small", "fc7_small"),
        ),
    ),
    # For an exchange all layers behind the next are run, of VGG16 up to 14: few are looked at.
    "paper": (_FC3, _CONV, replace(_CONV, architecture="vgg16", exchanges=8)),
}

# Chapter 34. The paper has VGG16 on CIFAR-100, up to 7 networks.


def _ensemble(numbers: Profile, models: int = 7) -> Profile:
    """Return the numbers with so many networks that are asked together, and nothing besides.

    Without a ridge, as in the paper: there is no way between two solutions to be wrong on.
    """
    return replace(
        numbers, models=models, pairs=1, ridge=0.0, flow=None, bijection=None, curve=None, ladder=()
    )


_STANDARD = _ensemble(replace(_CONV, endpoint=_CONV_SHORTENED, adjust_examples=20_000))
ENSEMBLES: Profiles = {
    "smoke": (_ensemble(replace(TINY, architecture="mlp_small"), models=2),),
    # Networks that have trained longer than elsewhere at quick agree less.
    "quick": (
        _ensemble(
            replace(
                SMALL,
                architecture="fc3_small",
                endpoint=replace(published(15), learning_rate=0.03),
                adjust_examples=10_000,
            )
        ),
    ),
    "standard": (_STANDARD, replace(_STANDARD, dataset="cifar100")),
    "paper": (_ensemble(replace(_CONV, architecture="vgg16", dataset="cifar100")),),
}
