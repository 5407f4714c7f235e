"""The command line: heavy imports inside commands, data on stdout, the rest on stderr."""

import os
import sys
import traceback

from tracefactory.errors import Exit, FactoryError


def main() -> None:
    """Run a command and leave with its exit code.

    Ends with os._exit after flushing: pyarrow and polars together can abort while the interpreter
    tears down, which would turn a finished run into a failure.
    """
    code = _run()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            code = code or int(Exit.DONE)
    os._exit(code)


def _run() -> int:
    from tracefactory.cli.app import app

    try:
        app()
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError):  # typer ends with 1 then
            return int(Exit.DONE)
        return leaving.code if isinstance(leaving.code, int) else int(Exit.DONE)
    except FactoryError as error:
        print(f"tracefactory: {error}", file=sys.stderr)
        return int(error.exit_code)
    except BrokenPipeError:  # the reader of a pipe went away: `tracefactory inspect ... | head`
        return int(Exit.DONE)
    except PermissionError as error:  # the store words most of these; a look at a folder is left
        print(
            f"tracefactory: {error.filename}: {error.strerror}; make it readable and writable, or "
            "name another place",
            file=sys.stderr,
        )
        return int(Exit.RESOURCE)
    except Exception as error:
        from tracefactory.verifiers.contract import AddressError

        if isinstance(error, AddressError):  # a teacher or checker of one's own that is not there
            print(f"tracefactory: {error}", file=sys.stderr)
            return int(Exit.USAGE)
        traceback.print_exc()
        print(
            "tracefactory: this is a fault of tracefactory, not of your recipe. Nothing finished "
            "is lost; please report the text above.",
            file=sys.stderr,
        )
        return int(Exit.INTERNAL)
    return int(Exit.DONE)
