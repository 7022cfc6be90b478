"""The only code that opens or writes media. Nothing here knows of actions, tables or stages."""
