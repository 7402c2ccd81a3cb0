"""Files of networks: what is read back is what was written, and errors say where they are."""

import gzip
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies

from ppgen import InputError
from ppgen.inference.dag import DAG
from ppgen.models.bayesnet import formats
from ppgen.models.bayesnet.conditionals import LinearGaussian, Table
from ppgen.models.bayesnet.formats import bif, graphs, net, net_text, uai, xmlbif
from ppgen.models.bayesnet.formats.json_format import read as json_read
from ppgen.models.bayesnet.formats.json_format import text as json_text
from ppgen.models.bayesnet.formats.source import Source
from ppgen.models.bayesnet.network import Network

ODD = ("<5", "12+", "Asy/Patch", "a b", 'say "x"', "1, 2", "é≥", "7", "table", "default")
ODDER = (*ODD, "\\n", "\\", " x ", "", "{", "//", "/*", "&amp;", "a|b", "];", "None", "new\nline\t")
TEXTS = [".bif", ".xml", ".net", ".json"]


def table(rng, *shape):
    return Table(rng.dirichlet(np.ones(shape[-1]), shape[:-1]))


def asymmetric(labels=ODDER, names=("a", "b c", "property", "x")):
    """Four nodes of 2, 3, 4 and many states; the last has the others as parents, not in order."""
    rng = np.random.default_rng(0)
    sizes = (2, 3, 4, len(labels))
    parents = ((), (0,), (), (2, 0, 1))
    tables = [table(rng, *(sizes[p] for p in q), sizes[i]) for i, q in enumerate(parents)]
    states = [*(tuple(f"s{i}" for i in range(k)) for k in sizes[:3]), tuple(labels)]
    return Network(DAG(names, parents), tuple(tables), tuple(states))


def mixed():
    """A discrete node of two states and one of three, and three continuous ones."""
    rng = np.random.default_rng(1)
    parents = ((), (0,), (), (1, 2, 0), (3, 2))
    gaussians = (
        LinearGaussian(np.array(0.3), np.empty(0), np.array(2.0)),
        LinearGaussian(
            rng.normal(size=(3, 2)), rng.normal(size=(3, 2, 1)), rng.uniform(size=(3, 2))
        ),
        LinearGaussian(np.array(-1e-300), np.array([-0.0, 1e17]), np.array(0.0)),
    )
    return Network(
        DAG(("a", "b", "node", "y z", "n1"), parents),
        (table(rng, 2), table(rng, 2, 3), *gaussians),
        (("no", "yes"), ("u", "v", "w"), (), (), ()),
    )


def assert_same(found, expected, names=True):
    assert found.dag.parents == expected.dag.parents
    if names:
        assert found.names == expected.names
        assert found.states == expected.states
    for a, b in zip(found.conditionals, expected.conditionals, strict=True):
        assert type(a) is type(b)
        for field in vars(b):
            np.testing.assert_array_equal(getattr(a, field), getattr(b, field))


def written(model, path):
    formats.write(model, path)
    return formats.read(path)


def of_text(text, tmp_path, name):
    path = tmp_path / name
    path.write_text(text, newline="")
    return formats.read(path)


@pytest.mark.parametrize("ending", [*TEXTS, ".uai", ".bif.gz"])
def test_a_network_is_read_as_it_was_written(tmp_path, ending):
    network = asymmetric()
    assert_same(written(network, tmp_path / f"net{ending}"), network, names=ending != ".uai")


@pytest.mark.parametrize("ending", [".net", ".json"])
def test_a_mixed_network_is_read_as_it_was_written(tmp_path, ending):
    assert_same(written(mixed(), tmp_path / f"net{ending}"), mixed())


@pytest.mark.parametrize("ending", TEXTS)
def test_names_may_be_any_text(tmp_path, ending):
    for at in range(0, len(ODDER) - 3, 2):
        network = asymmetric(("p", "q"), ODDER[at : at + 4])
        assert_same(written(network, tmp_path / f"net{ending}"), network)


@settings(max_examples=25, deadline=None)
@given(data=strategies.data())
def test_any_labels_are_read_as_they_were_written(data):
    texts = strategies.text(strategies.characters(codec="utf-8"), max_size=6)
    names = data.draw(strategies.lists(texts, min_size=2, max_size=2, unique=True))
    labels = tuple(data.draw(strategies.lists(texts, min_size=1, max_size=3, unique=True)))
    k, rng = len(labels), np.random.default_rng(0)
    dag = DAG(tuple(names), ((), (0,)))
    network = Network(dag, (table(rng, k), table(rng, k, k)), (labels, labels))
    for text, read in ((bif.text, bif.read), (net_text.text, net.read), (json_text, json_read)):
        assert_same(read(Source("x", text(network))), network)
    if not any(xmlbif.FORBIDDEN.search(text) for text in (*names, *labels)):
        found = xmlbif.read(Source("x", ""), xmlbif.text(network).encode())
        assert_same(found, network)


def test_json_keeps_the_types_of_states(tmp_path):
    states = (0, 1.5, True, None, "0x")
    network = Network(DAG(("x",), ((),)), (Table(np.full(5, 0.2)),), (states,))
    found = written(network, tmp_path / "x.json")
    assert [type(state) for state in found.states[0]] == [type(state) for state in states]
    assert found.states[0] == states


def test_rows_of_bif_stand_in_any_order_and_say_whose_they_are(tmp_path):
    network = of_text(
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
        """,
        tmp_path,
        "x.bif",
    )
    assert network.names == ("b", "a", "x")
    b, _, x = (conditional.probs for conditional in network.conditionals)
    np.testing.assert_array_equal(b, [[0.1, 0.3, 0.6], [0.2, 0.5, 0.3]])  # the child slowest
    expected = np.tile([0.1, 0.1, 0.8], (2, 3, 1))
    expected[1, 2] = 0.5, 0.3, 0.2
    expected[0, 1] = 0.4, 0.4, 0.2
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize("seed", range(3))
def test_rows_of_bif_and_json_may_be_shuffled(tmp_path, seed):
    network = asymmetric(("p", "q", "r"))
    rng = np.random.default_rng(seed)
    for ending, row in ((".bif", r"  \(.*;\n"), (".json", r"      \{.*\},\n")):
        formats.write(network, tmp_path / f"x{ending}")
        text = (tmp_path / f"x{ending}").read_text()
        found = [m.span() for m in re.finditer(rf"({row})+", text)]
        for start, end in reversed(found):
            rows = text[start:end].splitlines(keepends=True)
            text = text[:start] + "".join(rng.permutation(rows)) + text[end:]
        assert_same(of_text(text, tmp_path, f"y{ending}"), network)


def test_tables_of_xmlbif_and_net_have_the_child_last(tmp_path):
    x, y = ((("x0", "x1")), ("y0", "y1", "y2"))
    xml = of_text(
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<!DOCTYPE BIF [<!ELEMENT BIF (NETWORK)*>]>'
        "<BIF><NETWORK><NAME>n</NAME><PROPERTY>p</PROPERTY>"
        "<VARIABLE TYPE='nature'><NAME> x </NAME><OUTCOME>x0</OUTCOME><OUTCOME>x1</OUTCOME>"
        "</VARIABLE><VARIABLE><NAME>y</NAME><VALUE>y0</VALUE><VALUE>y1</VALUE><VALUE>y2</VALUE>"
        "</VARIABLE><DEFINITION><FOR>y</FOR><GIVEN>x</GIVEN>"
        "<TABLE>.1 .2 .7 <!-- x1 --> .3 .3 .4</TABLE></DEFINITION>"
        "<DEFINITION><FOR>x</FOR><TABLE>1 0</TABLE></DEFINITION></NETWORK></BIF>",
        tmp_path,
        "x.xml",
    )
    net = of_text(
        "% a comment\nnet { node_size = (80 40); }\n"
        'node x { states = ("x0" "x1"); position = (1 2); }'
        'discrete node y { label = "a; b"; states = (y0 y1 y2); }\n'
        "potential (x) { data = (1 0); } potential ( y | x ) { data = ((.1 .2 .7) (.3 .3 .4)); }",
        tmp_path,
        "x.net",
    )
    for network in (xml, net):
        assert network.states == (x, y)
        np.testing.assert_array_equal(
            network.conditionals[1].probs, [[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]]
        )


def test_means_in_net_are_linear_in_any_notation(tmp_path):
    network = of_text(
        "node d { states = (a b); } continuous node z {} continuous node w {} continuous node x {}"
        "potential (d | ) { } potential (z) { data = normal (-1, 2); } potential (w) { data = "
        "( normal (0, 0) ); } potential ( x | z d w ) { data = ( normal ( w + -2 * z + 1e-3 , 4 )"
        " normal ( -3 + z * 0.5, 1 ) ); }",
        tmp_path,
        "x.net",
    )
    d, z, w, x = network.conditionals
    np.testing.assert_array_equal(d.probs, [0.5, 0.5])
    assert (z.intercept, z.variance, w.variance) == (-1, 2, 0)
    np.testing.assert_array_equal(x.intercept, [1e-3, -3])
    np.testing.assert_array_equal(x.coefficients, [[-2, 1], [0.5, 0]])
    np.testing.assert_array_equal(x.variance, [4, 1])


UAI = "MARKOV\n3\n2 3 2\n3\n2 1 0\n1 2\n0\n\n6\n 1 2 3 4 5 6\n2\n 0.5 1e3\n1 7\n"


def test_a_factor_graph_is_read_from_uai_and_as_it_was_written(tmp_path):
    factors = of_text(UAI, tmp_path, "x.uai")
    assert factors.scopes == ((1, 0), (2,), ())
    np.testing.assert_array_equal(factors.tables[0], [[1, 2], [3, 4], [5, 6]])
    assert factors.tables[2] == 7
    for ending in (".uai", ".json"):
        again = written(factors, tmp_path / f"y{ending}")
        assert (again.names, again.states, again.scopes) == (
            factors.names, factors.states, factors.scopes,
        )  # fmt: skip
        for a, b in zip(again.tables, factors.tables, strict=True):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(InputError, match=r"written as \.json or \.uai; \.bif was given"):
        formats.write(factors, tmp_path / "z.bif")


def test_evidence_and_results_of_uai_are_read():
    for text in ("2 0 1 2 0", "1\n2 0 1 2 0\n"):
        assert uai.read_evidence(Source("x.evid", text), (2, 3, 2)) == {0: 1, 2: 0}
    assert uai.read_evidence(Source("x.evid", "1 2 0"), (2, 3, 2)) == {2: 0}
    assert uai.read_evidence(Source("x.evid", ""), (2,)) == uai.read_evidence(Source("", "0"), ())
    assert uai.evidence_text({0: 1, 2: 0}) == "2 0 1 2 0\n"
    assert uai.read_log10_z(Source("x.PR", "PR\n-11.5")) == -11.5
    marginals = uai.read_marginals(Source("x.MAR", "MAR 2 2 .5 .5 1 1"))
    assert [list(probs) for probs in marginals] == [[0.5, 0.5], [1.0]]
    for text, said in (
        ("1 0 2", r"column 5: found '2'; expected a state of variable 0, at most 1"),
        ("1 7 0", r"column 3: found '7'; expected an observed variable, at most 2"),
        ("2 0 1 0 0", r"column 7: variable 0 is observed in two states"),
        ("2 0 1", r"column 6: found the end of the file; expected an observed variable"),
    ):
        with pytest.raises(InputError, match=rf"^x\.evid, line 1, {said}"):
            uai.read_evidence(Source("x.evid", text), (2, 3, 2))


@pytest.mark.parametrize("ending", [*TEXTS, ".uai"])
def test_a_file_cut_anywhere_is_refused(tmp_path, ending):
    formats.write(asymmetric(("p", "q"), ("a", "b", "c", "d")), tmp_path / f"x{ending}")
    text = (tmp_path / f"x{ending}").read_text()
    last = text.rstrip().rindex(" ")  # a shorter last number of UAI is a number
    for end in np.linspace(0, last if ending == ".uai" else len(text.rstrip()) - 1, 40).astype(int):
        with pytest.raises(InputError):
            of_text(text[:end], tmp_path, f"y{ending}")


def test_files_that_cannot_be_read_or_written_are_refused(tmp_path):
    network = asymmetric()
    with pytest.raises(InputError, match=r"there is no file"):
        formats.read(tmp_path / "none.bif")
    (tmp_path / "cut.bif.gz").write_bytes(gzip.compress(b"network x {}" * 99)[:-9])
    with pytest.raises(InputError, match=r"damaged or truncated"):
        formats.read(tmp_path / "cut.bif.gz")
    (tmp_path / "latin.bif").write_bytes(b"network x {}\n// \xe9")
    with pytest.raises(
        InputError, match=r"line 2, column 4: found the byte 0xe9; expected text in UTF-8"
    ):
        formats.read(tmp_path / "latin.bif")
    with pytest.raises(InputError, match=r"no format of networks '\.doc'"):
        formats.write(network, tmp_path / "x.doc")
    with pytest.raises(InputError, match=r"there is no folder"):
        formats.write(network, tmp_path / "none" / "x.bif")
    with pytest.raises(InputError, match=r"'node' is continuous, and BIF has discrete nodes only"):
        formats.write(mixed(), tmp_path / "x.bif")
    with pytest.raises(InputError, match=r"a character that XML does not have"):
        formats.write(asymmetric(("p", "\0")), tmp_path / "x.xml")
    twice = Network(DAG(("x",), ((),)), (Table(np.full(2, 0.5)),), ((1, "1"),))
    with pytest.raises(InputError, match=r"two states of 'x' read alike"):
        formats.write(twice, tmp_path / "x.json")


def test_graphs_go_out_to_networkx_and_dot(tmp_path):
    network = mixed()
    graph = graphs.to_networkx(network)
    assert sorted(graph.edges) == sorted(network.dag.edges)
    assert graph.nodes["b"]["states"] == ["u", "v", "w"]
    assert graph.nodes["node"]["states"] is None
    formats.write(network, tmp_path / "x.dot")
    dot = (tmp_path / "x.dot").read_text()
    assert '"node" -> "y z";' in dot
    assert '"n1" [shape=box];' in dot


@pytest.mark.slow
@pytest.mark.skipif("PPGEN_DATA" not in os.environ, reason="PPGEN_DATA is not set")
def test_published_networks_are_read_and_written_without_loss(tmp_path):
    folder = Path(os.environ["PPGEN_DATA"]) / "bayesnets" / "bif"
    sizes = {}
    for file in sorted(folder.glob("*.bif.gz")):
        network = formats.read(file)
        sizes[file.name.partition(".")[0]] = len(network.dag)
        for ending in [*TEXTS, ".uai"]:
            assert_same(written(network, tmp_path / f"x{ending}"), network, names=ending != ".uai")
    assert sizes == {
        "alarm": 37, "asia": 8, "cancer": 5, "child": 20, "earthquake": 5, "hailfinder": 56,
        "insurance": 27, "sachs": 11, "survey": 6, "win95pts": 76,
    }  # fmt: skip


@pytest.mark.skipif("PPGEN_DATA" not in os.environ, reason="PPGEN_DATA is not set")
def test_a_linear_gaussian_network_of_46_nodes_survives_json_and_net(tmp_path):
    file = Path(os.environ["PPGEN_DATA"]) / "bayesnets" / "gaussian" / "ecoli70.json"
    body = json.loads(file.read_text())
    dag = DAG.of(body["nodes"], ((p, n) for n in body["nodes"] for p in body["cpds"][n]["parents"]))
    conditionals = []
    for name in dag.names:
        numbers = body["cpds"][name]["coefficients"]
        slopes = [numbers[parent][0] for parent in body["cpds"][name]["parents"]]
        (variance,) = body["cpds"][name]["variance"]
        intercept = np.array(numbers["(Intercept)"][0])
        conditionals.append(LinearGaussian(intercept, np.array(slopes), np.array(variance)))
    network = Network(dag, tuple(conditionals), ((),) * len(dag))
    assert sorted(dag.edges) == sorted(map(tuple, body["arcs"]))
    for ending in (".json", ".net"):
        assert_same(written(network, tmp_path / f"x{ending}"), network)
