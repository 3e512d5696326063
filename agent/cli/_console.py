"""What a person meets at the prompt: words in his language, and an argparse that speaks it. Imports and reads no more than it needs."""

from __future__ import annotations

import argparse
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from agent.paths import DataPaths

if TYPE_CHECKING:
    from agent.model import Scalar
    from agent.settings import Language
    from agent.texts import Texts

Say = Callable[..., str]

_WRONG: tuple[tuple[str, str], ...] = (
    ("required", r"the following arguments are required: (?P<what>.*)"),
    ("required", r"one of the arguments (?P<what>.*) is required"),
    ("choice", r"argument (?P<argument>.*?): invalid choice: '?(?P<what>.*?)'? \(choose from (?P<choices>.*)\)"),
    ("unrecognized", r"unrecognized arguments: (?P<what>.*)"),
    ("one_argument", r"argument (?P<argument>.*?): expected one argument"),
    ("some_arguments", r"argument (?P<argument>.*?): expected at least one argument"),
    ("number", r"argument (?P<argument>.*?): invalid (?:int|float) value: '(?P<what>.*)'"),
    ("together", r"argument (?P<argument>.*?): not allowed with argument (?P<what>.*)"),
    ("ambiguous", r"ambiguous option: (?P<what>.*) could match (?P<choices>.*)"),
    ("no_value", r"argument (?P<argument>.*?): ignored explicit argument '(?P<what>.*)'"),
)
"""argparse has no catalogue of its own: key under [cli.wrong], and the English sentence that it stands for."""


class Words:
    """The texts of one language for the prompt. Help is made of sentences without figures, which are taken from a few files as they stand;
    the catalogue is loaded only when there is something to fill in, or a key is in another file.

    Parameters
    ----------
    names: catalogue files for the help, without '.LANGUAGE.toml'.
    """

    def __init__(self, language: Language, paths: DataPaths, names: Sequence[str] = ("cli",)) -> None:
        self.language: Language = language
        self._paths = paths
        self._near: dict[str, Any] = {}
        for name in names:
            for path in paths.files("texts", f"{name}.{language}.toml"):
                _merge(self._near, tomllib.loads(path.read_text(encoding="utf-8")))
        self._all: Texts | None = None

    @property
    def texts(self) -> Texts:
        """The whole catalogue of the language."""
        if self._all is None:
            from agent.texts import Texts

            self._all = Texts.load(self._paths, self.language)
        return self._all

    def near(self, key: str) -> str | None:
        """The sentence under `key` in one of the help files, as it stands there."""
        found: Any = self._near
        for name in key.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        return found if isinstance(found, str) else None

    def say(self, key: str, /, **values: Scalar) -> str:
        """As `agent.texts.Texts.say`."""
        text = self.near(key)
        if text is None:
            return self.texts.say(key, **values)
        if not values:
            return text
        from agent.texts import Texts

        return Texts(self.language, {key: (text,)}).say(key, **values)


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, dict):
            _merge(into.setdefault(name, {}), value)
        else:
            into[name] = value


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help texts may hold a bare percent sign; %(default)s and its kin still work."""

    def _expand_help(self, action: argparse.Action) -> str:
        given = {**vars(action), "prog": self._prog}
        known = {name: value for name, value in given.items() if value is not argparse.SUPPRESS}
        return re.sub(r"%\((\w+)\)[sd]|%%", lambda found: str(known.get(found[1], "")) if found[1] else "%", action.help or "")


class Parser(argparse.ArgumentParser):
    """argparse in French and in English.

    Parameters
    ----------
    command: '' for the parser of `broche` itself.
    """

    def __init__(self, words: Words, command: str, description: str) -> None:
        super().__init__(
            prog=f"broche {command}".strip(), description=description, formatter_class=_Formatter, add_help=False, allow_abbrev=False
        )
        self._words = words
        self._command = command
        self._positionals.title = words.say("cli.arguments")
        self._optionals.title = words.say("cli.options")

    def finish(self, languages: Mapping[str, str]) -> None:
        """Add what every command has, below what it has of its own."""
        say = self._words.say
        if "--lang" not in self._option_string_actions:
            self.add_argument("--lang", choices=tuple(languages), metavar="|".join(languages), help=say("cli.lang"))
        self.add_argument("-h", "--help", action="help", help=say("cli.help"))

    def format_usage(self) -> str:
        """The line that says how it is called."""
        return self._speak(super().format_usage())

    def format_help(self) -> str:
        """What --help prints."""
        return self._speak(super().format_help())

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where to read on; exit status 2."""
        say = self._words.say
        self.exit(2, f"{say('cli.error', command=self._command, what=self.translate(message))}\n{say('cli.see', command=self._command)}\n")

    def translate(self, message: str) -> str:
        """One of argparse's own sentences in our words; a sentence that a command made itself stays."""
        for key, pattern in _WRONG:
            found = re.fullmatch(pattern, message)
            if found:
                return self._words.say(f"cli.wrong.{key}", **found.groupdict())
        return message

    def _speak(self, text: str) -> str:
        return text.replace("usage: ", self._words.say("cli.usage"), 1) if text.startswith("usage: ") else text
