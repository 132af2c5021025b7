"""Every data set the experiments may name, in one table.

name  ->  dataset  ->  DatasetInfo

A folder of images is a data set, too: ``folder:PATH`` or ``folder:PATH@SIZE`` (see `folder`).
Mean and deviation are those of the training images, to four digits.
"""

from modeconn_lib.core.errors import Refusal
from modeconn_lib.datasets.folder import PREFIX, folder_info
from modeconn_lib.datasets.info import DatasetInfo

CIFAR = "Krizhevsky, Learning multiple layers of features from tiny images, 2009"
FASHION = "Xiao, Rasul & Vollgraf, arXiv:1708.07747; github.com/zalandoresearch/fashion-mnist"
TINY = "Le & Yang, Tiny ImageNet visual recognition challenge, Stanford CS231n, 2015"
TINY_TERMS = "non-commercial research and education; may not be passed on"

DATASETS: dict[str, DatasetInfo] = {
    info.name: info
    for info in (
        DatasetInfo(
            name="cifar10",
            title="CIFAR-10",
            shape=(3, 32, 32),
            classes=10,
            train=50_000,
            test=10_000,
            mean=(0.4914, 0.4822, 0.4465),
            std=(0.2470, 0.2435, 0.2616),
            licence="none stated; free to download for research",
            source=CIFAR,
            fingerprints={
                "train": "4863e50d51d8b37d34761e02f87be4bb1fbbc4b498c1a2faa5781b788b1dd1e4",
                "test": "9a1e205ec7b46fd595455bdfd7fae345c0f49dbba8fa0dd9b546b01986214ac6",
            },
            torchvision="CIFAR10",
        ),
        DatasetInfo(
            name="cifar100",
            title="CIFAR-100",
            shape=(3, 32, 32),
            classes=100,
            train=50_000,
            test=10_000,
            mean=(0.5071, 0.4865, 0.4409),
            std=(0.2673, 0.2564, 0.2762),
            licence="none stated; free to download for research",
            source=CIFAR,
            order="digest",
            fingerprints={
                "train": "3843c334e51221affc27cb380df46d2287022aa7d14dc715d12a57e171bb340a",
                "test": "e67708f98ec5c2df0faf9e22aa8b91b50eaba502d31268f83f0a19d49f7c3a82",
            },
            torchvision="CIFAR100",
        ),
        DatasetInfo(
            name="mnist",
            title="MNIST",
            shape=(1, 28, 28),
            classes=10,
            train=60_000,
            test=10_000,
            mean=(0.1307,),
            std=(0.3081,),
            licence="CC BY-SA 3.0",
            source="LeCun, Cortes & Burges, The MNIST database of handwritten digits",
            fingerprints={
                "train": "d93d2c22ee01823586ad4228c3eb0c640f0842bb91cef19ac48bbd8ac4a05f6b",
                "test": "12afb61b82183c74758741f96477fcef9a2414f353fdecc11f51679b3ede1bc7",
            },
            torchvision="MNIST",
        ),
        DatasetInfo(
            name="fashion_mnist",
            title="Fashion-MNIST",
            shape=(1, 28, 28),
            classes=10,
            train=60_000,
            test=10_000,
            mean=(0.2860,),
            std=(0.3530,),
            licence="MIT, copyright 2017 Zalando SE",
            source=FASHION,
            fingerprints={
                "train": "9085329fd845d34675bd9c18d830e80755d63ffd5d77083840b2c86592884b2c",
                "test": "a4019fe2eb7c27e82041b9d87900f0f8d61fb04c1711d0d9aacfbd669591d29b",
            },
            torchvision="FashionMNIST",
        ),
        DatasetInfo(
            name="fashion_mnist_small",
            title="Fashion-MNIST, 10,000 + 2,000 images",
            shape=(1, 28, 28),
            classes=10,
            train=10_000,
            test=2_000,
            mean=(0.2860,),  # those of the whole set
            std=(0.3530,),
            licence="MIT, copyright 2017 Zalando SE",
            source=FASHION,
            fingerprints={
                "train": "deb887f43d6b5c4c4e554a62522ea565515961d49dec15da3707e775ebcccf1f",
                "test": "f9e38b18f4cc2f5aa67b9e9a3d40707b1af2181ea409f625bce6ec262f88f17b",
            },
        ),
        DatasetInfo(
            name="tiny_imagenet",
            title="Tiny ImageNet",
            shape=(3, 64, 64),
            classes=200,
            train=100_000,
            test=10_000,
            mean=(0.4802, 0.4481, 0.3975),
            std=(0.2770, 0.2691, 0.2821),
            licence=TINY_TERMS,
            source=TINY,
            order="digest",
        ),
        DatasetInfo(
            name="tiny_imagenet_40",
            title="Tiny ImageNet-40, every fifth class",
            shape=(3, 64, 64),
            classes=40,
            train=20_000,
            test=2_000,
            mean=(0.4843, 0.4459, 0.3955),
            std=(0.2785, 0.2725, 0.2841),
            licence=TINY_TERMS,
            source=TINY,
            order="digest",
            fingerprints={
                "train": "7279e9aa0a45f441e02ea77fbada0f01e46ee0ce2e8373cab8868b4d9aab06e7",
                "test": "6de714446de84071af43b4b2ccf61e951c039dbfb016e863cd7faeb58fb73310",
            },
        ),
    )
}


def dataset(name: str) -> DatasetInfo:
    """Return what is known of the data set called `name`.

    Raises
    ------
    Refusal
        If there is no such data set, naming the known ones; or if a folder is not one of images.
    """
    if name.startswith(PREFIX):
        return folder_info(name)
    if name not in DATASETS:
        known = ", ".join(DATASETS)
        raise Refusal(
            f"unknown data set {name!r}; known: {known}, and folder:PATH[@SIZE] for your own images"
        )
    return DATASETS[name]
