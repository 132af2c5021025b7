"""The one exception that speaks to a user."""


class Refusal(ValueError):
    """Bad input, found before any work: one line with what was given, what is allowed, what to do.

    The command line prints it and exits with code 2; a notebook shows the line alone.
    """

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]
