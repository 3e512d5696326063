"""`python -m agent` and the console script `broche`: from the shell to a command and back; no traceback for what a person can mend."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence

from agent.cli import CommandError, dispatch
from agent.paths import DataMissing


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status of `broche ARGV`: 2 for a mistake of the person who called, 130 after Ctrl-C, 141 when nobody reads the output."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A console that cannot show a character shows another; it does not end the command.
            stream.reconfigure(errors="replace")
    try:
        status = dispatch(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except CommandError as error:
        print(f"broche: {error}", file=sys.stderr)
        return 2
    except DataMissing as error:
        print(f"broche: installation incomplète, réinstaller / not wholly installed, install it again: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # What is still in the buffer must not fail once more while the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return status


if __name__ == "__main__":
    sys.exit(main())
