"""The program's processes: up in order, down in reverse order, and none left behind.

The parent does nothing but this, so that it can be relied on. All are in one
process group, so that whoever kills the group has all of them. Ctrl-C and a
closed terminal are the parent's to hear, which then tells the children one
after the other. What the parent cannot do itself when it is killed, the kernel
does: the children get SIGTERM.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from app.embedded import as_a_child, how_it_ended

T = TypeVar("T")
#: Called with the name of a process and one line that it wrote.
Tell = Callable[[str, str], None]
#: The name under which the parent itself speaks.
OURSELVES = "kentongan"
#: Bytes. What never ends its line is passed on in pieces of this length.
LONGEST_LINE = 64 * 1024
#: Seconds for the last words of a process that has ended.
LAST_WORDS_WITHIN = 1.0
#: A line is to be seen when it is written, not when some buffer is full.
UNBUFFERED = {"PYTHONUNBUFFERED": "1"}


class Kind(StrEnum):
    """What it means when a child ends by itself."""

    #: It should not have: it is started again.
    SERVICE = "service"
    #: With exit code 0 it has done its work; else it is started again.
    ERRAND = "errand"
    #: It has to, with exit code 0, before the next child starts.
    STEP = "step"


@dataclass(frozen=True, slots=True)
class Child:
    """One process of the program.

    ``ready`` returns when the next child may start. ``env`` is the whole
    environment; ``None`` means our own.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str] | None = None
    kind: Kind = Kind.SERVICE
    ready: Callable[[], Coroutine[Any, Any, None]] | None = None
    #: Seconds after SIGTERM until SIGKILL. A supervisor of containers gives
    #: the whole program 10 to 30 s; one child should need little of it.
    stop_within: float = 10.0


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds before a child is started again: doubled with each death, short again once steady."""

    first: float = 0.5
    last: float = 30.0
    steady_after: float = 60.0


class ChildFailed(Exception):
    """A child ended before the program had come up: starting it again would only repeat it."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(f"{name} could not start ({how_it_ended(code)})")
        self.name, self.code = name, code


class StopRequested(Exception):
    """Somebody asked the program to stop while it was still coming up."""


@contextlib.contextmanager
def stop_on_signals() -> Iterator[asyncio.Event]:
    """Give an event that SIGINT, SIGTERM and a closed terminal set, instead of what they do."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    # Under nohup the closing of the terminal is meant to be ignored, and stays so.
    ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    signums = [signal.SIGINT, signal.SIGTERM, *([] if ignored else [signal.SIGHUP])]
    for signum in signums:
        loop.add_signal_handler(signum, stop.set)
    try:
        yield stop
    finally:
        for signum in signums:
            loop.remove_signal_handler(signum)


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """Return what ``work`` returns.

    Raises:
        StopRequested: ``stop`` was set first; ``work`` has been cancelled and has ended.
    """
    working = asyncio.create_task(work)
    await _first_of(working, stop.wait())
    if working.done():
        return working.result()
    working.cancel()
    await asyncio.wait({working})
    if working.cancelled() or working.exception():
        raise StopRequested
    # It ended in spite of that: its result must not be lost, for somebody has to close it.
    return working.result()


async def supervise(
    children: Sequence[Child], *, stop: asyncio.Event, tell: Tell, pauses: Pauses | None = None
) -> None:
    """Run ``children`` until ``stop`` is set, or until all have done their work.

    They start in order, each when the one before is ready, and stop in reverse
    order: SIGTERM, a deadline, SIGKILL. One that dies is started again.

    Raises:
        ChildFailed: one ended before it was ready for the first time; the
            others have been stopped.
    """
    keepers: list[_Keeper] = []
    try:
        for child in children:
            if stop.is_set():
                return
            keepers.append(_Keeper(child, _whatever_comes(tell), pauses or Pauses(), stop))
            await keepers[-1].begin()
        await _first_of(stop.wait(), _all_ended(keepers))
    finally:
        for keeper in reversed(keepers):
            await keeper.end()


async def _all_ended(keepers: Sequence["_Keeper"]) -> None:
    """Return when every child has done its work; raise what keeping one of them met with."""
    watching = [keeper.watching for keeper in keepers]
    if watching:
        await asyncio.wait(watching, return_when=asyncio.FIRST_EXCEPTION)
    for one in watching:
        if one.done():
            one.result()


def _whatever_comes(tell: Tell) -> Tell:
    """Tell as long as anybody listens: a terminal that was closed must not hinder the stopping."""

    def to_whom_it_may_concern(name: str, line: str) -> None:
        with contextlib.suppress(OSError):
            tell(name, line)

    return to_whom_it_may_concern


class _Keeper:
    """One child and whatever is done about it."""

    def __init__(self, child: Child, tell: Tell, pauses: Pauses, stop: asyncio.Event) -> None:
        self._child, self._tell, self._pauses, self._stop = child, tell, pauses, stop
        self._process: asyncio.subprocess.Process | None = None
        self._beginning = True
        self._started, self._ending = asyncio.Event(), asyncio.Event()
        #: Runs as long as the child is to be kept alive.
        self.watching: asyncio.Task[None]

    async def begin(self) -> None:
        """Start the child and return when the next one may start, or when all are to stop."""
        self.watching = asyncio.create_task(self._watch())
        await _first_of(self._started.wait(), self.watching)
        if self._child.kind is Kind.STEP:
            await _first_of(self._stop.wait(), self.watching)
        elif self._child.ready:
            await _first_of(self._stop.wait(), self.watching, self._child.ready())
        self._beginning = False
        if self.watching.done():
            self.watching.result()

    async def end(self) -> None:
        """Stop the child, politely and then by force; return when it is gone."""
        self._ending.set()
        if self._process and self._process.returncode is None:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), self._child.stop_within)
            if self._process.returncode is None:
                self._say(f"does not stop within {self._child.stop_within:g} s and is killed")
                self._signal(signal.SIGKILL)
        # What it failed with, if it did, has been raised to our caller.
        await asyncio.gather(self.watching, return_exceptions=True)

    async def _watch(self) -> None:
        clock, pause = asyncio.get_running_loop().time, self._pauses.first
        while True:
            started = clock()
            code = await self._run_once()
            # Where the whole group was told to stop, the child heard it as well as we.
            if self._ending.is_set() or self._stop.is_set():
                return
            if code == 0 and self._child.kind is not Kind.SERVICE:
                return
            if self._beginning and (self._child.ready or self._child.kind is Kind.STEP):
                raise ChildFailed(self._child.name, code)
            if clock() - started > self._pauses.steady_after:
                pause = self._pauses.first
            self._say(f"ended unexpectedly ({how_it_ended(code)}), starts again in {pause:g} s")
            await _first_of(asyncio.sleep(pause), self._ending.wait())
            if self._ending.is_set():
                return
            pause = min(2 * pause, self._pauses.last)

    async def _run_once(self) -> int:
        """Run the child to its end, pass on what it writes, and leave nothing of it behind."""
        reading, writing = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._child.command,
                env={**(os.environ if self._child.env is None else self._child.env), **UNBUFFERED},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                preexec_fn=as_a_child(),
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._started.set()
        if self._ending.is_set():
            self._signal(signal.SIGKILL)
        forwarding = asyncio.create_task(self._forward(reading))
        try:
            code = await self._process.wait()
        finally:
            self._signal(signal.SIGKILL)
            await asyncio.wait({forwarding}, timeout=LAST_WORDS_WITHIN)
            forwarding.cancel()
        return code

    async def _forward(self, reading: int) -> None:
        """Pass on line by line what the child writes, until all who could write are gone.

        A pipe of our own rather than asyncio's: with that one, waiting for the
        child would mean waiting for whoever else holds its output open.
        """
        reader = asyncio.StreamReader()
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb", 0)
        )
        rest = b""
        try:
            while piece := await reader.read(LONGEST_LINE):
                *lines, rest = (rest + piece).split(b"\n")
                if len(rest) >= LONGEST_LINE:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self._tell(self._child.name, line.decode(errors="replace").rstrip("\r"))
            if rest:
                self._tell(self._child.name, rest.decode(errors="replace"))
        finally:
            pipe.close()

    def _signal(self, signum: signal.Signals) -> None:
        """Signal the child, unless it has ended."""
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signum)

    def _say(self, what: str) -> None:
        self._tell(OURSELVES, f"{self._child.name} {what}")


async def _first_of(*these: Coroutine[Any, Any, Any] | asyncio.Task[Any]) -> None:
    """Return when one of ``these`` has ended; coroutines among them are then cancelled.

    What a coroutine raised is raised; tasks are somebody else's, and only waited for.
    """
    ours = [asyncio.ensure_future(one) for one in these if not isinstance(one, asyncio.Task)]
    given = [one for one in these if isinstance(one, asyncio.Task)]
    try:
        await asyncio.wait([*ours, *given], return_when=asyncio.FIRST_COMPLETED)
        for one in ours:
            if one.done():
                one.result()
    finally:
        for one in ours:
            one.cancel()
