"""Files of networks: what is read back is what was written, and errors say where they are."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from ppgen import InputError
from ppgen.inference.dag import DAG
from ppgen.models.bayesnet import formats
from ppgen.models.bayesnet.conditionals import LinearGaussian, Table
from ppgen.models.bayesnet.factors import Factors
from ppgen.models.bayesnet.formats import uai
from ppgen.models.bayesnet.formats.source import Source
from ppgen.models.bayesnet.network import Network

ODD = ("<5", "12+", "Asy/Patch", "a b", 'say "x"', "1, 2", "é≥", "7", "table", "default", "\\n", "")


def table(rng, *shape):
    return Table(rng.dirichlet(np.ones(shape[-1]), shape[:-1]))


def asymmetric(rng, labels=ODD):
    """Four nodes of 2, 3, 4 and 12 states; the last has the others as parents, not in order."""
    sizes = (2, 3, 4, len(labels))
    parents = ((), (0,), (), (2, 0, 1))
    tables = [table(rng, *(sizes[p] for p in q), sizes[i]) for i, q in enumerate(parents)]
    states = [tuple(labels[:k]) if k > 4 else tuple(f"s{i}" for i in range(k)) for k in sizes]
    names = ("a", "b c", "property", "x")
    return Network(DAG(names, parents), tuple(tables), tuple(states))


def assert_same(found, expected, names=True):
    assert found.dag.parents == expected.dag.parents
    if names:
        assert found.names == expected.names
        assert found.states == expected.states
    for a, b in zip(found.conditionals, expected.conditionals, strict=True):
        assert type(a) is type(b)
        for field in vars(b):
            np.testing.assert_array_equal(getattr(a, field), getattr(b, field))


@pytest.mark.parametrize("ending", [".bif", ".uai", ".bif.gz"])
def test_a_network_is_read_as_it_was_written(tmp_path, ending):
    network = asymmetric(np.random.default_rng(0))
    formats.write(network, tmp_path / f"net{ending}")
    assert_same(formats.read(tmp_path / f"net{ending}"), network, names=".uai" not in ending)


def test_rows_of_bif_stand_in_any_order_and_say_whose_they_are(tmp_path):
    (tmp_path / "x.bif").write_text(
        """// a comment
        network "odd one" { property author = X, Y; }
        probability ( x | a, b ) {
          (a1, b2) 0.5, 0.3, 0.2; /* of the last row */
          default 0.1 0.1 0.8;
          (a0, b1) 0.4, 0.4, 0.2;
        }
        variable b { type discrete [ 3 ] { b0, b1, b2 }; property p = (1, 2); }
        variable a { type discrete [ 2 ] { a0, a1 }; }
        variable "x" { type discrete [ 3 ] { "x0" "x1" "x2" }; }
        probability ( a ) { table 0.25, 0.75; }
        probability ( b | a ) { table 0.1, 0.2,  0.3, 0.5,  0.6, 0.3; }
        """
    )
    network = formats.read(tmp_path / "x.bif")
    assert network.names == ("b", "a", "x")
    b, _, x = (conditional.probs for conditional in network.conditionals)
    np.testing.assert_array_equal(b, [[0.1, 0.3, 0.6], [0.2, 0.5, 0.3]])  # the child slowest
    expected = np.tile([0.1, 0.1, 0.8], (2, 3, 1))
    expected[1, 2] = 0.5, 0.3, 0.2
    expected[0, 1] = 0.4, 0.4, 0.2
    np.testing.assert_array_equal(x, expected)
