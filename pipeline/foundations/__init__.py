"""The lowest floor, which knows nothing of actions: runtime, params, tables, media."""
