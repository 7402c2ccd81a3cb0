"""Conditioning by exact denoisers: how far each method is from the conditional of a mixture.

    python benchmarks/diffusion_conditioning.py --rows 200

Rows of a Gaussian mixture of three components in six dimensions, three of them observed. Of each
method, over rows and the free dimensions: `bias`, the root mean square of what its mean is off, in
standard deviations of the exact conditional; `variance`, its variance over the exact one, the mean;
`coverage` of its 90% intervals; `forward` and `backward`, passes through the denoiser for a draw;
and of "smc" besides how often means and (co)variances lie within three of its standard errors, and
the effective numbers of particles.

Writes a JSON line for each method.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import deque
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from ppgen.inference.diffusion.exact import ExactMixture
from ppgen.inference.diffusion.mmps import mmps
from ppgen.inference.diffusion.observation import Known
from ppgen.inference.diffusion.process import PROCESSES
from ppgen.inference.diffusion.repaint import repaint
from ppgen.inference.diffusion.reverse_steps import RowDraws
from ppgen.inference.diffusion.twisted import picked, twisted

OBSERVED, FREE = [0, 2, 5], [1, 3, 4]
PROCESS = PROCESSES["linear"]
AT_ONCE = 20  # rows


def mixture() -> ExactMixture:
    """Of unit variance in each dimension, and mean 0."""
    g = torch.Generator().manual_seed(5)
    means = 1.5 * torch.randn(3, 6, dtype=torch.float64, generator=g)
    roots = 0.5 * torch.randn(3, 6, 6, dtype=torch.float64, generator=g)
    weights = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    raw = ExactMixture(PROCESS, weights, means, roots @ roots.mT + 0.1 * torch.eye(6))
    scale = raw.covariance().diagonal().sqrt()
    means = (means - raw.mean()) / scale
    return ExactMixture(PROCESS, weights, means, raw.covariances / scale / scale[:, None])


def conditional(exact: ExactMixture, y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (n, 3) and covariance (n, 3, 3) of the free dimensions given y (n, 3)."""
    mean, c = exact.means, exact.covariances
    oo, fo = c[:, OBSERVED][:, :, OBSERVED], c[:, FREE][:, :, OBSERVED]
    gain = fo @ torch.linalg.inv(oo)
    p = MultivariateNormal(mean[:, OBSERVED], oo).log_prob(y[:, None]) + exact.log_weights
    p = p.softmax(1)
    means = mean[:, FREE] + torch.einsum("kfo,nko->nkf", gain, y[:, None] - mean[:, OBSERVED])
    second = c[:, FREE][:, :, FREE] - gain @ fo.mT + means[..., None] * means[..., None, :]
    centre = torch.einsum("nk,nkf->nf", p, means)
    spread = torch.einsum("nk,nkfg->nfg", p, second) - centre[:, :, None] * centre[:, None]
    return centre, spread


def measured(method: str, n: int, given: Any) -> dict[str, Any]:
    """What a method says of n rows."""
    exact = mixture()
    rows = exact.sample(n, torch.Generator().manual_seed(given.seed))
    mean, covariance = conditional(exact, rows[:, OBSERVED])
    mask = torch.zeros(n, 6, dtype=torch.bool)
    mask[:, OBSERVED] = True
    steps, k = given.steps, given.particles
    found: dict[str, list[Any]] = {"draws": [], "z_mean": [], "z_covariance": [], "ess": []}
    began = time.process_time()
    for start in range(0, n, AT_ONCE):
        part = slice(start, start + AT_ONCE)
        observed = Known(mask[part], rows[part])
        draws = RowDraws(given.seed, np.arange(n)[part], k, rows[0])
        if method == "smc":
            (last,) = deque(twisted(exact, PROCESS, observed, draws, steps=steps), maxlen=1)
            chosen = last.drawn(k, torch.full((len(last.x), 1), 0.5, dtype=torch.float64))
            found["draws"].append(picked(last.x, chosen)[..., FREE])
            apart = last.x[..., FREE] - mean[part, None]
            products = (apart[..., None] * apart[..., None, :]).flatten(2)
            off = last.mean(products) - covariance[part].flatten(1)
            found["z_mean"].append(last.mean(apart) / last.stderr(apart))
            found["z_covariance"].append(off / last.stderr(products))
            found["ess"].append(torch.stack([last.ess, last.least_ess], 1))
            continue
        states = (
            mmps(exact, PROCESS, observed, draws, steps=steps)
            if method == "mmps"
            else repaint(exact, PROCESS, observed, draws, steps=steps)
        )
        (x,) = deque(states, maxlen=1)
        found["draws"].append(x[..., FREE])
    seconds = time.process_time() - began
    made, deviation = torch.cat(found["draws"]), covariance.diagonal(dim1=1, dim2=2).sqrt()
    ends = torch.quantile(made, torch.tensor([0.05, 0.95], dtype=made.dtype), dim=1)
    truth = rows[:, FREE]
    said: dict[str, Any] = {
        "bias": float(((made.mean(1) - mean) / deviation).square().mean().sqrt()),
        "variance": float((made.var(1) / deviation**2).mean()),
        "coverage": float(((truth > ends[0]) & (truth < ends[1])).double().mean()),
        "forward": {"smc": steps, "mmps": steps, "repaint": 5 * steps}[method],
        "backward": {"smc": 2 * steps, "mmps": 3 * steps, "repaint": 0}[method],
        "seconds": seconds,
    }
    if method == "smc":
        for name in ("z_mean", "z_covariance"):
            z = torch.cat(found[name])
            said[name] = float(z.square().mean().sqrt())
            said[f"{name}_within_3"] = float((z.abs() < 3).double().mean())
        said["ess"], said["least_ess"] = torch.cat(found["ess"]).mean(0).tolist()
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=["smc", "mmps", "repaint"])
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--particles", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for method in given.methods:
        found = measured(method, given.rows, given)
        print(f"{method}: " + ", ".join(f"{k} {v:.3g}" for k, v in found.items()), flush=True)
        about = {"benchmark": "diffusion_conditioning", "method": method, **vars(given)}
        print(json.dumps({**about, **found}), flush=True)


if __name__ == "__main__":
    main()
