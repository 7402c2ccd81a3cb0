"""The sites of a pair's model: what is drawn, what is observed, and whether it can be fitted."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ...errors import InputError

Kind = Literal["latent", "discrete", "observed", "factor", "deterministic", "param"]


@dataclass(frozen=True)
class Plate:
    """A plate that a site stands in.

    Attributes:
        name: as the model calls it.
        dim: counted from the right of a batch shape: -1 is the last.
        size: how many there are in all.
        subsample: how many of them are looked at.
    """

    name: str
    dim: int
    size: int
    subsample: int


@dataclass(frozen=True)
class Site:
    """One site of a model.

    Attributes:
        name: as the model calls it.
        kind: "latent" (continuous, drawn), "discrete" (drawn, and summed out), "observed",
            "factor" (a term of the log density), "deterministic", or "param" (optimised).
        shape: of its value.
        event_dim: how many of the last dimensions are one event.
        distribution: the name of its class.
        support: in words; "" where it has none.
        plates: that it stands in, outermost first.
        unconstrained: the shape of a latent's value on the unconstrained scale.
        improper: whether the distribution has no draws, being improper.
        levels: of a discrete site, how many values it takes.
        looped: whether it stands in a loop by `scan`, whose data cannot be taken from it.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]
    event_dim: int = 0
    distribution: str = ""
    support: str = ""
    plates: tuple[Plate, ...] = ()
    unconstrained: tuple[int, ...] = ()
    improper: bool = False
    levels: int = 0
    looped: bool = False

    @property
    def words(self) -> str:
        """The site as errors describe it."""
        support = f", support {self.support}" if self.support else ""
        return f"site {self.name!r} ({self.distribution or self.kind}, shape {self.shape}{support})"


class Sites(Mapping[str, Site]):
    """The sites of a model by name, in the order in which it runs.

    Attributes:
        data: the values of observed sites, as the model has them.
    """

    def __init__(self, sites: Mapping[str, Site], data: Mapping[str, Any] | None = None) -> None:
        self._sites, self.data = dict(sites), dict(data or {})

    def __getitem__(self, name: str) -> Site:
        return self._sites[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sites)

    def __len__(self) -> int:
        return len(self._sites)

    def of(self, *kinds: Kind) -> dict[str, Site]:
        """Those of these kinds."""
        return {name: site for name, site in self._sites.items() if site.kind in kinds}

    @property
    def latents(self) -> dict[str, Site]:
        """What engines draw: continuous and not observed."""
        return self.of("latent")

    @property
    def discrete(self) -> dict[str, Site]:
        """What is summed out."""
        return self.of("discrete")

    @property
    def observed(self) -> dict[str, Site]:
        """What is observed; terms by `factor` are not among them."""
        return self.of("observed")

    @property
    def deterministic(self) -> dict[str, Site]:
        return self.of("deterministic")

    @property
    def common_plate(self) -> Plate | None:
        """The plate that all latent, discrete, observed sites and factors stand in: that of rows,
        where each has latents of its own and there are no others. None where there is none."""
        each = [
            site.plates for site in self.of("latent", "discrete", "observed", "factor").values()
        ]
        shared = [plate for plate in each[0] if all(plate in others for others in each[1:])]
        return shared[0] if shared else None

    @property
    def subsampled(self) -> dict[str, Plate]:
        """Plates that look at some of their elements only."""
        plates = {plate.name: plate for site in self._sites.values() for plate in site.plates}
        return {name: plate for name, plate in plates.items() if plate.subsample < plate.size}


# Whose lines are not the model's
_NOT_THE_MODEL = ("site-packages", str(Path(__file__).parent), str(Path(traceback.__file__).parent))

# What a site cannot be


def check_model(sites: Sites) -> None:
    """Raise InputError if a model leaves nothing to draw, or nothing to draw it by."""
    if not sites.latents:
        what = "; its sites are " + ", ".join(sites) if sites else ""
        raise InputError(
            f"the model has no continuous latent site{what}, so there is nothing to infer. Draw "
            'a parameter in it, such as numpyro.sample("mu", dist.Normal(0, 1)) without obs.'
        )
    if not sites.of("observed", "factor"):
        raise InputError(
            "the model observes nothing: none of its sites has obs, so the posterior is the "
            "prior. Give the data to the model, and a site there obs=data; Pair.prior draws from "
            "the prior."
        )


def check_whole(sites: Sites, method: str) -> None:
    """Raise InputError if a method that needs the log density of all the data cannot have it."""
    for plate in sites.subsampled.values():
        raise InputError(
            f"plate {plate.name!r} looks at {plate.subsample} of its {plate.size} elements, and "
            f'method {method!r} needs all of them. Leave subsample_size out, or take method="svi".'
        )
    for name in sites.of("param"):
        raise InputError(
            f"site {name!r} is a param, which has no prior, and method {method!r} draws from a "
            'posterior. Draw it from a distribution by sample, or take method="svi".'
        )


def check_observed(site: Site, value: Any, inside: Any, batch: tuple[int, ...]) -> None:
    """Raise InputError if an observed value does not fit its distribution.

    Args:
        value: what was observed.
        inside: whether each event of it, or each of its values, is in the support; masked ones are.
        batch: the shape of the distribution, batch and event.
    """
    shape = tuple(np.shape(value))
    try:
        whole = np.broadcast_shapes(shape, batch)
    except ValueError:
        raise InputError(
            f"observed {site.words} has a value of shape {shape}, which does not "
            f"broadcast with the shape {batch} of its distribution. Give data and parameters of "
            "the same rows."
        ) from None
    if len(whole) and whole != shape and whole != batch:
        raise InputError(
            f"observed {site.words} has a value of shape {shape} and a distribution of "
            f"shape {batch}, which broadcast to {whole}: each value would be compared with each "
            "parameter. Give both the same shape, such as y.reshape(-1) for a column."
        )
    numbers = np.asarray(value)
    if numbers.dtype.kind == "f" and (bad := int(np.isnan(numbers).sum())) and not np.all(inside):
        raise InputError(
            f"observed {site.words}: {bad} of {numbers.size} values are NaN. Drop or fill them, or "
            "leave them out by handlers.mask."
        )
    if outside := int(np.size(inside) - np.count_nonzero(inside)):
        at = tuple(int(i) for i in np.argwhere(~np.asarray(inside))[0]) if np.ndim(inside) else ()
        where = f", the first at {list(at)}" if at else ""
        raise InputError(
            f"observed {site.words}: {outside} of {np.size(inside)} values are outside the "
            f"support{where}: {np.array2string(numbers[at], threshold=5)}. "
            "Give other data, or a distribution whose support has them."
        )


def positional(model: Callable[..., Any], count: int) -> list[str]:
    """The names of a model's first positional arguments; those of *args with their number."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
    bound = getattr(model, "keywords", None) or {}
    parameters = inspect.signature(model).parameters.values()
    names = [p.name for p in parameters if p.kind in kinds and p.name not in bound]
    more = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "args")
    return [*names, *(f"{more}[{i}]" for i in range(max(0, count - len(names))))][:count]


def model_raised(
    error: BaseException,
    model: Callable[..., Any],
    args: Any,
    kwargs: Mapping[str, Any],
    what: str = "model",
) -> InputError:
    """The error that the model, or a guide, raised one, and where; to be raised from it."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not any(part in f.filename for part in _NOT_THE_MODEL)]
    where = f" at line {own[-1].lineno} of {own[-1].filename} ({own[-1].line})" if own else ""
    given = {**dict(zip(positional(model, len(args)), args, strict=True)), **kwargs}
    told = ", ".join(f"{name} {_told(value)}" for name, value in given.items())
    single = [name for name, value in given.items() if "float32" in _told(value)]
    advice = f"Mend the {what}, or give it other data."
    if gaps := [n for n, value in given.items() if "of them NaN" in _told(value)]:
        advice = f"Drop or fill what is NaN in {' and '.join(gaps)}, or mend the {what}."
    if "Tracer" in type(error).__name__ or "Concretization" in type(error).__name__:
        advice = (
            "Values of latent sites are not known while the model is compiled: take jnp.where or "
            "jax.lax.cond in place of if, and jax.numpy in place of numpy."
        )
    if single:
        advice = (
            f"{' and '.join(single)} in single precision meet{'s' * (len(single) == 1)} latent "
            f"sites in double precision: give float64, such as by astype. Else, {advice[0].lower()}"
            f"{advice[1:]}"
        )
    told_of = f"{type(error).__name__}{where}: {str(error).partition(chr(10))[0].rstrip('.')}"
    told = told or "nothing"
    return InputError(f"the {what} raised {told_of}. It was called with {told}. {advice}")


def elements(name: str, shape: tuple[int, ...]) -> list[str]:
    """What the elements of a value of this shape are called, such as "theta[3]"."""
    where = (", ".join(map(str, at)) for at in np.ndindex(*shape))
    return [f"{name}[{at}]" for at in where] if shape else [name]


def words_of(support: Any) -> str:
    """A support in words, the same of both backends."""
    base = getattr(support, "base_constraint", None)
    if base is not None:
        return words_of(base)
    text, bounds = type(support).__name__.strip("_").lower(), bounds_of(support)
    if [*bounds] == ["lower"] and not bounds["lower"].any() and "integer" not in text:
        return "positive"
    for end, bound in bounds.items():
        text += f", {end} {bound[0]:g}" + (", ..." if bound.size > 1 else "")
    return text


def bounds_of(support: Any) -> dict[str, Any]:
    """The bounds of a support by "lower" and "upper", flat; those that it has."""
    inner = each_value(support)
    return {
        end: np.asarray(getattr(inner, f"{end}_bound")).reshape(-1)
        for end in ("lower", "upper")
        if f"{end}_bound" in dir(inner)
    }


def moves(support: Any, elsewhere: Any) -> bool:
    """Whether a support is another one at other values of the latent sites."""
    here, there = bounds_of(support), bounds_of(elsewhere)
    return any(not np.array_equal(here[end], there[end]) for end in here.keys() & there)


def each_value(support: Any) -> Any:
    """The support of the single values of events that are made of independent ones."""
    inner = getattr(support, "base_constraint", None)
    return support if inner is None else each_value(inner)


def _told(value: Any) -> str:
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is None or dtype is None:
        return repr(value) if isinstance(value, int | float | str | None) else type(value).__name__
    text = f"{str(dtype).removeprefix('torch.')}{list(shape)}"
    return text + (f" ({gaps} of them NaN)" if (gaps := _gaps(value)) else "")


def _gaps(value: Any) -> int:
    """How many values of an array are NaN; 0 of one that JAX traces."""
    if "float" not in str(value.dtype) or "Tracer" in type(value).__name__:
        return 0
    return int(np.isnan(np.asarray(value)).sum())
