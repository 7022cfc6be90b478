"""The only code that opens media files. It knows nothing of actions, tables or stages."""
