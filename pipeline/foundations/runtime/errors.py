"""The project's exception for errors that a user can act on."""


class PlainError(Exception):
    """Something a user can act on: what went wrong, where, and what was expected.

    The command line and the stages print it as one line and exit with status 1; anything else that escapes
    is a defect and keeps its traceback.
    """
