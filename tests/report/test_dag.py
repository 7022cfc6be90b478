"""Reading dvc.yaml, and which stage feeds which."""

from pipeline.report.dag import Stage, connected, graph, read_stages


def test_outputs_that_are_hold_or_lie_below_an_input_feed_it():
    stages = [
        Stage("file", "", (), ("data/a.parquet",)),
        Stage("folder", "", ("data/a.parquet",), ("models/big",)),
        Stage("inside", "", ("models/big/part.bin", "data"), ("data/b", "data/bb")),
        Stage("near", "", ("data/bbb", "models/bigger"), ()),
    ]
    assert set(graph(stages).edges) == {("file", "folder"), ("folder", "inside"), ("file", "inside")}


def test_metrics_and_plots_are_outputs_and_options_are_no_paths(tmp_path):
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n"
        "  train:\n"
        "    desc: Learn\n"
        "    cmd: python -m stages.train\n"
        '    deps: [a.py, "${dataset.folder}/${dataset.watch}"]\n'
        "    outs: [model]\n"
        "    metrics: [{m.json: {cache: false}}]\n"
        "    plots: [curves]\n"
    )
    (stage,) = read_stages([tmp_path / "dvc.yaml"], values={"dataset.folder": "data", "dataset.watch": "raw"})
    assert stage == Stage("train", "Learn", ("a.py", "data/raw"), ("model", "m.json", "curves"))


def test_the_committed_pipeline_is_one_piece_that_ends_in_the_report(stages):
    arrows = graph(stages)
    assert not [name for name in arrows if not arrows.degree(name)]
    assert not arrows.out_degree("report")
    assert {name for name in arrows if not arrows.in_degree(name)} == {"render"}
    assert {("train", "evaluate"), ("build_adjacency", "train"), ("extract_vggish", "whiten")} <= set(arrows.edges)


def test_a_folder_of_others_is_not_drawn_as_a_dependency_on_the_sample(finished):
    paths = [finished / "data/raw/dvc.yaml", finished / "dvc.yaml"]
    elsewhere = read_stages(paths, values={"dataset.folder": "/data/mmit", "dataset.watch": "annotations"})
    assert not graph(elsewhere).out_degree("render")
    assert [stage.name for stage in connected(elsewhere)] == [
        stage.name for stage in elsewhere if stage.name != "render"
    ]


def test_every_stage_is_connected_on_the_sample(stages):
    assert connected(stages) == stages
