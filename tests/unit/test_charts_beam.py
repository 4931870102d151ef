"""The beam search tree as it is drawn."""

import pytest

from core.charts.beam_tree import (
    FAMILY,
    ROOT,
    beam_tree_chart,
    beam_tree_data,
    cost_chart,
    cost_data,
    last_step,
    layout,
    leader,
    likelihood_chart,
    likelihood_data,
    lines,
    shown_children,
    tidy,
)
from core.decoding import beam_search

WORDS = {name: name for name in ("leads", "alive", "dropped", "step", "token", "share", "logprob", "total", "text")}


@pytest.fixture(scope="module", params=[(4, 10), (8, 20)], ids=["4x10", "8x20"])
def tree(request, tiny):
    return beam_search(tiny, tiny.tokenizer.encode("Es war"), *request.param)


def drawn(tree, tiny, step, pruned=2, penalty=1.0, greedy=()):
    return beam_tree_data(tree, layout(tree, pruned), step, tiny.tokenizer.label, greedy, penalty, "Text")


def test_neighbours_keep_their_distance(tree):
    heights = tidy(shown_children(tree, 2))
    columns = {}
    for index, height in heights.items():
        columns.setdefault(0 if index == ROOT else tree.nodes[index].step, []).append(height)
    for column in columns.values():
        column.sort()
        assert all(b - a >= 1 - 1e-9 for a, b in zip(column, column[1:]))
    fullest = max(map(len, columns.values()))
    assert min(heights.values()) >= 0 and max(heights.values()) <= FAMILY * (fullest - 1)


def test_branches_do_not_cross(tree):
    children = shown_children(tree, 2)
    heights = layout(tree, 2)
    edges = {}
    for parent, nodes in children.items():
        for index in nodes:
            if index in heights:
                edges.setdefault(tree.nodes[index].step, []).append((heights[parent], heights[index]))
    for between in edges.values():
        between.sort()
        assert all(b[1] >= a[1] for a, b in zip(between, between[1:]) if b[0] > a[0])


def test_few_pruned_siblings_but_every_kept_one(tree):
    children = shown_children(tree, 1)
    for nodes in children.values():
        assert sum(not tree.nodes[index].kept for index in nodes) <= 1
    assert {i for nodes in children.values() for i in nodes if tree.nodes[i].kept} == {i for i, node in enumerate(tree.nodes) if node.kept}


def test_the_winner_is_bold_at_the_end(tree, tiny):
    nodes = drawn(tree, tiny, last_step(tree))
    best = tree.hypotheses[0]
    assert nodes[nodes["state"] == "leads"]["node"].astype(int).tolist() == tree.branch(best.node)
    assert nodes[nodes["node"] == best.node]["total"].item() == pytest.approx(best.logprob)
    labels = "".join(tiny.tokenizer.labels(best.ids)).replace("␣", " ")
    assert nodes[nodes["node"] == best.node]["text"].item() == labels


def test_what_lives_at_a_step(tree, tiny):
    nodes = drawn(tree, tiny, 3)
    here = nodes[nodes["step"] == 3]
    kept = {i for i, node in enumerate(tree.nodes) if node.kept and node.step == 3}
    assert set(here[here["state"].isin(["leads", "alive"])]["node"]) == kept
    before = nodes[(nodes["step"] < 3) & nodes["state"].isin(["leads", "alive"])]["node"]
    assert set(before) == {i for end in kept for i in tree.branch(end)} - kept
    assert set(nodes[nodes["step"] > 3]["state"]) == {"later"}
    # The browser works these out for every step from two columns, which do not depend on the step shown.
    late = drawn(tree, tiny, last_step(tree))
    assert nodes.drop(columns=["now", "state"]).equals(late.drop(columns=["now", "state"]))


def test_a_line_leads_from_every_node_to_its_parent(tree, tiny):
    nodes = drawn(tree, tiny, 3).set_index("node")
    for index, node in nodes.drop(index=ROOT).iterrows():
        parent = tree.nodes[index].parent
        assert node["start"] == nodes["y"][ROOT if parent is None else parent]


def test_the_leader_of_a_step_has_the_largest_sum(tree):
    for step in (1, 2, last_step(tree) - 1):
        best = max(node.total for node in tree.nodes if node.step == step and node.kept)
        assert tree.nodes[leader(tree, step, 1.0)].total == best


def test_a_length_penalty_decides_among_finished_texts(tiny):
    ids, stop = tiny.tokenizer.encode("Es war"), None
    first = beam_search(tiny, ids, 4, 8)
    stop = first.hypotheses[0].ids[2]  # a token that does come: texts of different lengths
    for penalty in (0.0, 1.0, 2.0):
        tree = beam_search(tiny, ids, 4, 8, penalty, stop=stop)
        assert leader(tree, last_step(tree), penalty) == tree.hypotheses[0].node


def test_greedy_is_marked_as_far_as_it_is_drawn(tree, tiny):
    greedy = beam_search(tiny, tiny.tokenizer.encode("Es war"), 1, last_step(tree)).hypotheses[0].ids
    nodes = drawn(tree, tiny, last_step(tree), greedy=greedy)
    marked = nodes[nodes["greedy"]]
    assert (marked["state"] != "later").all()
    assert marked["x"].tolist() == list(range(1, len(marked) + 1)) and len(marked) >= 1
    assert marked["token"].tolist() == tiny.tokenizer.labels(greedy[: len(marked)])


def test_specs_take_the_data_later(tree, tiny):
    nodes = drawn(tree, tiny, last_step(tree))
    small = beam_tree_chart(10, lines(layout(tree, 2)), "de", **WORDS)
    assert "datasets" not in small and small["width"] > 900
    assert {"x", "y", "start", "total", "lives", "leads", "share"} <= set(nodes)


def test_costs_and_likelihoods():
    data = cost_data([("greedy", 4000, 1000), ("beam", 4000, 3000)])
    assert data["kilobytes"].tolist() == [4.0, 1.0, 4.0, 3.0]
    assert cost_chart(2, "prompt", "own", "kB")["config"]
    data = likelihood_data([("beam", ["a", "b"], [1.0, 0.5]), ("sampled", ["c"], [0.25])])
    assert data["share"].tolist() == [1.0, 0.5, 0.25] and data["position"].tolist() == [1, 2, 1]
    assert likelihood_chart(20, "beam", "sampled", "position", "share", "token")["config"]
