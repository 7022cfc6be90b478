"""`m3a doctor`: check before a run that everything it needs is there."""
