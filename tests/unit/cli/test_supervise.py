"""The parent's one duty, with real processes."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.cli.supervise import (
    LONGEST_LINE,
    Child,
    ChildFailed,
    Kind,
    Pauses,
    StopRequested,
    stop_on_signals,
    supervise,
    unless_stopped,
)
from tests.processes import gone

SOON = 30
QUICK = Pauses(first=0.01, last=0.01)
#: Says that it is up, then waits to be told to stop, and says that too.
POLITE = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: (print("bye"), sys.exit(0)))
print("up")
while True: signal.pause()
"""
DEAF = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up")
while True: signal.pause()
"""


@dataclass
class Heard:
    """What was told, and a way to wait for it."""

    lines: list[tuple[str, str]] = field(default_factory=list)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    pending: set[asyncio.Task[None]] = field(default_factory=set)

    def __call__(self, name: str, line: str) -> None:
        self.lines.append((name, line))
        task = asyncio.create_task(self._announce())
        self.pending.add(task)
        task.add_done_callback(self.pending.discard)

    async def _announce(self) -> None:
        async with self.news:
            self.news.notify_all()

    async def until(self, what: Callable[[list[tuple[str, str]]], bool]) -> None:
        async with asyncio.timeout(SOON), self.news:
            await self.news.wait_for(lambda: what(self.lines))

    async def line(self, name: str, line: str, times: int = 1) -> None:
        await self.until(lambda lines: lines.count((name, line)) >= times)


@pytest.fixture
async def heard() -> Heard:
    return Heard()


def a_child(name: str = "api", program: str = POLITE, **changed: object) -> Child:
    command = [sys.executable, "-c", program]
    return Child(name, command, **changed)  # type: ignore[arg-type]


async def run(*children: Child, stop: asyncio.Event, heard: Heard) -> None:
    async with asyncio.timeout(SOON):
        await supervise(children, stop=stop, tell=heard, pauses=QUICK)


async def test_children_stop_in_the_reverse_order_of_their_start(heard: Heard) -> None:
    stop = asyncio.Event()
    names = ["api", "projector", "simulator"]
    running = asyncio.create_task(run(*map(a_child, names), stop=stop, heard=heard))
    for name in names:
        await heard.line(name, "up")
    stop.set()
    await running
    assert [name for name, line in heard.lines if line == "bye"] == names[::-1]


async def test_a_child_starts_only_when_the_one_before_is_ready(heard: Heard) -> None:
    stop, ready = asyncio.Event(), asyncio.Event()

    async def first_is_ready() -> None:
        await ready.wait()

    children = a_child("first", ready=first_is_ready), a_child("second")
    running = asyncio.create_task(run(*children, stop=stop, heard=heard))
    await heard.line("first", "up")
    assert ("second", "up") not in heard.lines
    ready.set()
    await heard.line("second", "up")
    stop.set()
    await running


async def test_a_child_that_dies_is_started_again_and_this_is_said(heard: Heard) -> None:
    stop = asyncio.Event()
    child = a_child(program="import os; print(os.getpid()); os._exit(3)")
    running = asyncio.create_task(run(child, stop=stop, heard=heard))
    await heard.line(
        "kentongan", "api ended unexpectedly (exit 3), starts again in 0.01 s", times=2
    )
    stop.set()
    await running
    pids = {line for name, line in heard.lines if name == "api"}
    assert len(pids) >= 2


async def test_the_pause_before_a_new_start_doubles_up_to_its_bound(heard: Heard) -> None:
    stop, pauses = asyncio.Event(), Pauses(first=0.01, last=0.03)
    child = a_child(program="raise SystemExit(1)")
    running = asyncio.create_task(supervise([child], stop=stop, tell=heard, pauses=pauses))
    said = "api ended unexpectedly (exit 1), starts again in {} s"
    await heard.line("kentongan", said.format(0.03), times=2)
    stop.set()
    await running
    told = [line for name, line in heard.lines if name == "kentongan"][:4]
    assert told == [said.format(pause) for pause in (0.01, 0.02, 0.03, 0.03)]


async def test_a_signal_that_killed_a_child_is_called_by_its_name(heard: Heard) -> None:
    stop = asyncio.Event()
    program = "import os; os.kill(os.getpid(), 9)"
    running = asyncio.create_task(run(a_child(program=program), stop=stop, heard=heard))
    await heard.until(lambda lines: any("(SIGKILL)" in line for _, line in lines))
    stop.set()
    await running


async def test_a_child_that_does_not_listen_is_killed_after_its_deadline(heard: Heard) -> None:
    stop = asyncio.Event()
    child = a_child(program=DEAF, stop_within=0.05)
    running = asyncio.create_task(run(child, stop=stop, heard=heard))
    await heard.line("api", "up")
    stop.set()
    await running
    assert heard.lines[-1] == ("kentongan", "api does not stop within 0.05 s and is killed")


async def test_all_are_in_one_process_group(heard: Heard) -> None:
    program = "import os; print(os.getpgrp())"
    await run(a_child(program=program, kind=Kind.ERRAND), stop=asyncio.Event(), heard=heard)
    assert heard.lines == [("api", str(os.getpgrp()))]


async def test_ctrl_c_and_a_closed_terminal_are_left_to_the_parent(heard: Heard) -> None:
    program = "import signal; print(*signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    await run(a_child(program=program, kind=Kind.ERRAND), stop=asyncio.Event(), heard=heard)
    assert heard.lines == [("api", "1 2")]


async def test_a_child_that_heard_the_whole_group_being_stopped_is_not_called_unexpected(
    heard: Heard,
) -> None:
    stop = asyncio.Event()
    projector = a_child("projector", "import os; print(os.getpid())" + POLITE)
    # Stopped first, and slow: what the other does meanwhile is noticed meanwhile.
    api = a_child("api", DEAF, stop_within=0.3)
    running = asyncio.create_task(run(projector, api, stop=stop, heard=heard))
    await heard.line("projector", "up")
    await heard.line("api", "up")
    stop.set()
    (pid,) = [line for _, line in heard.lines if line != "up"]
    os.kill(int(pid), signal.SIGTERM)
    await running
    assert not [line for name, line in heard.lines if "unexpectedly" in line]


async def test_an_errand_may_end_and_is_not_repeated(heard: Heard) -> None:
    errand = a_child("simulator", "print('done')", kind=Kind.ERRAND)
    await run(errand, stop=asyncio.Event(), heard=heard)
    assert heard.lines == [("simulator", "done")]


async def test_a_step_ends_before_the_next_child_starts(heard: Heard, tmp_path: Path) -> None:
    made = tmp_path / "made"
    step = a_child("migrate", f"open({str(made)!r}, 'w')", kind=Kind.STEP)
    after = a_child("check", f"import os; print(os.path.exists({str(made)!r}))", kind=Kind.ERRAND)
    await run(step, after, stop=asyncio.Event(), heard=heard)
    assert heard.lines == [("check", "True")]


@pytest.mark.parametrize("kind", [Kind.STEP, Kind.SERVICE])
async def test_a_failure_while_coming_up_stops_the_rest_and_is_raised(
    heard: Heard, kind: Kind
) -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    async def until_up() -> None:
        await heard.line("first", "up")

    first = a_child("first", ready=until_up)
    failing = a_child("failing", "print('port taken'); raise SystemExit(2)", kind=kind, ready=never)
    with pytest.raises(ChildFailed, match=r"^failing could not start \(exit 2\)$"):
        await run(first, failing, a_child("never"), stop=asyncio.Event(), heard=heard)
    assert heard.lines == [("first", "up"), ("failing", "port taken"), ("first", "bye")]


async def test_a_command_that_is_not_there_is_an_error_and_not_retried(heard: Heard) -> None:
    with pytest.raises(FileNotFoundError):
        await run(Child("api", ["/nowhere/at/all"]), stop=asyncio.Event(), heard=heard)


async def test_stopping_interrupts_the_wait_for_a_child_to_be_ready(heard: Heard) -> None:
    stop = asyncio.Event()

    async def never() -> None:
        await asyncio.Event().wait()

    running = asyncio.create_task(
        run(a_child(ready=never), a_child("next"), stop=stop, heard=heard)
    )
    await heard.line("api", "up")
    stop.set()
    await running
    assert heard.lines == [("api", "up"), ("api", "bye")]


async def test_output_without_a_line_end_is_passed_on_in_pieces(heard: Heard) -> None:
    program = f"import sys; sys.stdout.write('x' * {LONGEST_LINE * 3} + '\\nlast')"
    await run(a_child(program=program, kind=Kind.ERRAND), stop=asyncio.Event(), heard=heard)
    lines = [line for _, line in heard.lines]
    assert "".join(lines) == "x" * LONGEST_LINE * 3 + "last"
    assert max(map(len, lines)) < 2 * LONGEST_LINE


async def test_what_is_written_to_the_error_output_is_passed_on_too(heard: Heard) -> None:
    program = "import sys; print('trouble \\xff', file=sys.stderr)"
    await run(a_child(program=program, kind=Kind.ERRAND), stop=asyncio.Event(), heard=heard)
    assert heard.lines == [("api", "trouble ÿ")]


async def test_a_terminal_that_was_closed_does_not_keep_the_children_from_stopping(
    heard: Heard,
) -> None:
    stop = asyncio.Event()

    def until_closed(name: str, line: str) -> None:
        heard(name, line)
        raise OSError

    children = a_child("first"), a_child("deaf", DEAF, stop_within=0.05)
    async with asyncio.timeout(SOON):
        running = asyncio.create_task(supervise(children, stop=stop, tell=until_closed))
        await heard.line("first", "up")
        await heard.line("deaf", "up")
        stop.set()
        await running
    assert heard.lines[-1] == ("first", "bye")


async def test_children_end_when_the_parent_is_killed(tmp_path: Path) -> None:
    parent = (
        "import asyncio, sys\n"
        "from app.cli.supervise import Child, supervise\n"
        f"child = Child('api', [sys.executable, '-c', {POLITE!r}.replace("
        "'print(\"up\")', 'import os; print(os.getpid())')])\n"
        "tell = lambda name, line: print(line, flush=True)\n"
        "asyncio.run(supervise([child], stop=asyncio.Event(), tell=tell))\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", parent, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    async with asyncio.timeout(SOON):
        pid = int(await process.stdout.readline())
    process.kill()
    await process.wait()
    await gone(pid)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_the_signals_of_a_terminal_and_of_a_service_manager_stop(
    signum: signal.Signals,
) -> None:
    # Whoever runs these tests under nohup has hang-ups ignored, which we would respect.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with stop_on_signals() as stop:
            os.kill(os.getpid(), signum)
            async with asyncio.timeout(SOON):
                await stop.wait()
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_work_that_is_stopped_is_cancelled_and_this_is_told() -> None:
    stop, cleaned = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    waiting = asyncio.create_task(unless_stopped(stop, work()))
    asyncio.get_running_loop().call_soon(stop.set)
    with pytest.raises(StopRequested):
        await waiting
    assert cleaned.is_set()


async def test_work_that_ends_first_gives_its_result() -> None:
    async def work() -> int:
        return 7

    assert await unless_stopped(asyncio.Event(), work()) == 7
