"""The command `maskmotion`: one module a verb, loaded when the verb is asked for.

A verb is a function of its module's name with cyclopts' annotations; it may return an exit code,
and raises exceptions of `maskmotion.errors` for what went wrong. What becomes of these is decided
here alone:

    0    done
    1    maskmotion failed, or the doctor found something broken
    2    what was asked for cannot be done: a wrong argument, a bad file, a full disk
    130  interrupted with Ctrl-C
    141  the reader of the output went away
"""

import contextlib
import difflib
import importlib.metadata
import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from maskmotion.errors import InputError, MaskMotionError

# The verb `name` is the function `name` of the module `maskmotion.cli.name`.
VERBS = (
    ("animate", "Animate a picture with the motion of a video, on any background."),
    ("train", "Learn an object class from folders of clips."),
    ("evaluate", "Measure models on clips, beside baselines."),
    ("bench", "Measure how fast this machine animates, in every form."),
    ("data", "Pack, check and prepare clips for training."),
    ("synth", "Render clips of people with their exact truth."),
    ("convert", "Turn a released checkpoint of Perturbed Masks into a model folder."),
    ("export", "Write a model as ONNX graphs, with a program that runs them without torch."),
    ("models", "List the models at hand, or tell all about one."),
    ("doctor", "Check this installation: versions, devices, codecs, models."),
)

# Threads of networks wait for each other in a loop, by default so long that decoding, encoding and
# other programs starve. So short a wait costs nothing on an idle machine (docs/performance.md). The
# library of the threads reads it when it is loaded, with torch.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")

ABOUT = """\
Animate a picture with the motion of a video, on any background.

Start with `maskmotion doctor`, which checks that everything needed is there. Each verb has its
own page of help: `maskmotion doctor --help`.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        argv: arguments without the program's name; those of this process when left out.
    """
    code = _guarded(list(sys.argv[1:] if argv is None else argv))
    try:
        sys.stdout.flush()
    except OSError as error:
        # Else the interpreter would try once more at its exit, and complain in its own way.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = code or _exit_code(error)
    return code


def build_app(verb: str | None = None) -> App:
    """The command line as a cyclopts app.

    Args:
        verb: the verb that will be asked for. Its page of help comes from its docstring; the
            others show their line of `VERBS`, so that listing them imports nothing.
    """
    app = App(
        name="maskmotion",
        help=ABOUT,
        version=lambda: importlib.metadata.version("maskmotion"),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for name, summary in VERBS:
        about = {} if name == verb else {"help": summary}
        app.command(f"maskmotion.cli.{name}:{name}", name=name, **about)
    return app


def _guarded(arguments: list[str]) -> int:
    try:
        return _dispatch(arguments)
    except KeyboardInterrupt:
        return _complain("interrupted", 130, kind="")
    except (MaskMotionError, CycloptsError, OSError, ImportError) as error:
        return _exit_code(error)


def _dispatch(arguments: list[str]) -> int:
    verb = arguments[0] if arguments and not arguments[0].startswith("-") else None
    names = [name for name, _ in VERBS]
    if verb is not None and verb not in names:
        # cyclopts would import every verb to suggest one.
        near = difflib.get_close_matches(verb, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the verbs are: {', '.join(names)}"
        return _complain(f"there is no verb {verb!r}; {hint}", 2)
    result = build_app(verb)(arguments, exit_on_error=False, print_error=False)
    return result if isinstance(result, int) else 0


def _exit_code(error: Exception) -> int:
    """Say in one sentence what went wrong, and return the exit code for it."""
    # Loading a verb, cyclopts wraps the reason in an ImportError of its own.
    wrapped = isinstance(error, ImportError) and not isinstance(error, MaskMotionError)
    if wrapped and isinstance(error.__cause__, ImportError):
        error = error.__cause__
    match error:
        case InputError():
            return _complain(str(error), 2)
        case CycloptsError():
            return _complain(f"{str(error).rstrip('. ')}; see `maskmotion VERB --help`", 2)
        case MaskMotionError():
            return _complain(str(error), 1)
        case BrokenPipeError():
            return 141
        case OSError():
            about = f"{error.filename}: " if error.filename else ""
            return _complain(f"{about}{error.strerror or error}", 2)
        case ModuleNotFoundError() if not (error.name or "").startswith("maskmotion"):
            return _complain(f"{error}; `maskmotion doctor` tells how to install it", 1)
        case _:
            raise error


def _complain(message: str, code: int, kind: str = "error: ") -> int:
    with contextlib.suppress(OSError):
        sys.stderr.write(f"maskmotion: {kind}{' '.join(message.split())}\n")
    return code
