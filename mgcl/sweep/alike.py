"""Detection of a common cause: if the first trials or points all fail alike, the rest would fail too."""

FIRST = 5
"""Number of first outcomes that must all fail by one cause."""


class CommonCause:
    """Watches the outcomes of trials or points until one succeeds, or until two failures differ in their cause."""

    def __init__(self) -> None:
        self._causes: list[str] = []
        self._watching = True

    def found(self, cause: str | None) -> bool:
        """Add the next outcome; returns True once, when the first ``FIRST`` outcomes have all failed by one cause.

        Args:
            cause: cause of the failure; None: success.
        """
        if not self._watching:
            return False
        self._causes += [cause] if cause else []
        self._watching = bool(cause) and len(set(self._causes)) == 1
        return self._watching and len(self._causes) == FIRST
