"""The first that end, if they all fail alike, say that the rest would."""

FIRST = 5
"""So many must fail by one cause."""


class CommonCause:
    """Watches the outcomes of trials or points until one succeeds, or two differ."""

    def __init__(self) -> None:
        self._causes: list[str] = []
        self._watching = True

    def found(self, cause: str | None) -> bool:
        """Whether the first of all failed alike.

        Args:
            cause: of the next failure; None: it succeeded.
        """
        if not self._watching:
            return False
        self._causes += [cause] if cause else []
        self._watching = bool(cause) and len(set(self._causes)) == 1
        return self._watching and len(self._causes) == FIRST
