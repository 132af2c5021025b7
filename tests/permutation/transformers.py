"""Small networks with attention, blocks and norms, as transformers write them."""

import torch
from torch import nn
from torch.nn import functional as F

WIDTH, HEADS = 12, 3  # heads of 4 dimensions


class _Attention(nn.Module):
    """Patches, one layer of attention with a skip connection, and a classifier.

    Tokens are the 16 patches of an 8 x 8 image.
    """

    def __init__(self):
        super().__init__()
        self.patches, self.norm = nn.Conv2d(3, WIDTH, 2, 2), nn.LayerNorm(WIDTH)
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.fc = nn.Linear(WIDTH, 4)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = x + self.attend(self.norm(x))
        return self.fc(x.mean(1))

    def heads(self, x):
        """q, k, v: (batch, heads, tokens, dimensions)."""
        b, n, _ = x.shape
        return self.qkv(x).reshape(b, n, 3, HEADS, -1).permute(2, 0, 3, 1, 4)

    def together(self, x):
        return self.proj(x.transpose(1, 2).flatten(2))


class HandWritten(_Attention):
    """With matmul and softmax."""

    def attend(self, x):
        q, k, v = self.heads(x)
        return self.together((q @ k.transpose(-2, -1) * 0.5).softmax(-1) @ v)


class Fused(_Attention):
    """With torch's own function."""

    def attend(self, x):
        q, k, v = self.heads(x)
        return self.together(F.scaled_dot_product_attention(q, k, v))


class Einsum(_Attention):
    """With the heads at another place, and einsum."""

    def attend(self, x):
        b, n, _ = x.shape
        q, k, v = (y.view(b, n, HEADS, -1) for y in self.qkv(x).chunk(3, -1))
        weights = torch.einsum("b i h d, b j h d -> b h i j", q, k).softmax(-1)
        return self.proj(torch.einsum("bhij,bjhd->bihd", weights, v).reshape(b, n, -1))


class Cosine(_Attention):
    """Swin v2: normalised q and k, a scale and a position bias for each head, no bias of k."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(HEADS, 1, 1) + 1)
        self.table = nn.Parameter(torch.randn(5, HEADS))
        self.register_buffer("index", torch.arange(256) % 5)

    def attend(self, x):
        b, n, _ = x.shape
        bias = self.qkv.bias.clone()
        bias[WIDTH : 2 * WIDTH].zero_()
        qkv = F.linear(x, self.qkv.weight, bias)
        q, k, v = qkv.reshape(b, n, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        weights = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        positions = self.table[self.index].view(n, n, HEADS).permute(2, 0, 1)
        weights = weights * self.scale.clamp(max=4.6).exp() + positions.unsqueeze(0)
        return self.together(weights.softmax(-1) @ v)


class OnePosition(_Attention):
    """A bias for every head; attention of the first token only."""

    def __init__(self):
        super().__init__()
        self.head_bias = nn.Parameter(torch.randn(HEADS, 1))

    def attend(self, x):
        q, k, v = self.heads(x)
        v = v * self.head_bias.unsqueeze(-1)
        return self.together((q[:, :, :1] @ k.transpose(-2, -1)).softmax(-1) @ v)


class Rotary(_Attention):
    """Every dimension of a head is turned by an angle of its own: only whole heads move in q, k."""

    def attend(self, x):
        q, k, v = self.heads(x)
        angle = torch.linspace(0.1, 1, 4) * torch.arange(16)[:, None]
        q, k = (y * angle.cos() + y.flip(-1) * angle.sin() for y in (q, k))
        return self.together((q @ k.transpose(-2, -1)).softmax(-1) @ v)


class SharedNorm(_Attention):
    """A norm over the dimensions of a head, with weights that all heads share."""

    def __init__(self):
        super().__init__()
        self.inner = nn.LayerNorm(WIDTH // HEADS)

    def attend(self, x):
        q, k, v = self.heads(x)
        return self.together((self.inner(q) @ self.inner(k).transpose(-2, -1)).softmax(-1) @ v)


class Swin(HandWritten):
    """Attention within shifted windows of 4 patches."""

    def forward(self, x):
        x = self.patches(x).permute(0, 2, 3, 1)
        b, h, w, c = x.shape
        y = torch.roll(F.pad(self.norm(x), (0, 0, 0, 0)), (-1, -1), (1, 2))
        y = y.view(b, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, c)
        y = self.attend(y)
        y = y.view(b, h // 2, w // 2, 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(b, h, w, c)
        return self.fc((x + torch.roll(y, (1, 1), (1, 2))).mean((1, 2)))


class Packed(nn.Module):
    """nn.MultiheadAttention with its packed weights, a class token and position embeddings."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, 2, 2)
        self.token = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.positions = nn.Parameter(torch.randn(1, 17, WIDTH))
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.fc = nn.Linear(WIDTH, 4)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        return self.fc((x + self.attention(x, x, x, need_weights=False)[0])[:, 0])


class EncoderLayer(nn.Module):
    """torch's own transformer layer."""

    def __init__(self):
        super().__init__()
        self.patches, self.fc = nn.Conv2d(3, WIDTH, 2, 2), nn.Linear(WIDTH, 4)
        self.layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 20, batch_first=True)

    def forward(self, x):
        return self.fc(self.layer(self.patches(x).flatten(2).transpose(1, 2)).mean(1))


class ConvNext(nn.Module):
    """Depthwise convolution, LayerNorm over channels, two linear layers, a scale a channel."""

    def __init__(self):
        super().__init__()
        self.stem, self.each = nn.Conv2d(3, 8, 2, 2), nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.norm, self.up, self.down = nn.LayerNorm(8), nn.Linear(8, 20), nn.Linear(20, 8)
        self.scale, self.fc = nn.Parameter(torch.rand(8, 1, 1)), nn.Linear(8, 4)

    def forward(self, x):
        x = self.stem(x)
        y = self.down(F.gelu(self.up(self.norm(self.each(x).permute(0, 2, 3, 1)))))
        return self.fc((x + self.scale * y.permute(0, 3, 1, 2)).mean((2, 3)))


class Recurrent(nn.Module):
    """An LSTM, which no row of the table describes, between layers that are."""

    def __init__(self):
        super().__init__()
        self.patches, self.lstm = nn.Conv2d(3, 6, 2, 2), nn.LSTM(6, 5, batch_first=True)
        self.hidden, self.fc = nn.Linear(5, 7), nn.Linear(7, 4)

    def forward(self, x):
        y, _ = self.lstm(self.patches(x).flatten(2).transpose(1, 2))
        return self.fc(self.hidden(y[:, -1]).relu())


class LowRank(nn.Module):
    """A weight that is the product of two: what is between them is seen in parameters only."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.randn(192, 5)), nn.Parameter(torch.randn(5, 6))
        self.fc = nn.Linear(6, 4)

    def forward(self, x):
        return self.fc((x.flatten(1) @ (self.a @ self.b)).relu())


class UserWritten(nn.Module):
    """A skip connection and a concatenation, as anyone might write them."""

    def __init__(self):
        super().__init__()
        self.stem, self.skip = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.left, self.right = nn.Conv2d(6, 4, 1), nn.Conv2d(6, 5, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(9 * 4, 10), nn.Linear(10, 4)

    def forward(self, x):
        x = F.relu(self.stem(x))
        x = F.relu(x + self.skip(x))
        x = torch.cat([F.relu(self.left(x)), F.silu(self.right(x))], dim=1)
        x = F.max_pool2d(x, 4)
        return self.fc2(F.relu(self.fc1(x.view(x.size(0), -1))))


class Causal(nn.Module):
    """Learned tokens, of which each sees those before it, or every one."""

    def __init__(self, is_causal=True):
        super().__init__()
        self.tokens, self.key = nn.Parameter(torch.randn(6, 8)), nn.Linear(8, 8)
        self.image, self.fc, self.is_causal = nn.Linear(192, 8), nn.Linear(8, 4), is_causal

    def forward(self, x):
        h = self.tokens + self.image(x.flatten(1))[:, None]
        y = F.scaled_dot_product_attention(h, self.key(h), h, is_causal=self.is_causal)
        return self.fc(y.mean(1))


ALL = [
    Causal,
    HandWritten,
    Fused,
    Einsum,
    Cosine,
    OnePosition,
    Rotary,
    SharedNorm,
    Swin,
    Packed,
    EncoderLayer,
    ConvNext,
    Recurrent,
    LowRank,
    UserWritten,
]
