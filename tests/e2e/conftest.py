"""Real programs to test: each with a data directory, a port and processes of its own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import embedded
from app.clock import now
from app.database import make_engine
from app.domain.regions import parse_source
from app.services.keys import make_key
from tests.e2e.posting import Client, Credential
from tests.e2e.program import Program, run
from tests.folders import quick_folder

SCOPES = ("events:write", "state:read", "cases:read", "events:read", "network:read")
LAKSA = "urn:pemda:36.71:laksa"
#: Two sources of one region and one of another: their posts meet in one transaction.
SOURCES = (LAKSA, "urn:pemda:36.71:laksa:kedua", "urn:pemda:33.28:laksa")


@dataclass(frozen=True)
class Made:
    """A data directory whose program has run once and was stopped, and keys for it."""

    data_dir: Path
    keys: dict[str, Credential]


async def create_key(data_dir: Path, source: str, *scopes: str) -> Credential:
    """Make a key as a person does."""
    words: list[str | Path] = ["key", "create", "--data-dir", data_dir, "--source", source]
    words += [word for scope in scopes for word in ("--scope", scope)]
    done = await run(*words, "--json", cwd=data_dir.parent)
    return Credential(done.json["source"], done.json["key"])


async def make_keys(url: str, *sources: str) -> list[Credential]:
    """Make keys of every scope in a database, without a command for each."""
    engine = make_engine(url, pool_size=1)
    keys = []
    for source in map(parse_source, sources):
        key, _ = await make_key(engine, now, source, frozenset(SCOPES))
        keys.append(Credential(source.urn, key))
    await engine.dispose()
    return keys


@pytest.fixture(scope="session")
def shelf() -> Iterator[Path]:
    """Give a folder for all data directories of this worker."""
    folder = quick_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def folder(shelf: Path) -> Iterator[Path]:
    """Give a test an empty folder to stand in."""
    folder = Path(tempfile.mkdtemp(dir=shelf))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
async def made(shelf: Path) -> Made:
    """Make one data directory with keys, to be copied for each test."""
    program = Program(shelf, shelf / "made")
    async with program:
        url = embedded.running_url(program.data_dir)
        assert url is not None
        keys = await make_keys(url, *SOURCES)
        assert await program.stop() == 0
    return Made(program.data_dir, {key.source: key for key in keys})


@dataclass(frozen=True)
class Copies:
    """Makes programs on copies of the made data directory."""

    made: Made
    folder: Path
    stack: AsyncExitStack

    @staticmethod
    @asynccontextmanager
    async def of(made: Made, folder: Path) -> AsyncIterator[Copies]:
        """Give copies in a folder, whose programs are cleaned up at the end."""
        async with AsyncExitStack() as stack:
            yield Copies(made, folder, stack)

    @property
    def keys(self) -> list[Credential]:
        """Credentials that every copy knows, in the order of ``SOURCES``."""
        return [self.made.keys[source] for source in SOURCES]

    def data_dir(self, name: str = "data") -> Path:
        """Return a copy of the made data directory."""
        subprocess.run(["cp", "-a", self.made.data_dir, self.folder / name], check=True)
        return self.folder / name

    async def program(self, name: str = "data", *, start: bool = True, **given: Any) -> Program:
        """Return a program on a copy of its own, cleaned up at the test's end."""
        program = Program(self.folder, self.data_dir(name), **given)
        self.stack.push_async_callback(program.clean_up)
        if start:
            await program.start()
        return program


@pytest.fixture
async def copies(made: Made, folder: Path) -> AsyncIterator[Copies]:
    """Give a test programs that were prepared before."""
    async with Copies.of(made, folder) as copies:
        yield copies


@pytest.fixture
async def a_client() -> AsyncIterator[Client]:
    """Give clients of programs, closed at the test's end."""
    async with AsyncExitStack() as stack:

        def make(program: Program) -> httpx.AsyncClient:
            client = httpx.AsyncClient(base_url=program.url, timeout=30, trust_env=False)
            stack.push_async_callback(client.aclose)
            return client

        yield make
