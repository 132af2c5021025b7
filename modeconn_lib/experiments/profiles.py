"""How much each profile spends: the only place where the scale of the book is set.

name  ->  profile  ->  Profile (numbers)

No other code asks for a profile's name; it reads numbers. These are the scales of the chapters that
learn curves; Git Re-Basin's chapters have their own in `merging_profiles`, those of connections by
distribution in `distribution_profiles`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from modeconn_lib.core.errors import Refusal
from modeconn_lib.paths.distribution.least_squares import RIDGE
from modeconn_lib.training.attacks import Attack
from modeconn_lib.training.fit import Recipe


@dataclass(frozen=True, slots=True)
class Profile:
    """What a chapter may spend.

    Attributes
    ----------
    dataset, architecture
        What is used where the reader names nothing else.
    pairs
        Independent pairs of endpoint networks.
    train_examples, test_examples
        Images used for training and for test loss and accuracy (the first ones of each split).
    batch_size
        Of endpoint and curve training.
    endpoint_batch_size
        Of endpoint training, where it is another; 0 if not.
    augmentation
        A name of `datasets.AUGMENTATIONS`.
    endpoint
        How networks are trained.
    curve
        How curves are trained, in chapters that learn some.
    penalty
        Coefficient of the squared norm of r(t) in curve training; takes the place of weight decay.
    align_examples
        Training images, not augmented, on which units are matched.
    statistics_examples
        Training images, augmented, for batch-norm statistics at every t.
    measure_examples
        Training images, not augmented, on which the train loss along a path is measured.
    points
        Values of t at which a path is measured.
    claims
        Whether it spends enough for a page's claims to be insisted on.
    orders
        Random orders that weight matching is tried in.
    estimator, estimator_batch_size
        How the straight-through estimator is trained, in chapters that use it.
    epochs
        Epochs after which networks are kept, in chapters that follow training.
    models, rounds
        Networks merged at once, in chapters that merge many, and rounds over them at the most.
    share
        Of the training images, what each network sees, in chapters that merge many.
    subject
        What the subject is called where its network and data set do not tell it from another.
    permutation
        How the relaxed permutations are trained, in chapters with proximal alternating
        minimisation.
    candidates
        Permutations drawn there from the relaxed ones.
    attack
        What training and evaluation defend against, in chapters with robust networks.
    resolution
        Points along each side of a plane, in chapters that draw some.
    rates, batch_sizes
        Learning rates and batch sizes of the curves, in the chapter that compares some.
    adjust_examples
        Training images, not augmented, on which layers are adjusted.
    solved, positions
        At how many values of t a layer is adjusted, and at how many rows and columns of a map, at
        the least.
    ridge
        What weights cost where layers are adjusted, as of `least_squares.LeastSquares.solve`.
    exchanges
        How many exchanges of units are looked at in each group; 0 for all.
    ladder
        Networks of other widths or depths that are connected the same ways, in chapters with such.
    flow, bijection
        How global connections are learned, by likelihood and by the loss of middles.
    transforms, hidden
        Layers of these, and their hidden units.
    variant
        Instead of `subject`, words put behind network and data set, whatever these are; in them
        ``{models}`` stands for the networks merged at once.
    """

    dataset: str
    architecture: str
    pairs: int
    train_examples: int
    test_examples: int
    batch_size: int
    augmentation: str
    endpoint: Recipe
    align_examples: int
    statistics_examples: int
    measure_examples: int
    points: int
    curve: Recipe | None = None
    penalty: float = 0.0
    claims: bool = True
    orders: int = 1
    estimator: Recipe | None = None
    estimator_batch_size: int = 1_000
    epochs: tuple[int, ...] = ()
    models: int = 0
    rounds: int = 100
    share: float = 1.0
    endpoint_batch_size: int = 0
    permutation: Recipe | None = None
    candidates: int = 32
    attack: Attack | None = None
    resolution: int = 0
    rates: tuple[float, ...] = ()
    batch_sizes: tuple[int, ...] = ()
    adjust_examples: int = 0
    solved: int = 11
    positions: int = 0
    ridge: float = RIDGE
    exchanges: int = 0
    ladder: tuple[str, ...] = ()
    flow: Recipe | None = None
    bijection: Recipe | None = None
    transforms: int = 4
    hidden: int = 256
    subject: str = ""
    variant: str = ""


Profiles = Mapping[str, tuple[Profile, ...]]  # of a chapter: by name, one for each subject


# The relaxed permutations of proximal alternating minimisation: plain SGD at half the curve's rate.
PERMUTATION = Recipe(
    epochs=1,
    learning_rate=0.05,
    schedule="constant",
    momentum=0.0,
    nesterov=False,
    weight_decay=0.0,
)

SMOKE = Profile(
    dataset="fashion_mnist_small",
    architecture="tinyten",
    pairs=2,
    train_examples=256,
    test_examples=200,
    batch_size=64,
    augmentation="shift_flip",
    endpoint=Recipe(epochs=1),
    curve=Recipe(epochs=1, weight_decay=0.0),
    penalty=5e-4,
    align_examples=128,
    statistics_examples=128,
    measure_examples=128,
    points=3,
    claims=False,
    permutation=PERMUTATION,
    candidates=2,
)
# All chapters together in a quarter of an hour, so a pair each where networks are convolutional.
QUICK = replace(
    SMOKE,
    pairs=1,
    train_examples=10_000,
    test_examples=2_000,
    batch_size=128,
    endpoint=Recipe(epochs=6),
    curve=Recipe(epochs=4, weight_decay=0.0),
    align_examples=2_000,
    statistics_examples=1_000,
    measure_examples=1_000,
    points=11,
    claims=True,
    permutation=None,
    candidates=8,
)
STANDARD = replace(
    QUICK,
    dataset="cifar10",
    pairs=3,
    train_examples=50_000,
    test_examples=10_000,
    endpoint=Recipe(epochs=16),
    curve=Recipe(epochs=10, weight_decay=0.0),
    align_examples=10_000,
    statistics_examples=5_000,
    measure_examples=2_500,
    points=17,
    # Large steps for few of them: rate times epochs is the published 0.05 x 20.
    permutation=replace(PERMUTATION, epochs=4, learning_rate=0.25),
    candidates=32,
)
PAPER = replace(
    STANDARD,
    augmentation="neuron_alignment",
    endpoint=Recipe(epochs=250, schedule="step_decay"),
    curve=Recipe(epochs=250, schedule="step_decay", learning_rate=0.01, weight_decay=0.0),
    statistics_examples=50_000,
    measure_examples=50_000,
    points=65,
    permutation=replace(PERMUTATION, epochs=20, schedule="step_decay"),
)

PROFILES = {"smoke": SMOKE, "quick": QUICK, "standard": STANDARD, "paper": PAPER}


def profile(name: str) -> Profile:
    """Return the profile called `name`.

    Raises
    ------
    Refusal
        If there is none of that name; the message lists them.
    """
    if name not in PROFILES:
        raise Refusal(f"unknown profile {name!r}; known: {', '.join(PROFILES)}")
    return PROFILES[name]
