"""Kentongan as a person runs it: the command ``kentongan`` in processes of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil

from tests.e2e.waiting import SOON, News, eventually
from tests.ports import free_port
from tests.processes import gone

COMMAND = Path(sys.executable).parent / "kentongan"
UP = "Ctrl-C stops everything in order."
#: By which the processes of one program are known, whoever their parent is by now.
MARK = "E2E_RUN"
#: What is the test's own, and no person's shell has.
FOREIGN = ("KENTONGAN_", "PYTHON", "PYTEST", "PG", "COVERAGE", "HYPOTHESIS", MARK)


def environment(**changes: str) -> dict[str, str]:
    """Return the environment of a person's shell."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return own | changes


@dataclass(frozen=True)
class Done:
    """A command that has ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document that stdout must be."""
        return json.loads(self.out)


async def run(
    *words: str | Path, cwd: Path, env: Mapping[str, str] | None = None, code: int | None = 0
) -> Done:
    """Run ``kentongan`` with ``words`` to its end; ``code`` is the exit code it must have."""
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        *map(str, words),
        cwd=cwd,
        env=environment(**(env or {})),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(SOON):
            out, err = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    done = Done(process.returncode, out.decode(), err.decode())
    assert code is None or done.code == code, f"{words}: exit {done.code}\n{done.err}"
    assert "Traceback" not in done.err, done.err
    return done


@dataclass(eq=False)
class Program:
    """One ``kentongan up``: its processes, and what they say.

    ``folder`` is where the person stands; ``words`` are further options. Without
    a data directory none is named on the command line.
    """

    folder: Path
    given_data_dir: Path | None
    port: int = field(default_factory=free_port)
    words: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    account: Mapping[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.mark = uuid.uuid4().hex
        self.news = News()
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def data_dir(self) -> Path:
        """Where its data is: told on the command line, or the place that it takes by itself."""
        return self.given_data_dir or self.folder / "var" / "data"

    @property
    def url(self) -> str:
        """The address that a person would open."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def live_url(self) -> str:
        """The address of the live protocol."""
        return f"ws://127.0.0.1:{self.port}/v1/live"

    @property
    def pid(self) -> int:
        """The number of the parent process."""
        assert self._process is not None
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code, once there is one."""
        assert self._process is not None
        return self._process.returncode

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.clean_up()

    async def spawn(self) -> None:
        """Start the program and wait for nothing."""
        self.lines.clear()
        self._process = await asyncio.create_subprocess_exec(
            COMMAND,
            *("up", "--port", str(self.port), *self._place(), *self.words),
            cwd=self.folder,
            env=environment(**self.env, **{MARK: self.mark}),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            # Ctrl-C in a terminal is a signal to a group: this one has its own.
            start_new_session=True,
            **self.account,
        )
        self._reading = asyncio.create_task(self._read(self._process.stderr))

    def _place(self) -> list[str]:
        return ["--data-dir", str(self.given_data_dir)] if self.given_data_dir else []

    async def start(self) -> None:
        """Start the program and wait until it says that it is up."""
        await self.spawn()
        await self.until_said(UP)

    async def _read(self, stderr: asyncio.StreamReader | None) -> None:
        assert stderr is not None
        while line := await stderr.readline():
            self.lines.append(line.decode().rstrip())
            self.news.tell()
        self.lines.append("")
        self.news.tell()

    def said(self, words: str) -> int:
        """Return how many lines have these words."""
        return sum(words in line for line in self.lines)

    async def until_said(self, words: str, times: int = 1) -> None:
        """Wait for a line with these words; fail at once where the program ends without it."""

        def so() -> bool:
            return self.said(words) >= times or self._over()

        await self.news.until(so, lambda: f"{words!r} in {self.text()}")
        assert self.said(words) >= times, f"ended without {words!r}: {self.text()}"

    def _over(self) -> bool:
        return self._reading is not None and self._reading.done()

    def text(self) -> str:
        """Return all that was said."""
        return "\n".join(self.lines)

    def listen_no_more(self) -> None:
        """Close the pipe that the program speaks to, as a reader that dies does."""
        assert self._process is not None
        pipe = self._process._transport.get_pipe_transport(2)  # type: ignore[attr-defined]
        pipe.close()

    async def ended(self) -> int:
        """Wait for the parent's end and return its exit code."""
        assert self._process is not None
        async with asyncio.timeout(SOON):
            code = await self._process.wait()
            if self._reading is not None:
                await self._reading
        return code

    async def stop(self, signum: signal.Signals = signal.SIGTERM) -> int:
        """Signal the parent, as a supervisor does, and return its exit code."""
        os.kill(self.pid, signum)
        return await self.ended()

    async def interrupt(self) -> int:
        """Press Ctrl-C: the terminal signals all of the foreground's group."""
        os.killpg(self.pid, signal.SIGINT)
        return await self.ended()

    def family(self) -> list[psutil.Process]:
        """Return the parent's living descendants, PostgreSQL's own among them."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.pid).children(recursive=True)
        return []

    async def child(self, role: str) -> psutil.Process:
        """Return the child of a role, waiting for one that is being started again."""

        async def find() -> psutil.Process | None:
            for process in self.family():
                with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                    if process.ppid() == self.pid and role_of(process) == role:
                        return process
            return None

        return await eventually(find, f"the process {role}")

    async def kill(self, role: str) -> None:
        """Kill -9 the child of a role, or with ``parent`` the parent itself."""
        if role == "parent":
            os.kill(self.pid, signal.SIGKILL)
            await self.ended()
        else:
            os.kill((await self.child(role)).pid, signal.SIGKILL)

    def left(self) -> list[psutil.Process]:
        """Return the processes of this program that live, whoever their parent is."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            if process.environ().get(MARK) == self.mark:
                return True
            # PostgreSQL gets nothing of our environment.
            return any(str(self.data_dir) in word for word in process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    async def nothing_left(self, before: Iterable[psutil.Process]) -> None:
        """Wait until the processes ``before`` and all others of this program are gone."""
        for process in before:
            await gone(process.pid)

        async def none() -> bool:
            return not self.left()

        await eventually(none, f"the end of {self.left()}")

    async def clean_up(self) -> None:
        """End what is still there, by force; what was said is shown where the test failed."""
        if self._process is None:
            return
        sys.stdout.write(self.text())
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        for process in self.left():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)
                # Killed, PostgreSQL could not give its shared memory back.
                postgres = role_of(process) == "postgres"
                process.send_signal(signal.SIGQUIT if postgres else signal.SIGKILL)
        if self._reading is not None:
            await self._reading


@dataclass(eq=False)
class Role:
    """A role that is run by itself, as on a machine of its own: ``api``, ``projector``."""

    folder: Path
    words: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = (str(COMMAND),)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            await self.kill()

    async def start(self) -> None:
        """Start the process and wait for nothing."""
        with (self.folder / f"{self.words[0]}.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command,
                *self.words,
                cwd=self.folder,
                env=environment(**self.env),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def stop(self) -> int:
        """Stop the process with SIGTERM and return its exit code."""
        self.process.terminate()
        async with asyncio.timeout(SOON):
            return await self.process.wait()

    async def kill(self) -> None:
        """Kill the process and wait for its end."""
        self.process.kill()
        await self.process.wait()


def role_of(process: psutil.Process) -> str:
    """Return ``postgres``, or the command that a child of the parent runs."""
    words = process.cmdline()
    # Its own children call themselves "postgres: …".
    if words and Path(words[0].partition(":")[0]).name == "postgres":
        return "postgres"
    return words[words.index("app") + 1] if "app" in words[:-1] else "starting"
