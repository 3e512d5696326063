"""The page cannot be served there: said with the remedy, in the machine's language."""

from __future__ import annotations

import socket

import pytest

from agent.commands import Command, CommandResult
from agent.display.server import Display, DisplayError
from agent.paths import DataPaths
from agent.settings import DisplayOptions
from agent.texts import LANGUAGES, Texts
from drivers.clock import SystemClock
from tests.support import aio, snapshots

CLOCK = SystemClock()


@pytest.fixture(scope="module")
def texts() -> dict[str, Texts]:
    paths = DataPaths.find(None)
    return {language: Texts.load(paths, language) for language in LANGUAGES}


@pytest.mark.parametrize(("language", "word"), [("fr", "déjà pris"), ("en", "already taken")])
def test_a_taken_port_is_named_with_the_remedy(texts: dict[str, Texts], language: str, word: str) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            display = Display(DisplayOptions(port=port), texts, CLOCK, _nobody, settings=snapshots.settings(language))
            with pytest.raises(DisplayError) as error:
                await display.start()
            assert str(port) in str(error.value)
            assert word in str(error.value)
            assert "[display]" in str(error.value)

    aio.run(main())


@pytest.mark.parametrize("bind", ["203.0.113.7", "no-such-host.invalid"])
def test_an_address_that_is_not_here_is_named(texts: dict[str, Texts], bind: str) -> None:
    async def main() -> None:
        display = Display(DisplayOptions(bind=bind, port=0), texts, CLOCK, _nobody, settings=snapshots.settings())
        with pytest.raises(DisplayError, match=bind.replace(".", r"\.")):
            await display.start()

    aio.run(main())


async def _nobody(command: Command) -> CommandResult:
    raise AssertionError(command)
