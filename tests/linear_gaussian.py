"""A linear-Gaussian latent-variable model in torch: density and posterior are closed forms."""

from __future__ import annotations

import math

import torch

from ppgen.inference.hmc import Start, normal


def normal_start(mean, scale):
    """Independent normals with `mean` (rows, k) and `scale`; steps are in proportion to `scale`."""
    constant = -scale.log().sum(-1) - 0.5 * math.log(2 * math.pi) * mean.shape[-1]

    def log_prob(z):
        return constant - 0.5 * ((z - mean) / scale).square().sum(-1)

    def sample(chains, generator):
        return mean + scale * normal(mean.expand(chains, *mean.shape), generator)

    return Start(log_prob, sample, scale)


class Linear:
    """z ~ N(0, I), x | z ~ N(W z + c, s^2 I): log p(x) and p(z | x) are closed forms."""

    def __init__(self, n, *, k=2, d=3, s=0.5, seed=0):
        g = torch.Generator().manual_seed(seed)

        def draw(*shape):
            return torch.randn(*shape, generator=g, dtype=torch.float64)

        self.w, self.c, self.s, self.k = draw(d, k), draw(d), s, k
        self.z = draw(n, k)
        self.x = self.z @ self.w.T + self.c + s * draw(n, d)
        eye = torch.eye(d, dtype=torch.float64)
        marginal = torch.distributions.MultivariateNormal(self.c, self.w @ self.w.T + s**2 * eye)
        self.log_z = marginal.log_prob(self.x)
        self.prior = normal_start(torch.zeros_like(self.z), torch.ones_like(self.z))
        # Too narrow, off the mean, and blind to correlations.
        self.poor = normal_start(self.z + 0.7, torch.full_like(self.z, 0.4))

    def log_joint(self, z):
        r = (self.x - self.c - z @ self.w.T) / self.s
        constant = -len(self.c) * math.log(self.s * math.sqrt(2 * math.pi))
        prior = -0.5 * z.square().sum(-1) - self.k / 2 * math.log(2 * math.pi)
        return constant - 0.5 * r.square().sum(-1) + prior

    def posterior(self):
        """Mean (n, k) and covariance (k, k)."""
        precision = torch.eye(self.k, dtype=torch.float64) + self.w.T @ self.w / self.s**2
        mean = torch.linalg.solve(precision, (self.x - self.c) @ self.w / self.s**2, left=False)
        return mean, torch.linalg.inv(precision)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)
