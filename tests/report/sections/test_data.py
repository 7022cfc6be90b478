"""The data, counted by action and by verdict."""

from pipeline.report.sections import data


def test_an_actions_videos_in_every_split(run_tables):
    found = {row.action: row for row in data.occurrences(run_tables)}
    assert found["applauding"] == ("applauding", 3, 2, 2, 1, 1, 2)
    assert found["swimming"] == ("swimming", 3, 0, 1, 1, 2, 1)
    assert found["hitting/colliding"] == ("hitting/colliding", 1, 1, 1, 0, 0, 0)


def test_the_largest_number_of_each_column(run_tables):
    assert data.most(data.occurrences(run_tables)) == ("", 3, 2, 3, 1, 2, 2)


def test_verdicts_of_a_split_add_up(run_tables):
    train, val, test = data.verdicts(run_tables)
    assert (train.name, train.total, val.total, test.total) == ("train", 8, 2, 4)
    assert [part.videos for part in train.parts] == [6, 1, 0, 0, 1]
    assert train.spoken == ("train: 6 audible, 1 no audio stream, 0 digital silence, 0 too faint, 1 undecodable")
