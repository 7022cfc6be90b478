"""The report: one self-contained HTML page on a run; each picture names the file it was drawn from."""
