"""`m3a doctor`: tells before hours are spent whether a run has all that it needs."""
