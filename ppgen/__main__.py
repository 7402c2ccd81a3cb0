"""`ppgen` and `python -m ppgen`: exit statuses and one-line messages around the command line.

0 done; 2 what was asked or given is wrong; 1 a fit failed; 130 interrupted.
"""

from __future__ import annotations

import errno
import io
import sys
import warnings
from collections.abc import Sequence
from types import TracebackType

_WRONG = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EEXIST)


def main(args: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status.

    Args:
        args: the words after `ppgen`; None takes them from the command line.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without "±" is no fault
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        for category in (DeprecationWarning, FutureWarning, PendingDeprecationWarning):
            warnings.simplefilter("ignore", category)
        warnings.showwarning = _warn
        try:
            return _run(args)
        except KeyboardInterrupt:
            return _say("interrupted.", 130)


def _run(args: Sequence[str] | None) -> int:
    import typer

    from .cli import app
    from .errors import FitError, InputError

    try:
        status = app(
            args=None if args is None else list(args), prog_name="ppgen", standalone_mode=False
        )
        if status == 130:
            raise KeyboardInterrupt
        return int(status or 0)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "ppgen"
        return _say(f"{error.format_message()} See `{command} --help`.", error.exit_code)
    except InputError as error:
        return _say(str(error), 2)
    except FitError as error:
        return _say(str(error), 1)
    except ValueError as error:
        if not _raised_here(error.__traceback__):
            raise
        return _say(str(error), 2)
    except MemoryError as error:
        return _say(f"there is too little memory ({error}). Give fewer rows or columns.", 1)
    except OSError as error:
        return _say(
            f"{error.filename or 'a file'}: {error.strerror or error}.",
            2 if error.errno in _WRONG else 1,
        )


def _say(message: str, status: int) -> int:
    print("ppgen:", " ".join(message.split()), file=sys.stderr)
    return status


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    from .cli.wording import told

    print("ppgen: warning:", " ".join(told(str(message)).split()), file=sys.stderr)


def _raised_here(trace: TracebackType | None) -> bool:
    """Whether the innermost frame is ppgen's own; anything else is a fault, and shows its trace."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    name = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__", ""))
    return name.split(".")[0] == "ppgen"


if __name__ == "__main__":
    sys.exit(main())
