"""Every objective that a generator G and a discriminator D are trained by, and every penalty.

D gives a row x a score D(x), a real number; sigma(D(x)) = 1 / (1 + exp(-D(x))) is the probability
that it assigns to x being real. With r = D(x) of a real row and f = D(G(z)) of a generated one,
each player lowers the mean of its own loss (softplus(t) = log(1 + exp(t)), so that
log sigma(t) = -softplus(-t) and log(1 - sigma(t)) = -softplus(t)):

    objective        discriminator                         generator
    minimax          softplus(-r) + softplus(f)            -softplus(f)
    non_saturating   softplus(-r) + softplus(f)            softplus(-f)
    wasserstein      f - r                                 -f
    hinge            max(0, 1 - r) + max(0, 1 + f)         -f
    least_squares    ((r - 1)^2 + f^2) / 2                 (f - 1)^2 / 2
    relativistic     softplus(-(r - f))                    softplus(-(f - r))

- **minimax** is the game of Goodfellow's algorithm 1: k times D ascends
  log sigma(D(x)) + log(1 - sigma(D(G(z)))), then G descends log(1 - sigma(D(G(z)))). At the best D
  for a given G, sigma(D(x)) = p(x) / (p(x) + p_G(x)), and what D ascends comes to twice the
  Jensen-Shannon divergence of p and p_G, less log 4. It is least where p_G = p and sigma(D) = 1/2
  everywhere. **non_saturating** has the same D, and a G whose gradient does not vanish where D
  tells its rows with certainty.
- **wasserstein** estimates the distance max over 1-Lipschitz D of E[D(x)] - E[D(G(z))]; it needs
  `gradient_penalty` to be that.
- **relativistic** compares pairs: D says by how much a real row is more real than a generated one.
  Unlike the others its landscape has no basin in which G drops modes, and with `r1` and `r2`, the
  default here, training converges locally.

Penalties are added to D's loss; all are of the gradient of the score by the row:

    r1                 |grad_x D(x)|^2         at real rows
    r2                 |grad_x D(G(z))|^2      at generated rows
    gradient_penalty   (|grad_x D(u x + (1 - u) G(z))| - 1)^2,    u uniform on [0, 1]

weighted gamma / 2 (R1 + R2) and lambda GP. Scores of rows that are judged m together are (n / m,);
the norm is then over all m rows.

References: Goodfellow et al., "Generative adversarial nets", 2014, https://arxiv.org/abs/1406.2661;
Gulrajani et al., "Improved training of Wasserstein GANs", 2017, https://arxiv.org/abs/1704.00028;
Lim and Ye, "Geometric GAN", 2017, https://arxiv.org/abs/1705.02894; Mao et al., "Least squares
generative adversarial networks", 2017, https://arxiv.org/abs/1611.04076; Jolicoeur-Martineau, "The
relativistic discriminator", 2018, https://arxiv.org/abs/1807.00734; Mescheder, Geiger and Nowozin,
"Which training methods for GANs do actually converge?", 2018, https://arxiv.org/abs/1801.04406 (R1,
R2); Huang et al., "The GAN is dead; long live the GAN!", 2024, https://arxiv.org/abs/2501.05441
(relativistic with R1 and R2).
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

Losses = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Objective:
    """The losses of both players: of scores (n,) of real rows and of generated ones, pair by pair,
    each gives (n,) losses.

    Attributes:
        discriminator, generator: what each lowers.
        paired: whether the generator's loss depends on the scores of real rows.
        free: whether a constant may be added to all scores, which then say something in pairs only.
        probability: what a score says of a row's being real.
    """

    discriminator: Losses
    generator: Losses
    paired: bool = False
    free: bool = False
    probability: Callable[[Tensor], Tensor] = torch.sigmoid

    def outputs(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """(n,) the probability of being real, of real rows and of generated ones: sigma of their
        scores; where these are free, of each less the other's of its pair; of least squares the
        score itself, and of hinge, whose best scores are -1 and 1, (1 + score) / 2, between 0 and
        1. At the equilibrium both are 1/2."""
        if self.free:
            return torch.sigmoid(real - fake), torch.sigmoid(fake - real)
        return self.probability(real), self.probability(fake)


def _cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    return softplus(-real) + softplus(fake)


OBJECTIVES: dict[str, Objective] = {
    "minimax": Objective(_cross_entropy, lambda real, fake: -softplus(fake)),
    "non_saturating": Objective(_cross_entropy, lambda real, fake: softplus(-fake)),
    "wasserstein": Objective(lambda real, fake: fake - real, lambda real, fake: -fake, free=True),
    "hinge": Objective(
        lambda real, fake: relu(1 - real) + relu(1 + fake),
        lambda real, fake: -fake,
        probability=lambda scores: ((scores + 1) / 2).clamp(0, 1),
    ),
    "least_squares": Objective(
        lambda real, fake: ((real - 1).square() + fake.square()) / 2,
        lambda real, fake: (fake - 1).square() / 2,
        probability=lambda scores: scores.clamp(0, 1),
    ),
    "relativistic": Objective(
        lambda real, fake: softplus(-(real - fake)),
        lambda real, fake: softplus(-(fake - real)),
        paired=True,
        free=True,
    ),
}


def r1(scores: Tensor, x: Tensor) -> Tensor:
    """(n,) squared norms of the gradient of each score by its row.

    Args:
        scores: (n,), each a function of its own row.
        x: (n, ...) the rows; or (m n, ...), m of them to a score. They require gradients.
    """
    (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return gradient.reshape(len(scores), -1).square().sum(1)


r2 = r1  # the same of generated rows


def gradient_penalty(
    discriminate: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, draws: Tensor
) -> Tensor:
    """(n,) squared differences from 1 of the norm of the gradient between real and generated rows.

    Args:
        discriminate: gives the scores of rows.
        real, fake: (n, ...) rows.
        draws: (n, 1, ...) uniform on [0, 1]; equal for rows judged together.
    """
    between = torch.lerp(fake.detach(), real.detach(), draws).requires_grad_()
    norms = (r1(discriminate(between), between) + 1e-12).sqrt()  # at 0 the root has no gradient
    return (norms - 1).square()
