"""The errors that reach a user, each with the exit code that it ends the command with."""

from __future__ import annotations

import signal


class TunebookError(Exception):
    """An error written for the user: what came, what was expected, what to do now."""

    exit_code = 1


class Failure(TunebookError):
    """A run or a check failed for a reason of its own."""


class UsageError(TunebookError):
    """A specification, an option or a name is wrong, or something asked for is not there."""

    exit_code = 2


class DataRejected(TunebookError):
    """Rows, labels or an encoding are not what the dataset declares."""

    exit_code = 3


class Diverged(TunebookError):
    """The loss or the gradients stayed NaN or infinite."""

    exit_code = 4


class IntegrityError(TunebookError):
    """Stored bytes are damaged, belong to something else, or could run foreign code."""

    exit_code = 5


class NoSpace(TunebookError):
    """The disk or a quota is full."""

    exit_code = 6


class Busy(TunebookError):
    """Another process holds what is needed; trying again later may succeed."""

    exit_code = 75


class Interrupted(TunebookError):
    """A signal asked the run to stop; everything is saved and the same command resumes it."""

    def __init__(self, message: str, signal_number: int = signal.SIGINT) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


def raise_for(exit_code: int, message: str) -> None:
    """Raise the error that a process meant by its exit code; nothing for 0.

    Raises:
        TunebookError: of the kind with that exit code.
    """
    if exit_code == 0:
        return
    if exit_code > 128:
        raise Interrupted(message, exit_code - 128)
    kinds = {
        kind.exit_code: kind for kind in (UsageError, DataRejected, Diverged, IntegrityError, NoSpace, Busy)
    }
    raise kinds.get(exit_code, Failure)(message)
