"""The paper's ablations, and the controls that it did not run: rows as DVC experiments, and tables of what came out."""
