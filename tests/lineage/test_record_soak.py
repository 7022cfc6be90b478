"""Random sequences of what people do with DVC and git; after each step, what is said of results is what made them."""

import os
import random
import signal
import time

import psutil
import pytest

from pipeline.foundations.runtime import record_store
from pipeline.lineage import runs
from tests.lineage.small_project import Small, make

SEEDS = (16, 17, 18, 19)
STEPS = 50
"""Of each of the sequences: two hundred in all."""
pytestmark = [pytest.mark.slow, pytest.mark.soak, pytest.mark.timeout(7200)]
VALUES = {
    "seed": [2021, 7],
    "adjacency__threshold": [0.3, 0.4, 0.5],
    "evaluate__combine": ["max", "mean"],
    "evaluate__batch": [10, 20],
}


class Sequence:
    """One project, a second clone of it, and the next step by chance."""

    def __init__(self, small: Small, seed: int) -> None:
        self.small, self.chance, self.number = small, random.Random(seed), 0
        self.other = small.clone("second")
        self.experiments: list[str] = []

    def values(self) -> dict[str, object]:
        """Some parameters, by chance."""
        chosen = self.chance.sample(list(VALUES), self.chance.randint(1, 2))
        return {name: self.chance.choice(VALUES[name]) for name in chosen}

    def repro(self) -> None:
        """Change parameters and run what follows; DVC restores what it has made before."""
        self.small.set(**self.values())
        self.small.run("dvc", "repro")

    def force(self) -> None:
        """Run a stage again though nothing changed."""
        self.small.run(
            "dvc", "repro", "--force", "--single-item", self.chance.choice(["draw", "fit", "score"]), check=False
        )

    def no_cache(self) -> None:
        """Run without what DVC remembers of runs."""
        self.small.set(**self.values())
        self.small.run("dvc", "repro", "--no-run-cache")

    def _experiment(self, *options: str) -> None:
        self.number += 1
        name = f"e{self.number}"
        sets = [item for key, value in self.values().items() for item in ("-S", f"{key.replace('__', '.')}={value}")]
        self.small.run("dvc", "exp", "run", "-n", name, *options, *sets, check=False)
        if name in self.small.run("dvc", "exp", "list", "--name-only", check=False).split():
            self.experiments.append(name)

    def experiment(self) -> None:
        """An experiment here."""
        self._experiment()

    def experiment_apart(self) -> None:
        """An experiment in a copy."""
        self._experiment("--temp")

    def apply(self) -> None:
        """Bring an experiment's result here."""
        if self.experiments:
            self.small.run("dvc", "exp", "apply", self.chance.choice(self.experiments), check=False)

    def revert(self) -> None:
        """Go back to what is committed, its files too or not."""
        paths = ["params.yaml", "dvc.lock", "data/metrics.json"]
        self.small.run("git", "checkout", "--", *paths)
        if self.chance.random() < 0.7:
            self.small.run("dvc", "checkout", "--force", check=False)

    def clean(self) -> None:
        """Go back with everything, the records that are not committed included."""
        self.small.run("git", "checkout", "--", ".")
        self.small.run("dvc", "checkout", "--force", check=False)

    def commit(self) -> None:
        """Keep what is here."""
        self.small.run("dvc", "repro")
        runs.track(self.small.root)  # `m3a runs --track`: DVC may have restored what an experiment made
        self.small.commit(f"step {self.number}")
        self.experiments.clear()  # they belong to the commit before

    def earlier(self) -> None:
        """Look at an earlier commit's results, and come back."""
        self.small.run("git", "stash", "-q", check=False)
        revisions = self.small.run("git", "rev-list", "main").split()[:-1]  # the first has none
        self.small.run("git", "checkout", "-q", self.chance.choice(revisions))
        self.small.run("dvc", "checkout", "--force", check=False)
        self.small.check()
        self.small.run("git", "checkout", "-q", "main")
        self.small.run("dvc", "checkout", "--force", check=False)

    def collect(self) -> None:
        """Collect garbage, the results of all commits kept."""
        self.small.run("dvc", "gc", "--all-commits", "--force")

    def travel(self) -> None:
        """Push, and pull from the other clone."""
        self.commit()
        self.small.run("dvc", "push")
        self.other.run("git", "checkout", "-q", "--", ".")
        self.other.run("git", "pull", "-q", "--ff-only")
        self.other.run("dvc", "pull", "--force")
        self.other.check(latest=False)
        assert self.other.run("git", "status", "--porcelain") == ""

    def elsewhere(self) -> None:
        """Run in the other clone, which restores from its own cache or runs by itself."""
        self.other.set(**self.values())
        self.other.run("dvc", "repro", check=False)
        self.other.check(latest=False)

    def fail(self) -> None:
        """A stage that fails."""
        self.small.set(**self.values())
        self.small.run("dvc", "repro", check=False, SMALL_FAIL=self.chance.choice(["draw", "fit", "score"]))

    def kill(self) -> None:
        """A stage that is killed on the way."""
        hung = self.small.root.with_name(f"hung-{self.number}-{time.monotonic_ns()}")
        process = self.small.start("dvc", "repro", "--force", "fit", SMALL_HANG="fit", SMALL_HUNG=str(hung))
        while not hung.exists() and process.poll() is None:
            time.sleep(0.05)
        (stage,) = [run.records[-1] for run in runs.read_runs(self.small.root) if run.outcome == "running"]
        for each in (process.pid, stage["process"]):
            os.kill(each, signal.SIGKILL)
        process.wait()
        while psutil.pid_exists(stage["process"]):
            time.sleep(0.05)
        assert not [run for run in runs.read_runs(self.small.root) if run.outcome == "running"]


def _known(small: Small) -> set[int]:
    """The processes of all finished runs that left a record here."""
    kept = [record for stage in ("draw", "fit", "score") for record in record_store.read(small.root, stage)]
    return {record["process"] for record in kept if record["outcome"] == "finished"}


WEIGHTS = {
    "repro": 5, "force": 2, "no_cache": 2, "experiment": 3, "experiment_apart": 2, "apply": 3, "revert": 4, "clean": 2,
    "commit": 2, "earlier": 3, "collect": 1, "travel": 2, "elsewhere": 1, "fail": 1, "kill": 1,
}  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_after_each_step_by_chance_what_is_said_is_what_made_it(tmp_path, seed):
    small = make(tmp_path)
    small.forks = True
    small.run("dvc", "repro")
    small.commit("a run")
    sequence, done = Sequence(small, seed), []
    for _ in range(STEPS):
        (step,) = sequence.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
        done.append(step)
        (tmp_path / "steps").write_text("\n".join(done))
        getattr(sequence, step)()
        try:
            small.check()
            assert {ran.process for ran in small.ran()} == _known(small) | _known(sequence.other)
        except AssertionError as error:
            raise AssertionError(f"after {done[-8:]}") from error
