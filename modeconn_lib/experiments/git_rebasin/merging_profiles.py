"""How much each profile spends in the chapters on Git Re-Basin: one `Profile` for each subject.

A subject is a network on a data set with the way it is trained. Chapters pick theirs from here, so
that they share what is trained. `PAPER` has the published protocols (section 5 of the paper and
the authors' code, where the paper is silent).
"""

from dataclasses import replace

from modeconn_lib.experiments.profiles import Profile
from modeconn_lib.training.fit import Recipe

POINTS = 25  # values of lambda on a line, both ends included, as in the authors' code

# x / 255, Adam at a constant rate, nothing else: the runs behind the paper's MNIST figures.
_ADAM = Recipe(
    epochs=100, learning_rate=1e-3, schedule="constant", weight_decay=0.0, optimiser="adam"
)
# The straight-through estimator, section A.5: plain momentum on the weights that are projected.
_ESTIMATOR = Recipe(
    epochs=250, learning_rate=1e-2, schedule="constant", nesterov=False, weight_decay=0.0
)


def _sgd(epochs: int, rise: int, decay: float, rate: float = 0.1) -> Recipe:
    """Momentum without Nesterov, a warm-up of `rise` epochs, then a cosine to 0."""
    return Recipe(
        epochs=epochs,
        learning_rate=rate,
        schedule=f"warmup_{rise}",
        nesterov=False,
        weight_decay=decay,
    )


MNIST_MLP = Profile(
    dataset="mnist",
    architecture="mlp",
    pairs=5,
    train_examples=60_000,
    test_examples=10_000,
    batch_size=500,
    augmentation="scaled",
    endpoint=_ADAM,
    align_examples=60_000,
    statistics_examples=60_000,
    measure_examples=60_000,
    points=POINTS,
    orders=5,
    estimator=_ESTIMATOR,
    estimator_batch_size=1_000,
)
CIFAR_MLP = replace(
    MNIST_MLP,
    dataset="cifar10",
    train_examples=50_000,
    batch_size=100,
    augmentation="git_rebasin",
    endpoint=_sgd(100, 1, 5e-4),
    align_examples=50_000,
    statistics_examples=50_000,
    measure_examples=50_000,
)
CIFAR_VGG = replace(CIFAR_MLP, architecture="vgg16_layernorm_w64", pairs=3)
CIFAR_RESNET = replace(
    CIFAR_MLP, architecture="resnet20_layernorm", pairs=3, endpoint=_sgd(250, 5, 1e-4)
)

# ImageNet's network on pictures of any folder (`dataset=folder:PATH`), or on Tiny ImageNet. The
# authors took torchvision's trained networks: this recipe is ours, after theirs for CIFAR-10.
IMAGE_RESNET50 = replace(
    CIFAR_RESNET,
    dataset="tiny_imagenet",
    architecture="resnet50",
    pairs=1,
    train_examples=10**9,
    test_examples=10**9,
    endpoint=_sgd(90, 5, 1e-4),
    estimator=None,
)

# The embedded images: minutes for the whole book on two cores.
SMALL_MLP = replace(
    MNIST_MLP,
    dataset="fashion_mnist_small",
    pairs=2,
    train_examples=10_000,
    test_examples=2_000,
    endpoint=replace(_ADAM, epochs=20),
    align_examples=2_000,
    statistics_examples=2_000,
    measure_examples=2_000,
    orders=3,
    estimator=replace(_ESTIMATOR, epochs=5),
    estimator_batch_size=500,
    rounds=10,
)
TINY_MLP = replace(
    SMALL_MLP,
    architecture="mlp_small",
    train_examples=256,
    test_examples=200,
    batch_size=64,
    endpoint=replace(_ADAM, epochs=1),
    align_examples=128,
    statistics_examples=128,
    measure_examples=128,
    points=5,
    orders=1,
    estimator=replace(_ESTIMATOR, epochs=1),
    estimator_batch_size=128,
    claims=False,
)

# The papers' data sets, as far as two cores get in minutes. MNIST's networks are trained as in the
# authors' code; only what is measured besides uses fewer images, and the estimator fewer epochs.
STANDARD_MNIST_MLP = replace(
    MNIST_MLP,
    align_examples=10_000,
    statistics_examples=10_000,
    measure_examples=10_000,
    estimator=replace(_ESTIMATOR, epochs=5),
    rounds=30,  # later ones lower the spread in its fourth digit, if at all
)
STANDARD_CIFAR_MLP = replace(
    CIFAR_MLP,
    pairs=3,
    endpoint=_sgd(20, 1, 5e-4),
    align_examples=10_000,
    statistics_examples=10_000,
    measure_examples=10_000,
    estimator=replace(_ESTIMATOR, epochs=3),
)
