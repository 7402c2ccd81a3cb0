"""Directed acyclic graphs against enumeration: separation, equivalence classes, cycles."""

from __future__ import annotations

from functools import cache
from itertools import combinations, product

import numpy as np
import pytest

from ppgen.errors import InputError
from ppgen.inference.dag import DAG, find_cycle


def all_dags(n: int) -> list[DAG]:
    """Every graph of n nodes."""
    pairs = list(combinations(range(n), 2))
    out = []
    for choice in product((0, 1, 2), repeat=len(pairs)):
        parents: list[list[int]] = [[] for _ in range(n)]
        for (i, j), way in zip(pairs, choice, strict=True):
            if way:
                parents[(j, i)[way - 1]].append((i, j)[way - 1])
        if not find_cycle(parents):
            out.append(DAG(tuple("abcde"[:n]), tuple(map(tuple, parents))))
    return out


def random_dag(n: int, seed: int, density: float = 0.4) -> DAG:
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    parents: list[list[int]] = [[] for _ in range(n)]
    for a, b in combinations(order, 2):
        if rng.random() < density:
            parents[b].append(int(a))
    return DAG(tuple(map(str, range(n))), tuple(map(tuple, parents)))


def separated_by_paths(dag: DAG, a: int, b: int, given: set[int]) -> bool:
    """Whether every path from a to b is blocked, path by path."""
    edges = dag.adjacency()
    descendants = {
        node: {other for other in range(len(dag)) if node in dag.ancestors([other])}
        for node in range(len(dag))
    }

    def blocked(path: tuple[int, ...]) -> bool:
        for left, node, right in zip(path, path[1:], path[2:], strict=False):
            if edges[left, node] and edges[right, node]:
                if not descendants[node] & given:
                    return True
            elif node in given:
                return True
        return False

    def paths(path: tuple[int, ...]) -> bool:
        if path[-1] == b:
            return blocked(path)
        return all(
            paths((*path, node))
            for node in range(len(dag))
            if node not in path and (edges[path[-1], node] or edges[node, path[-1]])
        )

    return paths((a,))


@pytest.mark.parametrize("seed", range(12))
def test_d_separation_is_that_no_path_is_open(seed: int) -> None:
    dag = random_dag(6, seed)
    rng = np.random.default_rng(seed)
    for _ in range(12):
        given = set(np.flatnonzero(rng.random(6) < 0.35).tolist())
        source = int(rng.choice([node for node in range(6) if node not in given] or [0]))
        if source in given:
            continue
        reachable = dag.reachable([source], given)
        for other in set(range(6)) - given - {source}:
            assert (other not in reachable) == separated_by_paths(dag, source, other, given)


def independences(dag: DAG) -> frozenset[tuple[int, int, frozenset[int]]]:
    n = len(dag)
    return frozenset(
        (a, b, frozenset(given))
        for a, b in combinations(range(n), 2)
        for size in range(n - 1)
        for given in combinations(set(range(n)) - {a, b}, size)
        if b not in dag.reachable([a], given)
    )


@cache
def of_four() -> tuple[DAG, ...]:
    return tuple(all_dags(4))


def test_there_are_543_graphs_of_four_nodes_in_185_classes() -> None:
    assert len(of_four()) == 543
    assert len({dag.cpdag().tobytes() for dag in of_four()}) == 185


def test_graphs_share_a_cpdag_if_and_only_if_they_say_the_same_independences() -> None:
    by_cpdag: dict[bytes, set[frozenset[tuple[int, int, frozenset[int]]]]] = {}
    for dag in of_four():
        by_cpdag.setdefault(dag.cpdag().tobytes(), set()).add(independences(dag))
    assert all(len(same) == 1 for same in by_cpdag.values())
    assert len(set.union(*by_cpdag.values())) == len(by_cpdag)


def test_a_cpdag_has_the_arrows_that_all_graphs_of_its_class_have() -> None:
    classes: dict[bytes, list[DAG]] = {}
    for dag in of_four():
        classes.setdefault(dag.cpdag().tobytes(), []).append(dag)
    for members in classes.values():
        union = np.any([dag.adjacency() for dag in members], axis=0)
        np.testing.assert_array_equal(members[0].cpdag(), union)


def test_parents_come_before_children() -> None:
    for seed in range(5):
        dag = random_dag(10, seed)
        place = {node: at for at, node in enumerate(dag.order)}
        assert sorted(place) == list(range(10))
        for child, parents in enumerate(dag.parents):
            assert all(place[parent] < place[child] for parent in parents)


def test_a_cycle_is_printed_in_the_direction_of_its_edges() -> None:
    with pytest.raises(InputError, match=r"b -> c -> d -> b|c -> d -> b -> c|d -> b -> c -> d"):
        DAG.of("abcd", [("a", "b"), ("b", "c"), ("c", "d"), ("d", "b")])
    with pytest.raises(InputError, match="a -> a"):
        DAG.of("ab", [("a", "a")])


def test_an_unknown_node_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"'smok', which is no node.*'smoke'"):
        DAG.of(("smoke", "lung"), [("smok", "lung")])
    with pytest.raises(InputError, match="given twice"):
        DAG.of("ab", [("a", "b"), ("a", "b")])
    with pytest.raises(InputError, match="expected a pair"):
        DAG.of("ab", ["ab"])
