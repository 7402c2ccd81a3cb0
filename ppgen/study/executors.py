"""Where cells run: local processes by default, or any `concurrent.futures.Executor`.

Local workers are spawned, never forked (a fork copies the locks of torch's and JAX's threads in any
state), pinned to cores/workers each, kept for many cells (importing torch and jax takes seconds),
ignore Ctrl-C (the study decides) and end when the process that began them does, however it ends.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import Any, ParamSpec, TypeVar

from ..errors import InputError

P = ParamSpec("P")
T = TypeVar("T")

Where = Executor | str | None

_THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def opened(where: Where, n_cells: int) -> AbstractContextManager[Executor]:
    """The executor meant by `where`; what is opened here is closed again.

    Args:
        where: None for local processes, "dask" for a local Dask cluster, "tcp://host:port" for a
            Dask scheduler (its workers must see the study's folder), or an executor, which is left
            open.
        n_cells: no more workers than these are started.

    Raises:
        InputError: if it names nothing known, or Dask is not installed.
    """
    check_executor(where)
    if isinstance(where, Executor):
        return nullcontext(where)
    return local(n_cells) if where is None else _dask(where, n_cells)


def check_executor(where: Where) -> None:
    """Raise InputError if `where` names nothing known, or Dask is not installed."""
    if where is None or isinstance(where, Executor):
        return
    if not isinstance(where, str) or (where != "dask" and "://" not in where):
        raise InputError(
            f"executor is {where!r}; expected None for local processes, 'dask', the address of a "
            "Dask scheduler such as 'tcp://host:8786', or a concurrent.futures.Executor."
        )
    try:
        import_module("distributed")
    except ImportError:
        raise InputError(
            f"executor is {where!r}, and Dask is not installed. Install it: "
            "pip install 'ppgen[dask]'."
        ) from None


def cores() -> list[int]:
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _shares(n_cells: int, workers: int | None = None) -> tuple[int, int]:
    """How many workers, one for each core or cell, whichever are fewer; and the cores of each."""
    available = len(cores())
    n = workers or max(1, min(n_cells, available))
    return n, max(1, available // n)


class _Pool(ProcessPoolExecutor):
    """Workers start as tasks come, and read their number of threads as they import."""

    variables: Mapping[str, str] = MappingProxyType({})

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        with _starting(self.variables):
            return super().submit(fn, *args, **kwargs)


@contextmanager
def local(n_cells: int, workers: int | None = None) -> Iterator[ProcessPoolExecutor]:
    """Spawned processes, by default one for each core or cell."""
    available = cores()
    n, share = _shares(n_cells, workers)
    context = multiprocessing.get_context("spawn")
    places = context.Queue()
    for i in range(n):
        start = i * share % len(available)
        places.put(available[start : start + share])
    executor = _Pool(n, context, _begin_worker, (places,))
    executor.variables = dict.fromkeys(_THREADS, str(share))
    try:
        yield executor
    except BaseException:
        # In the middle of their cells; a cell begun goes on from there the next time. Nothing that
        # a library does about SIGTERM keeps one alive, whom the shutdown below would wait for.
        for process in list((executor._processes or {}).values()):
            process.kill()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
        places.close()
        places.join_thread()


def _begin_worker(places: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "sched_setaffinity"):
        # JAX and torch size their thread pools by it.
        os.sched_setaffinity(0, places.get())
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _dask(where: str, n_cells: int) -> Iterator[Executor]:
    dask: Any = import_module("distributed")
    if where != "dask":
        try:
            client = dask.Client(where, timeout="20s")
        except OSError as error:
            raise InputError(
                f"no Dask scheduler answers at {where} ({error}). Start one with `dask scheduler`."
            ) from None
        with client, client.get_executor(pure=False) as executor:
            yield executor
        return
    n, share = _shares(n_cells)
    how = {"processes": True, "host": "127.0.0.1", "dashboard_address": None}
    with (
        _starting(dict.fromkeys(_THREADS, str(share))),
        dask.LocalCluster(n_workers=n, threads_per_worker=1, **how) as cluster,
        dask.Client(cluster) as client,
        client.get_executor(pure=False) as executor,
    ):
        yield executor


@contextmanager
def _starting(variables: Mapping[str, str]) -> Iterator[None]:
    """Give processes that are started within these variables, and keep them from importing the
    caller's script again.

    Cells need nothing of it, and a script without `if __name__ == "__main__"` would run once in
    each worker.
    """
    with (
        _swapped(os.environ, variables),
        _swapped(sys.modules, {"__main__": ModuleType("__main__")}),
    ):
        yield


@contextmanager
def _swapped(held: MutableMapping[str, T], others: Mapping[str, T]) -> Iterator[None]:
    """Other entries of a mapping for the time of a block."""
    before = {name: held.get(name) for name in others}
    held.update(others)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                held.pop(name, None)
            else:
                held[name] = value
