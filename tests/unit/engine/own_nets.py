"""Modules as users have them, for images of digits: the `file` of cells whose network.kind is module."""

import torch
from torch import nn


class Transformer(nn.Module):
    """Tokens are rows of pixels; parameters of the module itself, attention, buffers of both kinds."""

    def __init__(self, width=8, outputs=3):
        super().__init__()
        self.place = nn.Parameter(torch.randn(8, width) / 10)
        self.register_buffer("order", torch.arange(8))
        self.register_buffer("wave", torch.linspace(0, 1, width))
        self.embed = nn.Linear(8, width)
        self.block = nn.TransformerEncoderLayer(width, 2, 12, dropout=0.0, batch_first=True, norm_first=True)
        self.out = nn.Linear(width, outputs)

    def forward(self, x):
        tokens = self.embed(x.reshape(-1, 8, 8)) + self.place[self.order] + self.wave
        return self.out(self.block(tokens).mean(1))


class Tied(nn.Module):
    """One matrix up and down again, as word embeddings are tied, and one layer called under two names."""

    def __init__(self):
        super().__init__()
        self.up = nn.Linear(64, 6, bias=False)
        self.down = nn.Linear(6, 64)
        self.down.weight = nn.Parameter(self.up.weight.detach().T.clone())
        self.up_again = nn.Linear(64, 6, bias=False)
        self.up_again.weight = self.up.weight
        self.inner = self.again = nn.Linear(6, 6)
        self.out = nn.Linear(6, 3)

    def forward(self, x):
        h = self.again(self.inner(self.up(x.flatten(1))).tanh())
        return self.out(self.up_again(self.down(h).tanh()))


class Residual(nn.Module):
    """A residual block of convolutions with group normalization."""

    def __init__(self, outputs=3):
        super().__init__()
        self.into = nn.Conv2d(1, 4, 3, padding=1)
        self.inner = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.norm = nn.GroupNorm(2, 4)
        self.out = nn.Linear(4, outputs)

    def forward(self, x):
        h = self.into(x.reshape(-1, 1, 8, 8))
        return self.out((h + self.norm(self.inner(h.relu()))).relu().mean((2, 3)))
