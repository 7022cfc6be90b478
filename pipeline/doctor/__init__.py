"""`m3a doctor`: checks that a run has what it needs, before hours are spent."""
