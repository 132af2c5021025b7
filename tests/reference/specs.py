"""Permutation specs written by hand, tensor by tensor, as the published code has them."""

from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec

BATCH_NORM = ("weight", "bias", "running_mean", "running_var")
LAYER_NORM = ("weight", "bias")


def norm(name: str, tensors: tuple[str, ...]) -> list[AxisSpan]:
    return [AxisSpan(f"{name}.{tensor}", 0) for tensor in tensors]


def spec(groups: dict[str, tuple[int, list[AxisSpan]]]) -> PermutationSpec:
    sizes = {name: size for name, (size, _) in groups.items()}
    return PermutationSpec(sizes, {name: tuple(spans) for name, (_, spans) in groups.items()})


def mlp(widths: tuple[int, ...]) -> PermutationSpec:
    groups = {}
    for i, width in enumerate(widths, start=1):
        after = f"fc{i + 1}" if i < len(widths) else "fc"
        groups[f"fc{i}"] = (
            width,
            [
                AxisSpan(f"fc{i}.weight", 0),
                AxisSpan(f"fc{i}.bias", 0),
                AxisSpan(f"{after}.weight", 1),
            ],
        )
    return spec(groups)


def tinyten() -> PermutationSpec:
    groups = {}
    for i, width in enumerate((16, 16, 32, 32, 32, 64, 64, 64), start=1):
        after = f"conv{i + 1}" if i < 8 else "fc"
        spans = [AxisSpan(f"conv{i}.weight", 0), AxisSpan(f"conv{i}.bias", 0)]
        spans += [*norm(f"bn{i}", BATCH_NORM), AxisSpan(f"{after}.weight", 1)]
        groups[f"conv{i}"] = (width, spans)
    return spec(groups)


def resnet(blocks: int, width: int, tensors: tuple[str, ...]) -> PermutationSpec:
    """One group for the residual stream of each stage, and one within each block."""
    streams: list[list[AxisSpan]] = [[AxisSpan("conv1.weight", 0), *norm("norm1", tensors)], [], []]
    groups = {}
    for stage in range(3):
        units = 16 * width * 2**stage
        for b in range(blocks):
            name = f"layer{stage + 1}.{b}"
            new_stage = stage > 0 and b == 0
            read, write = streams[stage - 1] if new_stage else streams[stage], streams[stage]
            inner = [AxisSpan(f"{name}.conv1.weight", 0), *norm(f"{name}.norm1", tensors)]
            groups[f"{name}.conv1"] = (units, [*inner, AxisSpan(f"{name}.conv2.weight", 1)])
            read.append(AxisSpan(f"{name}.conv1.weight", 1))
            write += [AxisSpan(f"{name}.conv2.weight", 0), *norm(f"{name}.norm2", tensors)]
            if new_stage:
                read.append(AxisSpan(f"{name}.shortcut.conv.weight", 1))
                write.append(AxisSpan(f"{name}.shortcut.conv.weight", 0))
                write += norm(f"{name}.shortcut.norm", tensors)
    streams[2].append(AxisSpan("fc.weight", 1))
    for stage in range(3):
        groups[f"stream{stage + 1}"] = (16 * width * 2**stage, streams[stage])
    return spec(groups)


def torchvision_vgg11_bn() -> PermutationSpec:
    """Eight convolutions, a flatten of 7 x 7 maps, two hidden linear layers."""
    convolutions = (0, 4, 8, 11, 15, 18, 22, 25)
    widths = (64, 128, 256, 256, 512, 512, 512, 512)
    groups = {}
    for i, width, after in zip(convolutions, widths, (*convolutions[1:], None), strict=True):
        spans = [AxisSpan(f"features.{i}.weight", 0), AxisSpan(f"features.{i}.bias", 0)]
        spans += norm(f"features.{i + 1}", BATCH_NORM)
        if after is None:
            spans.append(AxisSpan("classifier.0.weight", 1, block=49))
        else:
            spans.append(AxisSpan(f"features.{after}.weight", 1))
        groups[f"features.{i}"] = (width, spans)
    for i, after in ((0, 3), (3, 6)):
        spans = [AxisSpan(f"classifier.{i}.weight", 0), AxisSpan(f"classifier.{i}.bias", 0)]
        groups[f"classifier.{i}"] = (4096, [*spans, AxisSpan(f"classifier.{after}.weight", 1)])
    return spec(groups)


def torchvision_resnet(
    blocks: tuple[int, ...], convolutions: int, expansion: int
) -> PermutationSpec:
    """Basic blocks have 2 convolutions, bottlenecks 3; the last one of a block writes the stream.

    The stem is a stream of its own where the first stage begins with a projection.
    """
    stem = [AxisSpan("conv1.weight", 0), *norm("bn1", BATCH_NORM)]
    groups = {"stem": (64, stem)}
    stream = stem
    for stage, count in enumerate(blocks):
        units = 64 * 2**stage
        for b in range(count):
            name = f"layer{stage + 1}.{b}"
            read = stream
            if b == 0 and (stage or expansion > 1):
                stream = [AxisSpan(f"{name}.downsample.0.weight", 0)]
                stream += norm(f"{name}.downsample.1", BATCH_NORM)
                groups[f"stream{stage}"] = (units * expansion, stream)
                read.append(AxisSpan(f"{name}.downsample.0.weight", 1))
            read.append(AxisSpan(f"{name}.conv1.weight", 1))
            for c in range(1, convolutions):
                inner = [AxisSpan(f"{name}.conv{c}.weight", 0), *norm(f"{name}.bn{c}", BATCH_NORM)]
                inner.append(AxisSpan(f"{name}.conv{c + 1}.weight", 1))
                groups[f"{name}.conv{c}"] = (units, inner)
            stream.append(AxisSpan(f"{name}.conv{convolutions}.weight", 0))
            stream += norm(f"{name}.bn{convolutions}", BATCH_NORM)
    stream.append(AxisSpan("fc.weight", 1))
    return spec(groups)


INCEPTIONS = {  # inputs of each block are the outputs of the one before
    "inception3a": (64, 96, 128, 16, 32, 32),
    "inception3b": (128, 128, 192, 32, 96, 64),
    "inception4a": (192, 96, 208, 16, 48, 64),
    "inception4b": (160, 112, 224, 24, 64, 64),
    "inception4c": (128, 128, 256, 24, 64, 64),
    "inception4d": (112, 144, 288, 32, 64, 64),
    "inception4e": (256, 160, 320, 32, 128, 128),
    "inception5a": (256, 160, 320, 32, 128, 128),
    "inception5b": (384, 192, 384, 48, 128, 128),
}
READERS = ("branch1", "branch2.0", "branch3.0", "branch4.1")
WRITERS = ("branch1", "branch2.1", "branch3.1", "branch4.1")


def torchvision_googlenet() -> PermutationSpec:
    """61 groups: every branch of every block is its own stretch of the next block's input axis."""

    def layer(name: str, units: int) -> tuple[int, list[AxisSpan]]:
        return units, [AxisSpan(f"{name}.conv.weight", 0), *norm(f"{name}.bn", BATCH_NORM)]

    groups = {
        "conv1": layer("conv1", 64),
        "conv2": layer("conv2", 64),
        "conv3": layer("conv3", 192),
    }
    groups["conv1"][1].append(AxisSpan("conv2.conv.weight", 1))
    groups["conv2"][1].append(AxisSpan("conv3.conv.weight", 1))
    before = [("conv3", 0)]
    for block, (c1, c2, c2b, c3, c3b, c4) in INCEPTIONS.items():
        _read(groups, before, [f"{block}.{branch}.conv.weight" for branch in READERS])
        for branch, units in zip(
            ("branch1", "branch2.0", "branch2.1", "branch3.0", "branch3.1", "branch4.1"),
            (c1, c2, c2b, c3, c3b, c4),
            strict=True,
        ):
            groups[f"{block}.{branch}"] = layer(f"{block}.{branch}", units)
        for branch in ("branch2", "branch3"):
            inner = AxisSpan(f"{block}.{branch}.1.conv.weight", 1)
            groups[f"{block}.{branch}.0"][1].append(inner)
        offsets = (0, c1, c1 + c2b, c1 + c2b + c3b)
        before = [(f"{block}.{w}", offset) for w, offset in zip(WRITERS, offsets, strict=True)]
        auxiliary = {"inception4a": "aux1", "inception4d": "aux2"}.get(block)
        if auxiliary:
            _read(groups, before, [f"{auxiliary}.conv.conv.weight"])
            groups[auxiliary] = layer(f"{auxiliary}.conv", 128)
            groups[auxiliary][1].append(AxisSpan(f"{auxiliary}.fc1.weight", 1, block=16))
            hidden = [AxisSpan(f"{auxiliary}.fc1.weight", 0), AxisSpan(f"{auxiliary}.fc1.bias", 0)]
            groups[f"{auxiliary}.fc1"] = (1024, [*hidden, AxisSpan(f"{auxiliary}.fc2.weight", 1)])
    _read(groups, before, ["fc.weight"])
    return spec(groups)


def _read(groups: dict, before: list[tuple[str, int]], tensors: list[str]) -> None:
    for name, offset in before:
        groups[name][1].extend(AxisSpan(tensor, 1, offset) for tensor in tensors)
