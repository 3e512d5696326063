"""The connection to a control that answers questions: TCP, or a serial port. One question at a time; an answer must be to it."""

from __future__ import annotations

import asyncio
import os
from collections import deque

from drivers.clock import Clock
from drivers.mdc import HELLO, Heard, Question, Reader, heard, refused
from drivers.options import BusOptions
from drivers.serialport import SerialPort
from drivers.trouble import LinkDown, NoAnswer, Refused, WrongAnswer

_CONNECT = 3.0
"""Seconds for a TCP connection."""
_HELLOS = 3
"""Times that the first question is asked: a control may not hear the first one (Haas, Machine Data Collection)."""
_READ = 4096
_MOST_WAITING = 1000
"""Answers to others that are kept; far more than two clients ask."""


class MdcLine:
    """An open connection. Must be made in the running loop, by `connect`.

    Attributes
    ----------
    foreign: answers that nobody here had asked for.
    noise: pieces that were no answer.
    """

    def __init__(self, options: BusOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._serial: SerialPort | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._texts = Reader()
        self._waiting: deque[str] = deque(maxlen=_MOST_WAITING)
        self._came = asyncio.Event()
        self._down: LinkDown | None = None
        self._doubtful = True
        self._strangers: list[str] = []
        self.foreign = 0

    @property
    def noise(self) -> int:
        """Pieces that were no answer."""
        return self._texts.noise

    @property
    def proves(self) -> bool:
        """Whether the wire would show damage: TCP does, RS-232 does not."""
        return self._serial is None

    async def connect(self) -> None:
        """Open it.

        Raises
        ------
        LinkDown: it cannot be opened now.
        """
        options = self._options
        if options.host:
            try:
                async with asyncio.timeout(_CONNECT):
                    self._reader, self._writer = await asyncio.open_connection(options.host, int(options.port))
            except (OSError, TimeoutError, ValueError) as error:
                raise LinkDown("cannot_connect", f"{options.host}:{options.port}: {error}") from error
        else:
            self._serial = SerialPort(options, self._clock)
        self._task = asyncio.create_task(self._listen(), name=f"mdc {options.name}")

    async def ask(self, question: Question, timeout: float) -> Heard:
        """Ask one question. After a doubt the greeting is asked first: a control answers in order, so what it still owed has come by then.

        An answer that does not say of which variable it is may be to another client's question. The greeting is asked behind it: if it was
        the only one until then, it is ours.

        Raises
        ------
        NoAnswer, WrongAnswer, Refused, LinkDown: what to do next; see drivers.trouble.
        """
        if self._doubtful:
            for turn in range(_HELLOS):
                try:
                    await self._exchange(HELLO, timeout)
                    break
                except (NoAnswer, WrongAnswer):
                    if turn == _HELLOS - 1:
                        raise
        self._doubtful = (
            True  # until it is answered; if this is cancelled the answer may still come, and must not be taken for the next one
        )
        self._drain()
        self._strangers.clear()
        answer = await self._exchange(question, timeout)
        if not answer.proven:
            await self._exchange(HELLO, timeout)
        self._doubtful = False
        if not answer.proven and any(heard(question, text) for text in self._strangers):
            raise WrongAnswer("wrong_answer", f"{question.line.decode().strip()}: several answers")
        return answer

    async def close(self) -> None:
        """Close it; a connection that is gone already is no trouble."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()
            await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)
        if self._serial is not None:
            self._serial.close()

    async def _exchange(self, question: Question, timeout: float) -> Heard:
        before = self.foreign + self.noise
        self._drain()
        self._check()
        await self._send(question)
        unknown = False
        try:
            async with asyncio.timeout(timeout):
                while True:
                    while self._waiting:
                        text = self._waiting.popleft()
                        answer = heard(question, text)
                        if answer is not None:
                            return answer
                        unknown = unknown or refused(text)  # perhaps to somebody else
                        self._strange(text)
                    self._check()
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            if unknown:
                self._doubtful = False
                raise Refused(0) from None
            if self.foreign + self.noise > before:
                raise WrongAnswer("wrong_answer", question.line.decode().strip()) from None
            raise NoAnswer("no_answer", f"{question.line.decode().strip()}, {timeout:.3f} s") from None

    async def _send(self, question: Question) -> None:
        """The only place that writes to a control: a Question has no other bytes than those of `mdc.line_of`."""
        data = question.line
        try:
            if self._writer is not None:
                self._writer.write(data)
                await self._writer.drain()
            elif self._serial is not None:
                os.write(self._serial.fileno(), data)
        except OSError as error:
            self._down = LinkDown("closed", f"{self._options.name}: {error}")
            raise self._down from error

    def _drain(self) -> None:
        """What came while nobody waited was for somebody else, or came too late."""
        while self._waiting:
            self._strange(self._waiting.popleft())

    def _strange(self, text: str) -> None:
        if heard(HELLO, text) is None:  # a greeting is asked more than once
            self.foreign += not refused(text)
            self._strangers.append(text)

    def _check(self) -> None:
        if self._down is not None:
            raise self._down

    async def _listen(self) -> None:
        try:
            while True:
                self._waiting.extend(self._texts.feed(await self._read()))
                self._came.set()
        except LinkDown as down:
            self._down = down
            self._came.set()

    async def _read(self) -> bytes:
        if self._serial is not None:
            return await self._serial.read()
        assert self._reader is not None
        try:
            data = await self._reader.read(_READ)
        except OSError as error:
            raise LinkDown("closed", f"{self._options.name}: {error}") from error
        if not data:
            raise LinkDown("closed", f"{self._options.name}: end of file")
        return data
