"""Short waits are not rounded up, and events come as on any loop."""

from __future__ import annotations

import asyncio
import os
import select

import pytest

from drivers import fine_loop


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What select was asked to wait."""
    asked: list[float] = []
    real = select.select

    def note(*args: object) -> object:
        asked.append(args[3])  # type: ignore[arg-type]
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(fine_loop.select, "select", note)
    return asked


def test_a_short_wait_is_as_long_as_it_was_asked_to_be(waits: list[float]) -> None:
    fine_loop.run(asyncio.sleep(0.00175))
    assert any(0.001 < wait <= 0.00175 for wait in waits), waits


def test_a_long_wait_is_left_to_epoll(waits: list[float]) -> None:
    selector = fine_loop.FineSelector()
    reader, writer = os.pipe()
    selector.register(reader, 1)
    os.write(writer, b"x")
    assert [key.fd for key, _ in selector.select(10.0)] == [reader]
    assert [key.fd for key, _ in selector.select(None)] == [reader]
    assert [key.fd for key, _ in selector.select(0.0)] == [reader]
    assert waits == []
    assert [key.fd for key, _ in selector.select(0.01)] == [reader]
    assert waits == [0.01]
    selector.close()
    os.close(reader)
    os.close(writer)


def test_what_comes_during_a_short_wait_is_there_at_once() -> None:
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        reader, writer = os.pipe()
        told: list[str] = []
        there = asyncio.Event()

        def take() -> None:
            told.append(os.read(reader, 10).decode())
            there.set()

        loop.add_reader(reader, take)
        loop.call_later(0.04, told.append, "later")
        loop.call_later(0.001, os.write, writer, b"x")
        await there.wait()
        await asyncio.sleep(0.045)
        loop.remove_reader(reader)
        os.close(reader)
        os.close(writer)
        return told

    assert fine_loop.run(main()) == ["x", "later"]
