"""Small Pyro pairs with latents local to rows, whose evidence is a closed form."""

from __future__ import annotations

import math
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from scipy import stats
from torch import Tensor, nn

W = torch.tensor([[1.2, 0.4], [-0.6, 0.8], [0.0, 0.9]], dtype=torch.float64)  # WᵀW is diagonal
S = 0.6


class Guide(nn.Module):
    """Numbers that a guide is made of: (inputs, outputs) affine in the rows, and log scales."""

    def __init__(self, inputs: int, outputs: int, seed: int = 0) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(seed)
        made = {"w": (outputs, inputs), "b": (outputs,), "log_s": (outputs,), "c": (outputs,)}
        for name, shape in made.items():
            value = 0.3 * torch.randn(shape, generator=g, dtype=torch.float64)
            self.register_parameter(name, nn.Parameter(value))
        self.theta = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def at(self, x: Tensor) -> Tensor:
        return x @ self.w.T + self.b


def rows(n: int) -> Any:
    return pyro.plate("rows", n)


def normal(m: Any, s: Any) -> Any:
    return dist.Normal(m, s).to_event(1)


class Linear:
    """x = W z + theta + s e, z in R^2: one site, with closed forms."""

    data = torch.tensor([[0.5, -1.0, 2.0], [-0.3, 0.1, 0.4], [1.5, 0.7, -1.2]]).double()

    def __init__(self) -> None:
        self.module = Guide(3, 2)

    def model(self, x: Tensor) -> None:
        with rows(len(x)):
            z = pyro.sample("z", normal(torch.zeros(2).double(), torch.ones(2).double()))
            mean = z @ W.T + self.module.theta
            pyro.sample("x", normal(mean, torch.tensor(S, dtype=torch.float64)), obs=x)

    def guide(self, x: Tensor) -> None:
        with rows(len(x)):
            pyro.sample("z", normal(self.module.at(x), self.module.log_s.exp()))

    def evidence(self, x: Tensor) -> Tensor:
        covariance = (W @ W.T).numpy() + S**2 * torch.eye(3).double().numpy()
        return torch.tensor(stats.multivariate_normal(cov=covariance).logpdf(x.numpy()))

    def posterior(self) -> None:
        """Make the guide the posterior."""
        precision = torch.eye(2).double() + W.T @ W / S**2
        with torch.no_grad():
            self.module.w.copy_(torch.linalg.solve(precision, W.T / S**2))
            self.module.b.zero_()
            self.module.log_s.copy_(-0.5 * precision.diagonal().log())


class Two:
    """b ~ N(0, 1), a | b ~ N(b / 2, 1), x = a + theta + s e; the guide draws b after a, or before
    it where `down`: then each site's divergence has a closed form."""

    data = torch.tensor([[0.5], [-2.0], [1.4]]).double()

    def __init__(self, *, down: bool = False) -> None:
        self.module, self.down = Guide(1, 2, seed=3), down

    def model(self, x: Tensor) -> None:
        with rows(len(x)):
            b = pyro.sample("b", dist.Normal(torch.zeros(()).double(), 1.0))
            a = pyro.sample("a", dist.Normal(0.5 * b, 1.0))
            mean = (a + self.module.theta).unsqueeze(-1)
            pyro.sample("x", normal(mean, torch.tensor(S, dtype=torch.float64)), obs=x)

    def guide(self, x: Tensor) -> None:
        m, s, c = self.module.at(x), self.module.log_s.exp(), self.module.c
        with rows(len(x)):
            if self.down:
                b = pyro.sample("b", dist.Normal(m[:, 0], s[0]))
                pyro.sample("a", dist.Normal(m[:, 1] + c[1] * b, s[1]))
            else:
                a = pyro.sample("a", dist.Normal(m[:, 1], s[1]))
                pyro.sample("b", dist.Normal(m[:, 0] + c[0] * a, s[0] * torch.exp(c[1] * a)))

    def evidence(self, x: Tensor) -> Tensor:
        scale = math.sqrt(0.25 + 1 + S**2)
        return torch.tensor(stats.norm(scale=scale).logpdf(x[:, 0].numpy()))


class Counts:
    """r ~ Gamma(2, 1), x ~ Poisson(r): negative binomial; the guide is log-normal, or Gamma."""

    data = torch.tensor([[0.0], [3.0], [7.0]]).double()

    def __init__(self, *, conjugate: bool = False) -> None:
        self.module, self.conjugate = Guide(1, 2, seed=1), conjugate

    def model(self, x: Tensor) -> None:
        with rows(len(x)):
            r = pyro.sample("r", dist.Gamma(torch.tensor(2.0).double(), 1.0))
            rate = r * torch.exp(self.module.theta)
            pyro.sample("x", dist.Poisson(rate.unsqueeze(-1)).to_event(1), obs=x)

    def guide(self, x: Tensor) -> None:
        m, s = self.module.at(torch.log1p(x)), self.module.log_s.exp()
        with rows(len(x)):
            if self.conjugate:
                shape = x[:, 0] + 2 + self.module.c[0]
                pyro.sample("r", dist.Gamma(shape, 2.0 * torch.exp(self.module.c[1])))
            else:
                pyro.sample("r", dist.LogNormal(m[:, 0], s[0]))

    def evidence(self, x: Tensor) -> Tensor:
        return torch.tensor(stats.nbinom(2, 0.5).logpmf(x[:, 0].numpy()))

    def posterior(self) -> None:
        """Make the Gamma guide the posterior."""
        with torch.no_grad():
            self.module.c.zero_()


PAIRS: dict[str, Any] = {
    "linear": Linear,
    "two sites, up": Two,
    "two sites, down": lambda: Two(down=True),
    "counts, log-normal": Counts,
    "counts, gamma": lambda: Counts(conjugate=True),
}
CLOSED = ("linear", "two sites, down", "counts, gamma")
