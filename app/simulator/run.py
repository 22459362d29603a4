"""A run of the city: plan it, fill the past, then live."""

from __future__ import annotations

import asyncio
import signal
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from random import Random
from time import monotonic

import httpx

from app.simulator import register
from app.simulator.calibration import founding, rate_scale
from app.simulator.clock import Clock, wait
from app.simulator.delivery import LATEST, Mode, Outbox, habits_of
from app.simulator.hours import DAY, HOUR, MINUTE
from app.simulator.options import Options, Summary
from app.simulator.poster import Poster, Stopped, pause_of
from app.simulator.progress import Progress
from app.simulator.source import Event, Source
from app.simulator.storm import APP, Kind, StormAccounts, StormOutbox, fall_on, send
from app.simulator.stream import Stream
from app.simulator.times import milliseconds

#: The API takes a thousand; half of it keeps answers quick and transactions short.
BATCH = 500
#: Above so many at once, single posts would only hold up the rest.
_FEW = 10
#: Requests under way at a time: more would not be faster on one box.
_CONNECTIONS = 6
#: Sources whose past is filled in at a time, the busiest region first: one wall after
#: the other is complete, instead of none until the end.
_FILLING = 4
#: A demo that was off for longer starts its numbers anew from here.
_LONGEST_GAP = 7 * DAY


@dataclass(frozen=True, slots=True)
class Span:
    """The simulated time of a run, in milliseconds since the epoch.

    From ``since`` on the past is filled in; from ``start`` on events come at the
    pace of the clock, until ``end`` (None = until stopped).
    """

    since: int
    start: int
    end: int | None
    #: An endless run in real time goes on where the last one ended.
    resumes: bool = False


def span_of(options: Options, now: int) -> Span:
    """Return the simulated time of a run that begins now."""
    present = milliseconds(options.until) if options.until else now
    history = int(options.history * HOUR)
    if options.duration:
        start = present - int(options.duration * 1000 * options.speed)
        return Span(start - history, start, present)
    end = present if options.until else None
    if options.speed > 1 or options.until:
        # A fast clock needs a past to run through until it has caught up.
        return Span(present - history, present - history, end)
    return Span(present - history, present, end, resumes=True)


@dataclass(slots=True)
class _Run:
    """What all sources of a run share."""

    client: httpx.AsyncClient
    clock: Clock
    span: Span
    summary: Summary
    progress: Progress
    stop: asyncio.Event
    storm: StormAccounts | None
    filling: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_FILLING))


async def simulate(
    options: Options,
    keys: Mapping[str, str],
    *,
    progress: bool,
    stop: asyncio.Event | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Summary:
    """Play the city against a server's public API until its time is over.

    Args:
        options: what is asked for.
        keys: API keys by the URN of the source that they are for.
        progress: show progress on stderr, if that is a terminal.
        stop: ends the run when set; without it SIGINT and SIGTERM do.
        transport: instead of the network, in tests.

    Returns:
        The run's accounts, also of a run that was stopped.

    Raises:
        ValueError: no source that could be played has a key.
        httpx.HTTPStatusError: the server does not know a region.
    """
    began = monotonic()
    stop = stop or asyncio.Event()
    summary = Summary(options.seed)
    pairs = register.chosen(options, list(keys))
    limits = httpx.Limits(max_connections=_CONNECTIONS)
    with _stopped_by_signals(stop), Progress(progress, summary) as shown:
        async with httpx.AsyncClient(
            base_url=options.url, limits=limits, timeout=30, trust_env=False, transport=transport
        ) as client:
            try:
                regions = await _regions(client, {region for region, _ in pairs}, stop)
                span = span_of(options, milliseconds(datetime.now(UTC)))
                sources = _sources(options, pairs, regions, span)
                storm = _storm_of(sources) if options.storm else None
                summary.storm = storm
                clock = Clock(span.start, options.speed, span.end)
                run = _Run(client, clock, span, summary, shown, stop, storm)
                await _play_all(run, sources, keys)
            except Stopped:
                pass
    summary.seconds = monotonic() - began
    return summary


async def _regions(
    client: httpx.AsyncClient, codes: set[str], stop: asyncio.Event
) -> dict[str, register.Region]:
    """Read the register, waiting for a server that has not started yet."""
    regions: dict[str, register.Region] = {}
    attempt = 0
    for code in sorted(codes):
        while code not in regions:
            try:
                regions[code] = await register.read_region(client, code)
            except httpx.TransportError:
                if await wait(stop, pause_of(None, attempt, Random())):  # noqa: S311
                    raise Stopped from None
                attempt += 1
    return regions


def _sources(
    options: Options,
    pairs: list[tuple[str, str]],
    regions: dict[str, register.Region],
    span: Span,
) -> list[Source]:
    """Return the sources of the run, each with its share of the rate."""
    rate = options.rate / options.speed
    sources = register.share_out(options, pairs, regions, rate)
    if span.end is not None and span.since == span.start < span.end:
        scale = rate_scale(sources, span.start, span.end)
        sources = [replace(source, intensity=source.intensity * scale) for source in sources]
    if options.storm:
        sources = fall_on(sources, options.storm_areas, span.start)
    return sources


def _storm_of(sources: list[Source]) -> StormAccounts:
    hit = {area for source in sources if source.app == APP for area in source.storm_areas}
    return StormAccounts(sorted(hit))


async def _play_all(run: _Run, sources: list[Source], keys: Mapping[str, str]) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for source in _busiest_first(sources):
                group.create_task(_play(run, source, keys[source.urn], sources))
    except* Stopped:
        pass


def _busiest_first(sources: list[Source]) -> list[Source]:
    """Return the sources region by region, in the order in which their pasts are told."""
    regions: defaultdict[str, float] = defaultdict(float)
    for source in sources:
        regions[source.region] += source.intensity
    return sorted(sources, key=lambda source: (-regions[source.region], -source.intensity))


async def _play(run: _Run, source: Source, key: str, sources: list[Source]) -> None:
    """Play one source: its past, then its life."""
    poster = Poster(run.client, key, source.region, run.summary, run.stop)
    outbox, storm = Outbox(), StormOutbox()
    since = await _since(run, source, key)
    if since is None:
        stream = Stream(source, run.span.start, founded=run.span.start)
    else:
        # Whole minutes: a stream opens its cases minute by minute, and tells of none
        # that was opened before its start.
        start = run.span.start // MINUTE * MINUTE
        stream = Stream(source, start, founded=founding(sources, since))
        async with run.filling:
            await _fill(run, stream, since, outbox, poster)
    while True:
        now = run.clock.now()
        last = run.clock.over()
        for happening in stream.until(now):
            (storm if happening.storm else outbox).put(happening.at, happening.event)
        due = None if last else now
        await _deliver(poster, list(outbox.due(due)))
        if run.storm is not None:
            await _storm(poster, storm.due(due), run.storm)
        run.progress.lived()
        if last:
            return
        ahead = stream.next_at()
        upcoming = min(ahead, outbox.next_at() or ahead, storm.next_at() or ahead)
        if await wait(run.stop, run.clock.seconds_to(upcoming)):
            return


async def _since(run: _Run, source: Source, key: str) -> int | None:
    """Return from when on the past is to be told; None for a city that begins now.

    An endless run goes on where the last one was heard, so that what the demo
    missed while it was off is made up for. Repeated events are harmless.
    """
    span = run.span
    if span.resumes:
        heard = await register.last_heard(run.client, source, key)
        if heard is not None:
            missed = milliseconds(heard) - LATEST
            return max(missed, span.start - _LONGEST_GAP)
    return span.since if span.since < span.start else None


async def _fill(run: _Run, stream: Stream, since: int, outbox: Outbox, poster: Poster) -> None:
    """Post the past as fast as it is taken."""
    run.progress.expect(stream.hours(since))
    for hour, told in enumerate(stream.settle(since), 1):
        for happening in told:
            outbox.put(happening.at, happening.event)
        if len(outbox) >= BATCH:
            await _deliver(poster, list(outbox.due(run.span.start)))
        if run.stop.is_set():
            raise Stopped
        if hour % 24 == 0:
            run.progress.filled(24)
            # Days without a living case must not hold up the other sources.
            await asyncio.sleep(0)
    await _deliver(poster, list(outbox.due(run.span.start)))


async def _storm(poster: Poster, due: Mapping[Kind, list[Event]], accounts: StormAccounts) -> None:
    """Send what a storm has to be sent, the first of each event before its repetitions."""
    for kind in Kind:
        remaining = iter(due.get(kind, ()))
        while batch := list(islice(remaining, BATCH)):
            await send(poster, kind, batch, accounts)


async def _deliver(poster: Poster, events: list[Event]) -> None:
    """Post events: a few each in its own mode, many in batches."""
    if len(events) <= _FEW:
        singles = [(event, habits_of(event).mode) for event in events]
        for event, mode in singles:
            if mode is not Mode.BATCH:
                await poster.post([event], mode)
        events = [event for event, mode in singles if mode is Mode.BATCH]
    remaining = iter(events)
    while batch := list(islice(remaining, BATCH)):
        await poster.post(batch)


@contextmanager
def _stopped_by_signals(stop: asyncio.Event) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the run in order, where this loop may hear them."""
    loop = asyncio.get_running_loop()
    heard: list[signal.Signals] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except (NotImplementedError, RuntimeError, ValueError):
            continue  # not the main thread: whoever runs it has the signals
        heard.append(number)
    try:
        yield
    finally:
        for number in heard:
            loop.remove_signal_handler(number)
