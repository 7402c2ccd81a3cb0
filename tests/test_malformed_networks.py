"""Malformed files of networks: each error says line and column, what was found and expected."""

import pytest

from ppgen import InputError
from ppgen.models.bayesnet import formats

A = "variable a { type discrete [ 2 ] { y, n }; }\n"
B = "variable b { type discrete [ 2 ] { y, n }; }\n"
NET = "node a { states = (y n); }\nnode b { states = (y n); }\npotential (a) {}\n"
JSON = (
    '{"format": "ppgen network", "version": 1, "nodes": [\n'
    '{"name": "a", "states": ["y", "n"], "parents": [], '
    '"table": [{"given": {}, "probs": [1, 0]}]},\n'
)
XML = "<BIF><NETWORK>\n<VARIABLE><NAME>a</NAME><OUTCOME>y</OUTCOME></VARIABLE>\n"

MALFORMED = [
    # BIF
    ("bif", "", "declares no nodes"),
    ("bif", "hello", "line 1, column 1: found 'hello'; expected 'network', 'variable' or"),
    ("bif", A + "probability ( a ) {\n  table 0.5", "line 3, column 12: found the end of the file"),
    ("bif", A, "line 1, column 10: the node 'a' has no probabilities"),
    ("bif", A + A, "line 2, column 10: the node 'a' is declared twice"),
    (
        "bif",
        "variable a { type discrete [ 3 ] { y, n }; }",
        "column 30: 'a' says that it has 3 states",
    ),
    (
        "bif",
        "variable a { type discrete [ 2 ] { y, y }; }",
        "column 10: the node 'a' has the state 'y'",
    ),
    ("bif", "variable a { type real; }", "column 19: found 'real'; expected 'discrete'"),
    ("bif", "variable a { }", "column 10: 'a' has no type"),
    ("bif", "/* never closed", "line 1, column 1: /* is opened here and not closed"),
    ("bif", A + 'probability ( a ) { table "0.5', 'line 2, column 27: " is opened here'),
    (
        "bif",
        A + "probability ( a ) { table 0.5, 0.x; }",
        "line 2, column 32: found '0.x'; expected a prob",
    ),
    (
        "bif",
        A + "probability ( a ) { table 0.5, 0.4; }",
        "line 2, column 21: the table of 'a' sums to 0.9, 0.1 from 1; a tolerance of 1e-06",
    ),
    ("bif", A + "probability ( a ) { table 0.5, nan; }", "column 32: found 'nan'"),
    ("bif", A + "probability ( a ) { table 1_0, 0; }", "column 27: found '1_0'"),
    ("bif", A + "probability ( a ) { table 1, 0, 0; }", "the table of 'a' has 3 numbers"),
    ("bif", A + "probability ( a | A ) { }", "line 2, column 19: there is no node 'A' declared."),
    (
        "bif",
        A + B + "probability ( b | a ) {\n (y) 0.5, 0.5;\n (no) 0.5, 0.5; }",
        "line 5, column 3: 'a' has no state 'no'; it has y, n. Did you mean 'n'?",
    ),
    (
        "bif",
        A + B + "probability ( b | a ) {\n (y) 0.5, 0.5;\n (y) 0.5, 0.5; }",
        "line 5, column 2: the row of 'b' for a = y is given twice",
    ),
    (
        "bif",
        A + B + "probability ( b | a ) {\n (y) 0.5, 0.5; }",
        "line 3, column 15: the row of 'b' for a = n is missing",
    ),
    (
        "bif",
        A + B + "probability ( b | a ) {\n (y) 0.5, 0.5;\n (n) 0.5; }",
        "line 5, column 2: a row of 'b' has 1 numbers; expected 2",
    ),
    (
        "bif",
        A + B + "probability ( b | a ) {\n (y) 0.5, 0.5;\n (n) 0.5, 0.49; }",
        "line 5, column 2: the table of 'b' sums to 0.99",
    ),
    (
        "bif",
        A + B + "probability ( b | a ) { (y, n) 0.5, 0.5; }",
        "a row names 2 states; 'b' has 1 parents",
    ),
    (
        "bif",
        A + "probability ( a ) { table 1 0; }\nprobability ( a ) { table 1 0; }",
        "line 3, column 15: the node 'a' has its probabilities twice",
    ),
    (
        "bif",
        A + B + "probability ( a | b ) { default 1 0; }\nprobability ( b | a ) { default 1 0; }",
        "line 3, column 15: the edges have a cycle, a -> b -> a",
    ),
    ("bif", A + "probability ( a | a ) { default 1 0; }", "column 19: 'a' stands twice among"),
    # XMLBIF
    ("xml", "<BIF>", "line 1, column 6: no XML: no element found"),
    ("xml", XML + "<DEFINITION></BIF>", "line 3, column 15: no XML: mismatched tag"),
    (
        "xml",
        '<!DOCTYPE x [<!ENTITY a "aa">\n<!ENTITY b "&a;&a;">]><BIF>&b;</BIF>',
        "line 1, column 25: the file declares an entity",
    ),
    ("xml", '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><BIF>&a;</BIF>', "an entity"),
    ("xml", "<BIF>\n&nothing;</BIF>", "line 2, column 1: no XML: undefined entity"),
    (
        "xml",
        XML + "<DEFINITION><FOR>a</FOR><TABLE>1 0</TABLE></DEFINITION></NETWORK></BIF>",
        "line 3, column 25: the table of 'a' has 2 numbers; its parents and states ask for 1 = 1",
    ),
    (
        "xml",
        XML + "<DEFINITION><FOR>a</FOR></DEFINITION></NETWORK></BIF>",
        "line 3, column 1: found 0 elements TABLE here; expected one",
    ),
    (
        "xml",
        XML + "<DEFINITION><FOR>b</FOR><TABLE>1</TABLE></DEFINITION></NETWORK></BIF>",
        "line 3, column 13: there is no node 'b' declared",
    ),
    (
        "xml",
        "<BIF>\n<VARIABLE TYPE='decision'/></BIF>",
        "line 2, column 1: found a variable of type 'dec",
    ),
    # NET
    ("net", NET, "line 2, column 6: the node 'b' has no probabilities"),
    (
        "net",
        NET + "potential (b | a) { data = ((1 0) (1 0)",
        "line 4, column 40: found the end of the file",
    ),
    (
        "net",
        NET + "potential (b | a) { data = ((1 0 0) (1)); }",
        "line 4, column 28: the data of 'b' have a list of 3",
    ),
    ("net", NET + "potential (b | a) { data = (((1 0)) ((1 0))); }", "nested deeper"),
    ("net", NET + "potential (b | a) { data = (" + "(" * 100_000 + "1 0); }", "nested deeper"),
    ("net", NET + "potential (b | a) { data = (1 0 1); }", "expected 2 x 2 there"),
    ("net", NET + "potential (b | c) { }", "line 4, column 16: there is no node 'c' declared"),
    ("net", NET + "utility node c {}", "line 4, column 1: found 'utility'; expected 'node'"),
    (
        "net",
        NET + "continuous node c {} potential (b | c) {}",
        "column 37: the discrete node 'b' has the cont",
    ),
    (
        "net",
        NET + "continuous node c {} potential (c) { data = normal(2 * a, 1); }",
        "column 52: 'a' is no continuous parent",
    ),
    (
        "net",
        NET + "continuous node c {} potential (c) { data = normal(2, -1); }",
        "found '-'; expected a variance",
    ),
    ("net", NET + "node # {}", "line 4, column 6: found '#', which has no meaning"),
    # JSON
    ("json", JSON, "line 3, column 1: no JSON: Expecting value"),
    (
        "json",
        '{"format": "other"}',
        "line 1, column 12: found the format 'other'; expected 'ppgen network'",
    ),
    ("json", JSON.replace("1,", "2,", 1) + "{}]}", "line 1, column 40: found version 2"),
    ("json", JSON + "3]}", "line 3, column 1: found '3'; expected an object"),
    ("json", JSON + '{"name": "b"}]}', "line 3, column 1: there is no 'parents' here"),
    (
        "json",
        JSON + '{"name": "b", "states": ["y"], "parents": ["a"], "table": [\n'
        '{"given": {"a": "x"}, "probs": [1]}]}]}',
        "line 4, column 17: 'a' has no state 'x'",
    ),
    (
        "json",
        JSON + '{"name": "b", "states": ["y"], "parents": ["a"], "table": [\n'
        '{"given": {"a": "y"}, "probs": ["1"]}]}]}',
        "line 4, column 33: found '\"1\"'; expected a number",
    ),
    (
        "json",
        JSON + '{"name": "b", "states": ["y"], "parents": ["a"], "table": [\n'
        '{"given": {"A": "y"}, "probs": [1]}]}]}',
        "line 4, column 17: 'A' is no discrete parent of 'b'",
    ),
    (
        "json",
        JSON.replace("[1, 0]", "[NaN, 0]") + "]}",
        "line 2, column 86: found NaN; expected a number",
    ),
    ("json", JSON.replace("[1, 0]", f"[{10**400}, 0]") + "3]}", "expected an object"),
    ("json", '{"format": "ppgen network", "format": 1}', "an object gives 'format' twice"),
    ("json", '{"nodes":' + "[" * 100_000, "nested too deeply"),
    # UAI
    (
        "uai",
        "MARKOV 2 2 2 1 2 0 1 4 1 2 3",
        "line 1, column 29: found the end of the file; expected an entry of table 0, 4 in all",
    ),
    (
        "uai",
        "MARKOV\n2\n2 3\n1\n2 0 1\n4 1 2 3 4",
        "line 6, column 1: table 0 is said to have 4 entries; its variables 0, 1 ask for 2 x 3 = 6",
    ),
    (
        "uai",
        "MARKOV\n1\n2\n1\n1 1\n2 1 1",
        "line 5, column 3: found '1'; expected a variable of factor 0, at most 0",
    ),
    (
        "uai",
        "MARKOV\n1\n2\n1\n1 0\n2 1 -1",
        "line 6, column 5: found '-1'; expected an entry of table 0, not",
    ),
    (
        "uai",
        "MARKOV\n1\n2\n1\n1 0\n2 1 1_0",
        "line 6, column 5: found '1_0'; expected an entry of table 0",
    ),
    (
        "uai",
        "MARKOV\n1\n2\n1\n1 0\n2 1 1 1",
        "line 6, column 7: found '1'; expected the end of the file",
    ),
    (
        "uai",
        "MARKOV\n1\n2.0",
        "line 3, column 1: found '2.0'; expected the number of states of variable 0",
    ),
    ("uai", "MARKOW\n1\n2", "line 1, column 1: found 'MARKOW'; expected "),
    ("uai", "MARKOV\n1\n0", "line 3, column 1: variable 0 has no states"),
    (
        "uai",
        "MARKOV\n1\n2\n1\n2 0 0\n4 1 1 1 1",
        "expected the number of variables of factor 0, at most 1",
    ),
    ("uai", "BAYES\n1\n2\n1\n1 0\n2 0.5 0.6", "line 5, column 1: the table of '0' sums to 1.1"),
    (
        "uai",
        "BAYES\n2\n2 2\n1\n1 0\n2 0.5 0.5",
        "line 3, column 3: the node '1' has no probabilities",
    ),
]


@pytest.mark.parametrize(("ending", "text", "said"), MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_wrong_in_a_file_is_said_with_its_place(tmp_path, ending, text, said):
    path = tmp_path / f"odd.{ending}"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        formats.read(path)
    assert said in str(error.value)
    assert str(error.value).startswith("odd.")
