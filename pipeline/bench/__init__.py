"""How fast this machine does the work, beside plain code that does the same: `make bench`. No stage comes here."""
