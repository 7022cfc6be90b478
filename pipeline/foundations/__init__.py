"""What everything else stands on, and what knows nothing of actions: how work runs, params, tables, media."""
