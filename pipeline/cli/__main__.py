"""`python -m pipeline.cli`, where the `m3a` script is not installed."""

from pipeline.cli import main

main()
