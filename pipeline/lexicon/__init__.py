"""Feature lexicons: sets of (form, sense) pairs, a form being a feature vector, a sense an action (Section 3.2)."""
