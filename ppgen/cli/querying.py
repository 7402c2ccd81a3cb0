"""`ppgen query`: posteriors of a network's nodes, given evidence."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError, did_you_mean
from .options import Out, Seed, pairs
from .output import FIGURE_ENDINGS, check_output, say, write_figure, write_table

if TYPE_CHECKING:
    from ..models.bayesnet import BayesianNetwork, FactorGraph
    from ..models.bayesnet.labelled import Labelled
    from ..models.bayesnet.queries.answers import Answer
    from ..models.bayesnet.queries.explanation import MostProbable

    Model = BayesianNetwork | FactorGraph

_EVIDENCE = ".evid"
_ANY = 1 << 62  # bytes: what was answered is not refused afterwards


def query(
    run: Annotated[
        Path,
        typer.Argument(
            help="A saved fit of bayesnet, or a file of a network: BIF, XMLBIF, UAI, NET, JSON.",
            show_default=False,
        ),
    ],
    target: Annotated[
        list[str] | None,
        typer.Option(metavar="NODE", help="What is asked for; repeatable: jointly. None: each."),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(metavar="NODE=VALUE", help="A state or value that is known; repeatable."),
    ] = None,
    do: Annotated[
        list[str] | None,
        typer.Option(metavar="NODE=VALUE", help="What a node is set to from outside; repeatable."),
    ] = None,
    evidence: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A table of evidence (csv, tsv, parquet), a column a node, with gaps: a row of "
            "answers for each row. Or the evidence of a UAI problem (.evid).",
        ),
    ] = None,
    mpe: Annotated[
        bool,
        typer.Option("--mpe", help="The most probable states of the targets together (of all)."),
    ] = False,
    method: Annotated[str, typer.Option(help="exact, cutset, sampling, gibbs or loopy.")] = "exact",
    memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="What may be taken, such as 8GB.")
    ] = None,
    draws: Annotated[int, typer.Option(min=2, help="Of sampling.")] = 10_000,
    credible: Annotated[
        float | None,
        typer.Option(help="Probability of a band over draws of the parameters, such as 0.9."),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Draw the network with what follows here: a .png or .svg."
        ),
    ] = None,
    seed: Seed = 0,
    output: Out = None,
) -> None:
    """Print the posterior of nodes given evidence and interventions.

    Discrete targets are answered jointly; continuous ones given each combination of their states,
    with mean, standard deviation and quantiles in the units of the data. Without a target, every
    node that is not given is answered by itself. What inference takes is said on standard error.
    """
    check_output(output)
    check_output(figure, FIGURE_ENDINGS, "figure")
    model = _load(run)
    if figure is not None and not _directed(model):
        raise InputError("--figure draws directed networks; this is a factor graph.")
    names = _nodes(model).names
    known = {**pairs(given, "--given", names), **_evidence(model, evidence, target or [], given)}
    if figure is not None and any(_is_column(value) for value in known.values()):
        raise InputError("--figure draws what follows of one row; give it by --given.")
    set_to: dict[str, Any] = dict(pairs(do, "--do", names))
    how: dict[str, Any] = {"method": method, "memory": memory, "draws": draws, "random_state": seed}
    more: dict[str, Any] = {"do": set_to} if set_to else {}
    if set_to and not _directed(model):
        raise InputError("--do sets nodes of a directed network; this is a factor graph.")
    start = time.perf_counter()
    if mpe:
        if method != "exact" or credible is not None:
            raise InputError("--mpe is exact; leave --method and --credible out.")
        found = model.most_probable(known, target or None, memory=memory, **more)
        if not found.states:
            raise InputError("every node is given or set, and none is left to ask; leave one out.")
        columns, log_evidence = _listed_states(found), found.log_evidence
    elif target:
        more |= {} if credible is None else {"credible": credible}
        if credible is not None and not _directed(model):
            raise InputError("--credible is of fits with a posterior; this is a factor graph.")
        answer = model.query(target, known, **more, **how)
        _tell([answer])
        columns, log_evidence = answer.to_dict(), answer.log_evidence
    else:
        if credible is not None:
            raise InputError("--credible is of targets; give --target.")
        answers = model.marginals(known, **more, **how)
        if not answers:
            raise InputError("every node is given or set, and none is left to ask; leave one out.")
        log_evidence = next(iter(answers.values())).log_evidence
        columns = _listed(answers)
    took = time.perf_counter() - start
    if any(_is_column(value) for value in known.values()):
        columns = {"row": list(range(len(next(iter(columns.values()))))), **columns}
    write_table(columns, output, pretty=True)
    if figure is not None:
        from ..plotting.graph import plot_network

        write_figure(plot_network(model, known, do=set_to), figure, "The network")
    if known and log_evidence.ndim == 0 and math.isfinite(log_evidence):
        say(f"natural log of the probability (density) of the evidence: {log_evidence:.6g}.")
    say(f"plan and answer: {took:.3f} s.{_cost(model, target, known, set_to, method)}")


def _load(run: Path) -> Model:
    from ..models import registry
    from ..models.bayesnet import BayesianNetwork, read_network

    if not run.exists():
        raise InputError(
            f"there is no {str(run)!r}; give a saved fit of bayesnet or a file of a network."
        )
    if run.is_file():
        return read_network(run)
    fit = registry.load(run)
    if not isinstance(fit, BayesianNetwork):
        raise InputError(
            f"{run} is a fit of {fit.name}, which answers no queries; fit bayesnet, or give a file "
            "of a network."
        )
    return fit


def _directed(model: Model) -> bool:
    from ..models.bayesnet import BayesianNetwork

    return isinstance(model, BayesianNetwork)


def _nodes(model: Model) -> Labelled:
    """The names and states of a model."""
    from ..models.bayesnet import BayesianNetwork

    return model.network_ if isinstance(model, BayesianNetwork) else model


def _evidence(
    model: Model, file: Path | None, target: list[str], given: list[str] | None
) -> dict[str, Any]:
    """Columns of a table of evidence, or what a UAI file observes."""
    from ..models.bayesnet.formats import uai
    from ..models.bayesnet.formats.source import decoded, read_bytes

    if file is None:
        return {}
    nodes = _nodes(model)
    if file.suffix == _EVIDENCE:
        observed = uai.read_evidence(decoded(file.name, read_bytes(file)), nodes.sizes)
        return {nodes.names[node]: nodes.states[node][state] for node, state in observed.items()}
    known = pairs(given, "--given", nodes.names)
    columns: dict[str, Any] = {}
    for name, values in _table(file):
        if name in target:
            say(f"column {name!r} of {file.name} is asked for; what the table says is left out.")
        elif name in known:
            raise InputError(f"{name!r} is given by --given and by {file.name}; keep one.")
        elif name not in nodes.names:
            raise InputError(
                f"column {name!r} of {file.name} is no node.{did_you_mean(name, nodes.names)} "
                "Drop it."
            )
        else:
            columns[name] = _gapped(values, nodes.states[nodes.names.index(name)])
    if not columns:
        raise InputError(f"{file.name} has no column of evidence beside what is asked for.")
    return columns


def _table(file: Path) -> Iterator[tuple[str, list[Any]]]:
    """The columns of a table; of text files as they are written."""
    import pandas

    if not file.is_file():
        raise InputError(f"there is no file {str(file)!r}.")
    ending = Path(file.name.removesuffix(".gz")).suffix.lower()
    if ending in (".csv", ".tsv", ".txt"):
        separator = "," if ending == ".csv" else "\t"
        try:
            frame = pandas.read_csv(
                file, sep=separator, dtype=str, keep_default_na=False, skip_blank_lines=False
            )
        except (pandas.errors.ParserError, pandas.errors.EmptyDataError, UnicodeDecodeError) as e:
            raise _unreadable(file, e) from None
    elif ending == ".parquet":
        try:
            frame = pandas.read_parquet(file)
        except (ValueError, OSError, ImportError) as e:
            raise _unreadable(file, e) from None
    else:
        raise InputError(f"{file.name} ends in {ending or 'nothing'}; expected csv, tsv, parquet.")
    if not len(frame):
        raise InputError(f"{file.name} has no rows; expected one or more.")
    for name in frame.columns:
        yield str(name), frame[name].tolist()


def _unreadable(file: Path, error: Exception) -> InputError:
    why = " ".join(str(error).split()).rstrip(".")
    return InputError(f"{file.name} cannot be read as a table: {why}.")


def _gapped(values: list[Any], states: tuple[Any, ...]) -> list[Any]:
    """Values with None where a text says that there is none, unless it is a state."""
    from ..data.number_text import MISSING

    labels = {str(state) for state in states}
    return [None if v in MISSING and v not in labels else v for v in values]


def _is_column(value: Any) -> bool:
    return isinstance(value, list)


def _listed(answers: Mapping[str, Answer]) -> dict[str, list[Any]]:
    """Answers one below the other; of rows of evidence side by side."""
    wide: dict[str, list[Any]] = {}
    long: dict[str, list[Any]] = {"node": [], "of": [], "value": []}
    _tell(answers.values())
    for name, answer in answers.items():
        columns = answer.to_dict()
        if answer.rows is not None:
            wide |= columns
            continue
        if answer.targets:
            entries = [
                (f"P({s})", p) for s, p in zip(columns[name], columns["probability"], strict=True)
            ]
        else:
            entries = [(what.removesuffix(f" {name}"), x[0]) for what, x in columns.items()]
        for what, value in entries:
            for column, cell in zip(long.values(), (name, what, value), strict=True):
                column.append(cell)
    return wide or long


def _listed_states(found: MostProbable) -> dict[str, list[Any]]:
    """Most probable states one below the other; of rows of evidence side by side."""
    if found.log_prob.ndim:
        return found.to_dict()
    say(f"probability of these states together, given the evidence: {found.prob:.6g}.")
    return {"node": list(found.states), "state": list(found.states.values())}


def _tell(answers: Iterable[Answer]) -> None:
    """Say what is to be said of answers, each thing once."""
    for line in dict.fromkeys(str(reason) for answer in answers for reason in answer.reasons):
        say(line)


def _cost(
    model: Model,
    target: list[str] | None,
    known: Mapping[str, Any],
    set_to: Mapping[str, Any],
    method: str,
) -> str:
    """What exact inference took for a row."""
    if method != "exact":
        return ""
    from ..models.bayesnet import BayesianNetwork

    if isinstance(model, BayesianNetwork):
        cost = model.cost(target, known, do=set_to or None, memory=_ANY)
    else:
        cost = model.cost(known, memory=_ANY)
    shown = ", ".join(cost.names)
    return f" Largest clique: {cost.n_cells:,} cells ({shown}); {cost.bytes:,} bytes at once."
