"""The parts of the embedded PostgreSQL that need no server."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.embedded import AlreadyRunning, CannotReach, NoBinaries, OtherMajorVersion, places, signs
from app.embedded import binaries as programs
from app.embedded.places import Home

PID_FILE = "{pid}\n/data/cluster\n1763700000\n5432\n{folder}\n\n  1234 5\n{word}\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "postgres")
    home.cluster.mkdir(parents=True)
    return home


@pytest.fixture
def short_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="k") as folder:
        yield Path(folder)


def some_programs(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "postgres").write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
    (folder / "postgres").chmod(0o755)
    return folder


def test_a_server_without_a_pid_file_has_no_status(home: Home) -> None:
    assert signs.status(home) is None


@pytest.mark.parametrize("lines", range(8))
def test_a_pid_file_that_is_still_being_written_tells_nothing(home: Home, lines: int) -> None:
    whole = PID_FILE.format(pid=7, folder="/run/x", word="ready   ")
    (home.cluster / "postmaster.pid").write_text("\n".join(whole.split("\n")[:lines]))
    assert signs.status(home) is None


def test_a_server_is_ready_only_under_the_number_that_we_started(home: Home) -> None:
    (home.cluster / "postmaster.pid").write_text(
        PID_FILE.format(pid=7, folder="/run/x", word="ready   ")
    )
    assert signs.is_ready(home, 7)
    assert not signs.is_ready(home, 8)


@pytest.mark.parametrize("word", ["starting", "stopping", "standby "])
def test_a_server_that_takes_no_connections_is_not_ready(home: Home, word: str) -> None:
    (home.cluster / "postmaster.pid").write_text(PID_FILE.format(pid=7, folder="/x", word=word))
    assert not signs.is_ready(home, 7)


def test_a_pid_file_whose_socket_nobody_serves_is_stale_though_its_number_lives(
    home: Home,
) -> None:
    text = PID_FILE.format(pid=os.getpid(), folder=home.folder / "socket", word="ready   ")
    (home.cluster / "postmaster.pid").write_text(text)
    assert signs.listening(home) is None


def test_a_stale_pid_file_with_the_number_of_another_program_is_removed(home: Home) -> None:
    file = home.cluster / "postmaster.pid"
    file.write_text(PID_FILE.format(pid=os.getpid(), folder="/run/x", word="ready   "))
    signs.sweep(home, home.folder / "socket")
    assert not file.exists()


def test_a_pid_file_of_a_process_inside_the_cluster_is_kept(home: Home) -> None:
    file = home.cluster / "postmaster.pid"
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, cwd=home.cluster) as server:
        file.write_text(PID_FILE.format(pid=server.pid, folder="/run/x", word="ready   "))
        signs.sweep(home, home.folder / "socket")
        assert file.exists()


def test_what_the_log_says_last_is_why_a_server_gave_up(home: Home) -> None:
    home.log.write_text("old FATAL:  of another start\n")
    since = home.log.stat().st_size
    with home.log.open("a") as log:
        log.write("2026-11-21 UTC [7] LOG:  starting\n2026-11-21 UTC [7] FATAL:  disk is full\n")
    assert signs.last_words(home, since) == "disk is full"


def test_a_log_without_a_fatal_line_gives_its_last_one(home: Home) -> None:
    home.log.write_text("first\nlast\n")
    assert signs.last_words(home, 0) == "last"


def test_a_large_log_is_moved_aside_and_its_writer_notices_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signs, "LARGEST_LOG", 10)
    with home.log.open("a") as writer:
        print("many words", file=writer, flush=True)
        signs.trim_log(home)
        print("more", file=writer, flush=True)
    assert home.log.read_text() == "more\n"
    assert (home.folder / "log.1").read_text() == "many words\n"


def test_a_small_log_is_left_alone(home: Home) -> None:
    home.log.write_text("few words\n")
    signs.trim_log(home)
    assert home.log.read_text() == "few words\n"


def test_the_programs_that_were_asked_for_are_the_only_ones_looked_at(tmp_path: Path) -> None:
    with pytest.raises(NoBinaries) as error:
        programs.choose(tmp_path / "empty", tmp_path / "cluster")
    assert error.value.looked_in == [tmp_path / "empty"]


def test_a_postgresql_too_old_for_the_program_is_none(tmp_path: Path) -> None:
    with pytest.raises(NoBinaries):
        programs.choose(some_programs(tmp_path / "bin", "14.9"), tmp_path / "cluster")


@pytest.mark.parametrize(
    ("told", "major"), [("18.6", 18), ("15.18 (Debian 15.18-0+deb12u1)", 15), ("19beta1", 19)]
)
def test_a_version_is_read_as_each_packager_tells_it(tmp_path: Path, told: str, major: int) -> None:
    found = programs.choose(some_programs(tmp_path / "bin", told), tmp_path / "cluster")
    assert found.major == major


def test_data_of_another_major_version_are_refused_with_the_way_out(
    tmp_path: Path, home: Home
) -> None:
    (home.cluster / "PG_VERSION").write_text("16\n")
    with pytest.raises(OtherMajorVersion, match="apt-get install -y postgresql-16"):
        programs.choose(some_programs(tmp_path / "bin", "18.6"), home.cluster)


def test_data_choose_the_programs_of_their_own_version(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.cluster / "PG_VERSION").write_text("16\n")
    monkeypatch.setattr(programs, "DEBIAN", tmp_path / "debian")
    wanted = some_programs(tmp_path / "debian" / "16" / "bin", "16.4")
    some_programs(tmp_path / "debian" / "19" / "bin", "19.1")
    assert programs.choose(None, home.cluster).folder == wanted


def test_a_pointer_to_a_home_that_is_gone_is_told_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / places.POINTER).write_text("/nowhere/at/all\n")
    with pytest.raises(CannotReach, match="begin with an empty database"):
        places.find(tmp_path)


def test_a_file_where_the_data_directory_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(CannotReach, match="cannot be used"):
        places.settle(tmp_path / "data", tmp_path / "system")


def test_a_home_is_taken_by_one_at_a_time(home: Home, tmp_path: Path) -> None:
    lock = places.take(home, tmp_path)
    with pytest.raises(AlreadyRunning) as error:
        places.take(home, tmp_path)
    assert error.value.pid == os.getpid()
    os.close(lock)
    os.close(places.take(home, tmp_path))


def test_a_sockets_folder_that_another_could_enter_is_refused(home: Home, tmp_path: Path) -> None:
    (home.folder / "socket").mkdir(mode=0o755)
    with pytest.raises(CannotReach, match="not a private folder"):
        places.give_private_folder(home.folder / "socket", None)


def test_a_sockets_folder_that_is_a_link_is_refused(home: Home, tmp_path: Path) -> None:
    (tmp_path / "trap").mkdir(mode=0o700)
    (home.folder / "socket").symlink_to(tmp_path / "trap")
    with pytest.raises(CannotReach, match="not a private folder"):
        places.give_private_folder(home.folder / "socket", None)


@pytest.mark.parametrize("name", ["x" * 90, "a:b", "a,b", "it's", "kota tangerang é"])
def test_a_path_that_no_socket_address_can_hold_gets_another_folder(
    short_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(short_path))
    home = Home(short_path / name)
    home.folder.mkdir()
    folder = places.socket_folder(home, None, short_path / "system")
    assert folder.parent == short_path
    assert folder.stat().st_mode & 0o777 == 0o700
    assert places.socket_folder(home, None, short_path / "system") == folder
