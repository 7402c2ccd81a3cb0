"""A study that is killed, interrupted or run elsewhere comes to the same table."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import types
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ppgen.errors import InputError
from ppgen.study import run_study
from ppgen.study.executors import cores, local, opened
from ppgen.study.peak_memory import Peak

from .interrupts import heeded
from .study_toys import Inline, leave_out, logged, plain, rows, toys  # noqa: F401

ROOT = Path(__file__).parents[1]

SLOW_STUDY = """
import sys
from concurrent.futures import ThreadPoolExecutor
sys.path.insert(0, {root!r})
from tests import study_toys as toys
toys.install()
toys.leave_out(toys.pytest.MonkeyPatch())
from ppgen.study import run_study
with ThreadPoolExecutor(1) as executor:
    run_study(toys.rows(), ["toy", "wide"], seeds=3, out={out!r}, executor=executor,
              settings={{"toy": {{"sleep": 0.15}}, "wide": {{"sleep": 0.15}}}})
"""


def slow_study(out):
    """What the script above does, here."""
    settings = {"toy": {"sleep": 0.15}, "wide": {"sleep": 0.15}}
    return run_study(
        rows(), ["toy", "wide"], seeds=3, out=out, executor=Inline(), settings=settings
    )


def started(script, *args):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with heeded():
        return subprocess.Popen([sys.executable, "-c", script, *args], env=environment)


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def events(out, kind):
    return [e for e in logged(out) if e["event"] == kind]


@pytest.mark.usefixtures("toys")
def test_killed_and_started_again_it_finishes_with_the_same_table(tmp_path, monkeypatch):
    leave_out(monkeypatch)
    killed = tmp_path / "killed"
    whole = slow_study(tmp_path / "whole")
    script = SLOW_STUDY.format(root=str(ROOT), out=str(killed))
    # Once in the middle of a fit, once right after one.
    for kind, count in (("fit", 2), ("end", 3)):
        process = started(script)
        until(lambda kind=kind, count=count: len(events(killed, kind)) >= count)
        process.send_signal(signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
    done = {e["cell"] for e in events(killed, "end")}
    begun = Counter(e["cell"] for e in events(killed, "begin"))
    resumed = slow_study(killed)
    again = Counter(e["cell"] for e in events(killed, "begin"))
    assert all(again[cell] == begun[cell] for cell in done)
    assert max(Counter(e["cell"] for e in events(killed, "end")).values()) == 1
    assert plain(resumed.table) == plain(whole.table)
    assert {row["state"] for row in resumed.table} == {"done"}


WORKERS = """
import sys, time
from ppgen.study.executors import local
if __name__ == "__main__":
    with local(2, workers=2) as executor:
        for future in [executor.submit(time.sleep, {seconds}) for _ in range(4)]:
            future.result()
"""


def children(pid):
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(p) for p in found]


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes in /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_study(how):
    process = started(WORKERS.format(seconds=600))
    until(lambda: len(children(process.pid)) >= 3)  # two workers and the resource tracker
    time.sleep(1.0)
    workers = children(process.pid)
    process.send_signal(how)
    assert process.wait(60) != 0
    until(lambda: not any(alive(pid) for pid in workers))


def outlive(mark):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(mark).touch()
    time.sleep(600)


def test_no_worker_outlives_an_interrupt_whatever_it_does_about_signals(tmp_path):
    mark, started = tmp_path / "mark", set()

    def interrupted():
        with local(1) as executor:
            executor.submit(outlive, mark)
            until(mark.exists)
            started.update(executor._processes)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(started) == 1
    assert not any(alive(pid) for pid in started)


def threads_of_worker(_):
    return os.getpid(), sorted(os.sched_getaffinity(0)), os.environ.get("OMP_NUM_THREADS")


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system pins no threads")
def test_workers_are_pinned_to_their_share():
    before = dict(os.environ)
    with local(2, workers=2) as executor:
        seen = {pid: (at, n) for pid, at, n in executor.map(threads_of_worker, range(20))}
    share = max(1, len(cores()) // 2)
    assert dict(os.environ) == before
    assert all(len(at) == share and n == str(share) for at, n in seen.values())


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
def test_memory_is_that_of_the_work():
    np.ones(30_000_000)  # before
    peak = Peak()
    size = np.ones(10_000_000).nbytes
    assert 0.9 * size < peak.bytes() < 1.5 * size


def test_no_more_workers_than_cells():
    with local(1) as executor:
        assert executor._max_workers == 1


def test_real_families_in_processes_of_their_own(tmp_path, monkeypatch):
    leave_out(monkeypatch)
    result = run_study(
        rows(200), ["independent"], seeds=2, out=tmp_path / "s", budget=None, progress=False
    )
    assert result.table[0]["seeds"] == (2, 2)
    assert result.table[0]["state"] == "done"


SCRIPT = """
import sys
from ppgen.study import run_study
result = run_study({data!r}, ["independent"], seeds=2, out={out!r}, progress=False)
assert result.table[0]["state"] == "done", result
"""


def test_a_script_needs_no_guard(tmp_path):
    file, data = tmp_path / "script.py", tmp_path / "rows.npy"
    np.save(data, rows(100))
    file.write_text(SCRIPT.format(data=str(data), out=str(tmp_path / "s")))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, str(file)], env=environment, check=True, timeout=120)
    assert len(events(tmp_path / "s", "begin")) == 2


def test_an_address_without_a_scheduler_is_refused(monkeypatch):
    def refused(*_, **__):
        raise OSError("Timed out")

    monkeypatch.setitem(sys.modules, "distributed", types.SimpleNamespace(Client=refused))
    with (
        pytest.raises(InputError, match="no Dask scheduler answers"),
        opened("tcp://127.0.0.1:9", 1),
    ):
        pass


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'ppgen\[dask\]'"), opened("dask", 1):
        pass


@pytest.fixture
def random_state():
    """Dask draws from the global generator; the guard against leaks is about ppgen."""
    state = random.getstate()
    yield
    random.setstate(state)


@pytest.mark.slow
@pytest.mark.usefixtures("random_state")
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("by_address", [True, False])
def test_on_a_dask_cluster_of_two_workers(tmp_path, by_address):
    distributed = pytest.importorskip("distributed")
    settings = {"seeds": 2, "budget": None, "progress": False}
    here = run_study(rows(200), ["independent"], out=tmp_path / "here", **settings)
    if by_address:
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as cluster:
            where = cluster.scheduler_address
            there = run_study(
                rows(200), ["independent"], out=tmp_path / "there", executor=where, **settings
            )
    else:
        there = run_study(
            rows(200), ["independent"], out=tmp_path / "there", executor="dask", **settings
        )
    assert plain(there.table) == plain(here.table)
    pids = {e["pid"] for e in events(tmp_path / "there", "begin")}
    assert os.getpid() not in pids
    assert np.isfinite(there.table[0]["log_density"])
