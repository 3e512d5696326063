"""What the shop says to people, in French and English: config/texts/simulate.*.toml."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

LANGUAGES = ("fr", "en")


class Refused(Exception):
    """The shop cannot do that; `key` says why, `values` fill the sentence. The caller must ask for something else."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(f"{key}: {values}")
        self.key = key
        self.values = values


class Texts:
    """The catalogue of one language."""

    def __init__(self, language: str) -> None:
        self._tree = _load(language)

    def say(self, key: str, **values: object) -> str:
        """The text of a dotted key under [simulate], filled in."""
        node: object = self._tree
        for name in key.split("."):
            assert isinstance(node, dict)
            node = node[name]
        assert isinstance(node, str)
        return node.strip().format(**values) if values else node.strip()

    def refusal(self, refused: Refused) -> str:
        """What is wrong and what helps."""
        fill = {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in refused.values.items()}
        what, remedy = self._tree["wrong"][refused.key], self._tree["wrong"][f"{refused.key}_do"]
        return self.say("refusal", what=what.format(**fill), remedy=remedy.format(**fill))


def in_all(refused: Refused) -> dict[str, str]:
    """The refusal in every language."""
    return {language: Texts(language).refusal(refused) for language in LANGUAGES}


def language_of(environment: str) -> str:
    """The language, fr or en, that the value of LANG asks for."""
    return "fr" if environment.lower().startswith("fr") else "en"


def _load(language: str) -> dict[str, dict[str, str]]:
    places = (Path(__file__).resolve().parents[2] / "config", Path(sys.prefix) / "share" / "broche" / "config")
    folder = next((place for place in places if (place / "texts").is_dir()), places[0])
    with (folder / "texts" / f"simulate.{language}.toml").open("rb") as file:
        tree: dict[str, dict[str, str]] = tomllib.load(file)["simulate"]
    return tree
