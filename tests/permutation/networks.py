"""Small networks, one for each thing that the tracer must understand."""

import torch
from torch import cat, nn
from torch.nn import functional as F


def conv(inputs, outputs, **options):
    return nn.Conv2d(inputs, outputs, 3, padding=1, **options)


class Concatenation(nn.Module):
    """Two branches side by side, as in GoogLeNet, then a norm over both."""

    def __init__(self):
        super().__init__()
        self.left, self.right = conv(3, 5), conv(3, 7)
        self.norm, self.join, self.fc = nn.BatchNorm2d(12), conv(12, 6), nn.Linear(6, 4)

    def forward(self, x):
        y = cat([F.relu(self.left(x)), F.relu(self.right(x))], 1)
        return self.fc(F.relu(self.join(F.max_pool2d(self.norm(y), 2))).mean((2, 3)))


class Flatten(nn.Module):
    """VGG's end: maps of 5 channels and 2 x 2 positions become 20 features."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc1, self.fc2 = conv(3, 5), nn.Linear(20, 6), nn.Linear(6, 4)

    def forward(self, x):
        y = F.adaptive_avg_pool2d(F.relu(self.conv(x), inplace=True), 2).flatten(1)
        return self.fc2(F.relu(self.fc1(F.dropout(y, 0.5, self.training))))


class ChannelsLastFlatten(Flatten):
    """The same with the channels last: a unit owns every fifth feature."""

    def forward(self, x):
        y = F.adaptive_avg_pool2d(F.relu(self.conv(x)), 2)
        y = y.permute(0, 2, 3, 1).reshape(x.shape[0], -1)
        return self.fc2(F.relu(self.fc1(y)))


class Depthwise(nn.Module):
    """A depthwise convolution keeps the units of the one before; twice as many come of each."""

    def __init__(self, multiplier=1):
        super().__init__()
        self.first, self.each = conv(3, 6), conv(6, 6 * multiplier, groups=6)
        self.norm, self.last = nn.BatchNorm2d(6 * multiplier), conv(6 * multiplier, 4)

    def forward(self, x):
        return self.last(F.relu6(self.norm(self.each(F.relu(self.first(x)))))).mean((2, 3))


class Grouped(nn.Module):
    """A convolution in 3 groups of 2 channels: whole groups can be exchanged."""

    def __init__(self):
        super().__init__()
        self.first, self.each, self.last = conv(3, 6), conv(6, 12, groups=3), conv(12, 4)

    def forward(self, x):
        return self.last(F.relu(self.each(F.relu(self.first(x))))).mean((2, 3))


class Shuffle(nn.Module):
    """ShuffleNet: half of the channels pass by, then both halves are interleaved."""

    def __init__(self):
        super().__init__()
        self.first, self.branch, self.last = conv(3, 8), conv(4, 4), conv(8, 4)

    def forward(self, x):
        stay, go = F.relu(self.first(x)).chunk(2, dim=1)
        y = cat([stay, F.relu(self.branch(go))], 1)
        n, c, h, w = y.shape
        y = y.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)
        return self.last(y).mean((2, 3))


class SqueezeExcite(nn.Module):
    """A gate for each channel, computed from the means of all."""

    def __init__(self):
        super().__init__()
        self.first, self.last = conv(3, 8), conv(8, 4)
        self.down, self.up = nn.Conv2d(8, 3, 1), nn.Conv2d(3, 8, 1)

    def forward(self, x):
        y = F.silu(self.first(x))
        gate = self.up(F.relu(self.down(F.adaptive_avg_pool2d(y, 1)))).sigmoid()
        return self.last(y * gate).mean((2, 3))


class Gated(nn.Module):
    """A gated linear unit: unit i of one half opens unit i of the other."""

    def __init__(self):
        super().__init__()
        self.wide, self.last = nn.Linear(3 * 8 * 8, 10), nn.Linear(5, 4)

    def forward(self, x):
        value, gate = self.wide(x.flatten(1)).chunk(2, -1)
        return self.last(value * gate.sigmoid())


class HalfNonlinear(nn.Module):
    """Half of the units pass a tanh; they must not be exchanged with the others."""

    def __init__(self):
        super().__init__()
        self.wide, self.last = nn.Linear(3 * 8 * 8, 10), nn.Linear(10, 4)

    def forward(self, x):
        y = self.wide(x.flatten(1))
        return self.last(cat([y[:, :4].tanh(), y[:, 4:]], 1))


class Sorted(nn.Module):
    """An operator that mixes the units in a way that no table row describes."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(192, 6), nn.Linear(6, 5), nn.Linear(5, 4)

    def forward(self, x):
        return self.fc3(F.relu(self.fc2(self.fc1(x.flatten(1)).cumsum(1))))


class PositionEmbedding(nn.Module):
    """A parameter of the shape of a map: its channels move, its positions do not."""

    def __init__(self):
        super().__init__()
        self.conv, self.last = conv(3, 6), nn.Linear(6, 4)
        self.bias = nn.Parameter(0.1 * conv(6, 8).weight[0].new_ones(1, 6, 8, 8))

    def forward(self, x):
        return self.last(F.gelu(self.conv(x) + self.bias).flatten(2).transpose(1, 2).mean(1))


class GroupNorm(nn.Module):
    """Channels can be exchanged within the groups of a group norm only."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.last = conv(3, 8), nn.GroupNorm(2, 8), conv(8, 4)

    def forward(self, x):
        return self.last(F.relu(self.norm(self.conv(x)))).mean((2, 3))


class Auxiliary(nn.Module):
    """A head that only training reads, as in GoogLeNet, and a parameter that nothing reads."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = conv(3, 6), nn.Linear(6, 4)
        self.aux1, self.aux2 = nn.Linear(6, 5), nn.Linear(5, 4)
        self.unused = nn.Linear(3, 3)

    def forward(self, x):
        y = F.relu(self.conv(x)).mean((2, 3))
        if self.training:
            return self.fc(y), self.aux2(F.dropout(F.relu(self.aux1(y)), 0.7))
        return self.fc(y)


class Overwriting(nn.Module):
    """In-place operators, of which one writes through a view."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(192, 6), nn.Linear(6, 4)

    def forward(self, x):
        y = self.fc1(x.flatten(1))
        y[:, :3].mul_(2)
        y += 1
        return self.fc2(y.relu_())


class Picked(nn.Module):
    """Unit 0 is used on its own, by its place."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.one = nn.Linear(192, 6), nn.Linear(6, 4), nn.Conv2d(3, 1, 1)

    def forward(self, x):
        y = F.relu(self.fc1(x.flatten(1)))
        return self.fc2(y) * y[:, 0].sigmoid().unsqueeze(1) + self.one(x).mean((2, 3))


class Casting(nn.Module):
    """A softmax over the units that insists on float32."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(192, 6), nn.Linear(6, 4)

    def forward(self, x):
        y = F.softmax(self.fc1(x.flatten(1)), dim=1, dtype=torch.float32)
        return self.fc2(y.to(self.fc2.weight.dtype))


class Products(nn.Module):
    """Layers written as matrix products, with the weight on the right."""

    def __init__(self):
        super().__init__()
        self.w1 = nn.Parameter(torch.randn(192, 5))
        self.w2 = nn.Parameter(torch.randn(5, 4))

    def forward(self, x):
        return F.gelu(x.flatten(1) @ self.w1) @ self.w2


class Tied(nn.Module):
    """One weight in two layers: the units of both are the same."""

    def __init__(self):
        super().__init__()
        self.inp, self.fc1, self.fc2 = nn.Linear(192, 6), nn.Linear(6, 6), nn.Linear(6, 6)
        self.fc2.weight, self.out = self.fc1.weight, nn.Linear(6, 4)

    def forward(self, x):
        return self.out(F.relu(self.fc2(F.relu(self.fc1(F.relu(self.inp(x.flatten(1))))))))


class Pooled(nn.Module):
    """A maximum over positions, an operator that also says where it was."""

    def __init__(self):
        super().__init__()
        self.conv, self.pool, self.fc = conv(3, 6), nn.AdaptiveMaxPool2d(2), nn.Linear(24, 4)

    def forward(self, x):
        return self.fc(self.pool(F.relu(self.conv(x))).flatten(1))


class NativeDropout(nn.Module):
    """Dropout that also says what it dropped, in a head that only training reads."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc, self.aux = conv(3, 6), nn.Linear(6, 4), nn.Linear(6, 4)

    def forward(self, x):
        y = torch.native_dropout(F.relu(self.conv(x)), 0.5, self.training)[0].mean((2, 3))
        return self.fc(y) + self.aux(y) if self.training else self.fc(y)


class OneForAll(nn.Module):
    """A unit that gates all the others, which are then taken apart."""

    def __init__(self, gate_first=True):
        super().__init__()
        self.fc1, self.left, self.right = nn.Linear(192, 9), nn.Linear(4, 4), nn.Linear(4, 4)
        self.gate_first = gate_first

    def forward(self, x):
        y = F.relu(self.fc1(x.flatten(1)))
        gate, rest = torch.sigmoid(y[:, :1]), y[:, 1:]
        a, b = (gate * rest if self.gate_first else rest * gate).chunk(2, 1)
        return self.left(a) + self.right(b)


class Blurred(nn.Module):
    """Constants that are no part of the network's state: a buffer, and a plain tensor."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc, self.mix = conv(3, 6), nn.Linear(6, 4), torch.randn(4, 4)
        self.register_buffer("kernel", torch.full((1, 1, 3, 3), 1 / 9), persistent=False)

    def forward(self, x):
        y = F.conv2d(F.relu(self.conv(x)), self.kernel.expand(6, -1, -1, -1), groups=6)
        return self.fc(y.mean((2, 3))) @ self.mix


class Raw(nn.Module):
    """Parameters without modules of their own."""

    def __init__(self):
        super().__init__()
        self.w0, self.w1 = nn.Parameter(torch.randn(192, 8)), nn.Parameter(torch.randn(8, 9))
        self.w2, self.w3 = nn.Parameter(torch.randn(9, 7)), nn.Parameter(torch.randn(7, 4))

    def forward(self, x):
        return (((x.flatten(1) @ self.w0).relu() @ self.w1).relu() @ self.w2).relu() @ self.w3


class RawInside(nn.Sequential):
    """The same within a module, whose name is all they have."""

    def __init__(self):
        super().__init__(Raw())


class NormOfNorm(nn.Sequential):
    """Blocks in blocks, neither with parameters of their own."""

    def __init__(self):
        norms = nn.GroupNorm(4, 8, affine=False), nn.GroupNorm(2, 8, affine=False)
        super().__init__(conv(3, 8), *norms, nn.ReLU(), nn.Flatten(), nn.Linear(512, 4))


ALL = [
    Pooled,
    NativeDropout,
    OneForAll,
    Blurred,
    Raw,
    RawInside,
    NormOfNorm,
    Concatenation,
    Flatten,
    ChannelsLastFlatten,
    Depthwise,
    Grouped,
    Shuffle,
    SqueezeExcite,
    Gated,
    HalfNonlinear,
    Sorted,
    PositionEmbedding,
    GroupNorm,
    Auxiliary,
    Overwriting,
    Picked,
    Casting,
    Products,
    Tied,
]
