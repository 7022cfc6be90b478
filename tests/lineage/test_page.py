"""The page of a lineage."""

import re

from pipeline.lineage.page import render
from pipeline.lineage.tree import Node

RAN = Node("machine", "a <very> fast one")
MADE = Node("made by", "evaluate", (RAN, Node("inputs", "", (Node("models/m3a", "f0"),))))
TREE = Node("map_sample", "a metric: 67.5", (MADE, Node("went into", "nothing")))


def test_what_others_explain_opens_by_a_click_and_every_line_is_there():
    html = render(TREE)
    assert html.count("<details>") == html.count("</details>") == 2
    assert re.findall(r"<summary><b>(.*?)</b>", html) == ["made by", "inputs"]
    lines = ("a metric: 67.5", "<b>machine</b>", "<b>models/m3a</b> ", "<b>went into</b> ")
    assert all(line in html for line in lines)


def test_it_is_escaped_and_fetches_nothing():
    html = render(TREE)
    assert "a &lt;very&gt; fast one" in html
    assert not re.search(r"""(src|href)=(?!["']?(data:|#))""", html)
