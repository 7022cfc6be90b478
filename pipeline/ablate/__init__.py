"""The paper's ablations and further controls: rows as DVC experiments, results as tables."""
