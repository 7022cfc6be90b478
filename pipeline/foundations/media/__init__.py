"""The only code that opens media. Nothing here knows of actions, tables or stages."""
