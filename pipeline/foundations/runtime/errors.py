"""The one exception of the project: a sentence for the person who reads it."""


class PlainError(Exception):
    """Something a user can act on: what went wrong, where, and what was expected.

    The command line and the stages print it as one line and exit with status 1; anything else that escapes
    is a defect and keeps its traceback.
    """
