"""Small nets of variational autoencoders in double precision, all of whose parameters matter."""

from __future__ import annotations

from typing import Any

import torch

from ppgen.inference import local_pyro
from ppgen.inference.local_pyro import Pair
from ppgen.inference.local_sites import Terms
from ppgen.models.nets.conditioned import GAIN, Conditioned
from ppgen.models.vae.build import Architecture, build
from ppgen.models.vae.parts import Part
from ppgen.models.vae.pyro import Nets, guide, model

REAL = (Part("gaussian", 0, 5),)
BITS = (Part("bernoulli", 0, 5),)
PIXELS = (Part("bernoulli", 0, 30),)
LEVELS = (Part("discretised_logistic", 0, 30, (256,), unit=0.3),)
MIXED = (Part("gaussian", 0, 2), Part("bernoulli", 2, 3), Part("categorical", 3, 5, (3, 4)))
IMAGE = {"net": "conv", "shape": (1, 6, 5), "hidden": (8,), "channels": (3, 4)}

# What a pair or an objective has to be right for.
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "linear": {"hidden": (), "noise": "shared"},
    "noise of rows": {"noise": "row"},
    "noise stated": {"noise": 0.3},
    "bits": {"parts": BITS},
    "mixed, gaps": {"parts": MIXED, "missing": True},
    "images": {"parts": PIXELS, **IMAGE},
    "levels, context": {"parts": LEVELS, "noise": "row", "context": 2, **IMAGE},
    "context": {"context": 2},
    "flow prior": {"prior": "flow"},
    "mixture": {"prior": "mixture"},
    "vamp": {"prior": "vamp", "context": 2},
    "vamp, images": {"parts": PIXELS, "prior": "vamp", **IMAGE},
    "flow posterior": {"posterior": "flow"},
    "flows": {"prior": "flow", "posterior": "flow", "context": 2},
    "vamp, flow": {"prior": "vamp", "posterior": "flow"},
    "two layers": {"latent": (3, 2)},
    "two layers, all": {"latent": (3, 2), "prior": "flow", "posterior": "flow", "context": 2},
    "two layers, vamp-free mixture": {"latent": (2, 3), "prior": "mixture", "parts": BITS},
}


def nets(seed: int = 0, **settings: Any) -> Nets:
    """Nets of an `Architecture`, every parameter moved off its start."""
    small = {
        "net": "mlp",
        "parts": REAL,
        "latent": (3,),
        "hidden": (6,),
        "activation": "tanh",
        "flow_layers": 2,
        "components": 4,
    }
    made = build(Architecture(**{**small, **settings}), seed).double().eval()
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in made.named_parameters():
            size = 0.2 / GAIN if ".told." in name else 0.2
            p += size * torch.randn(p.shape, generator=g, dtype=p.dtype)
    return made


def rows(of: Nets, n: int, seed: int = 1) -> torch.Tensor:
    """(n, D) values that each part can have, with gaps where the nets take them."""
    g = torch.Generator().manual_seed(seed)
    found = []
    for part in of.observation.parts:
        shape = (n, part.stop - part.start)
        if part.kind == "gaussian":
            found.append(torch.randn(shape, generator=g, dtype=torch.float64))
        elif part.kind == "discretised_logistic":
            codes = torch.randint(part.levels[0], shape, generator=g)
            found.append(codes.double() / (part.levels[0] - 1) * 2 - 1)
        elif part.kind == "bernoulli":
            found.append(torch.randint(2, shape, generator=g).double())
        else:
            codes = [torch.randint(k, (n, 1), generator=g) for k in part.levels]
            found.append(torch.cat(codes, 1).double())
    x = torch.cat(found, 1)
    if of.observation.missing:
        x[torch.rand(x.shape, generator=g) < 0.3] = torch.nan
        x[0] = torch.nan
    return x


def context(of: Nets, n: int, seed: int = 2) -> torch.Tensor | None:
    """(n, c) numbers, where the nets are conditioned on c."""
    told = (m.told for m in of.decoder.modules() if isinstance(m, Conditioned))
    first = next(told, None)
    if first is None:
        return None
    c = next(first.parameters()).shape[1]
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, c, generator=g, dtype=torch.float64)


def scales(n: int, seed: int = 3) -> torch.Tensor:
    """(n,) weights of rows with mean 1."""
    w = torch.rand(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.2
    return w / w.mean()


# The pair and its objectives, called with nets, rows and context


def pair(of: Nets) -> Pair:
    return Pair(model, guide, of)


def elbo(of: Nets, x: Any, c: Any = None, **settings: Any) -> torch.Tensor:
    return local_pyro.elbo(pair(of), of, x, c, **settings)


def iwae(of: Nets, x: Any, c: Any = None, **settings: Any) -> torch.Tensor:
    return local_pyro.iwae(pair(of), of, x, c, **settings)


def drawn(of: Nets, x: Any, c: Any, samples: int) -> Terms:
    """The terms of so many draws of each row."""
    q = local_pyro.draw(guide, of, x, c, samples=samples)
    p = local_pyro.replay(model, of, x, c, values=local_pyro.values_of(q))
    return local_pyro.terms(q, p)


def kl_per_latent(of: Nets, x: Any, c: Any = None) -> torch.Tensor | None:
    """(n, k) divergences, where they have a closed form."""
    q = local_pyro.draw(guide, of, x, c, samples=1)
    p = local_pyro.replay(model, of, x, c, values=local_pyro.values_of(q))
    closed = local_pyro.divergences(q, p)
    return None if closed is None else closed[0]
