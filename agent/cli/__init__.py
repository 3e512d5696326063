"""`broche COMMAND ...`: finds the command's file and hands over. A file `agent/cli/NAME.py` is the command NAME:

- `add_arguments(parser, say)`: its own arguments; `say(key, **values)` is a text in the language of the person who asks;
- `run(args) -> int`: does it and hands out the exit status; `args.lang` is the language, `args.say` the same `say`;
- its summary stands in config/texts/cli.LANGUAGE.toml under [command.NAME], with an optional `description` there or in the command's own
  file config/texts/NAME.LANGUAGE.toml.

Only the file of the command that was asked for is imported. Files that begin with '_' are no commands.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from agent import __version__
from agent.cli._console import Parser, Say, Words
from agent.paths import DataPaths

if TYPE_CHECKING:
    from agent.settings import Language

__all__ = ["CommandError", "Say", "commands", "dispatch", "language_of"]

LANGUAGES: Mapping[str, Language] = {"fr": "fr", "en": "en"}
_ORDER = ("demo", "run", "check", "setup", "scan", "watch", "doctor", "record", "replay", "report", "warmup", "bench")


class CommandError(Exception):
    """A command cannot go on, and the person who called it can mend that: the message names the remedy, in his language."""


class Command(Protocol):
    """What a file of this folder holds."""

    add_arguments: Callable[[argparse.ArgumentParser, Say], None]
    run: Callable[[argparse.Namespace], int]


def commands() -> tuple[str, ...]:
    """Names of all commands, in the order of DESIGN.md; looks at file names only."""
    found = {path.stem for path in Path(__file__).parent.glob("[!_]*.py")}
    return (*(name for name in _ORDER if name in found), *sorted(found - set(_ORDER)))


def language_of(argv: Sequence[str], environment: Mapping[str, str]) -> Language:
    """--lang, else LANG (fr...), else English; asked before anything is parsed, for the help needs it."""
    for i, word in enumerate(argv):
        name, equals, value = word.partition("=")
        if name == "--lang":
            said = value if equals else argv[i + 1] if i + 1 < len(argv) else ""
            return LANGUAGES.get(said, "en")
        if word == "--":
            break
    return "fr" if environment.get("LANG", "").startswith("fr") else "en"


def dispatch(argv: Sequence[str]) -> int:
    """Run one command.

    Raises
    ------
    SystemExit: after --help, --version or a wrong argument.
    """
    language = language_of(argv, os.environ)
    paths = DataPaths.find(None)
    at = next((i for i, word in enumerate(argv) if not word.startswith("-") and (i == 0 or argv[i - 1] != "--lang")), len(argv))
    words = Words(language, paths, ("cli", *argv[at : at + 1]))
    known = commands()
    _root(words, known).parse_args(argv[:at])
    if at == len(argv):
        _root(words, known).print_help(sys.stderr)
        return 2
    name = argv[at]
    if name not in known:
        raise CommandError(_unknown(name, known, words.say))
    command = cast("Command", importlib.import_module(f"{__name__}.{name}"))
    parser = Parser(words, name, words.near(f"command.{name}.description") or words.say(f"command.{name}.summary"))
    command.add_arguments(parser, words.say)
    parser.finish(LANGUAGES)
    args = parser.parse_args(argv[at + 1 :])
    args.lang, args.say = language, words.say
    from agent.mistakes import FileMistakes

    try:
        return command.run(args)
    except FileMistakes as mistakes:
        print(mistakes.tell(words.texts), file=sys.stderr)
        return 2


def _root(words: Words, known: Sequence[str]) -> Parser:
    say = words.say
    width = max(map(len, known), default=0)
    lines = [say("cli.description").strip(), "", f"{say('cli.commands')}:"]
    lines += [f"  {name:{width}}  {say(f'command.{name}.summary')}" for name in (*known, "test")]
    lines += ["", f"{say('cli.start')}:"]
    calls = {"demo": "broche demo", "check": "broche check MACHINE.toml", "run": "broche run MACHINE.toml"}
    lines += [f"  {call:25}  {say(f'cli.example.{name}')}" for name, call in calls.items()]
    parser = Parser(words, "", "\n".join(lines))
    parser.usage = f"broche {say('cli.command')} ... [--lang {'|'.join(LANGUAGES)}]"
    parser.epilog = say("cli.more")
    parser.add_argument("--version", action="version", version=f"broche {__version__}", help=say("cli.version"))
    parser.finish(LANGUAGES)
    return parser


def _unknown(name: str, known: Sequence[str], say: Say) -> str:
    if name == "test":
        return say("cli.wrong.test")
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    return say("cli.wrong.meant", what=name, meant=near[0]) if near else say("cli.wrong.command", what=name, choices=", ".join(known))
