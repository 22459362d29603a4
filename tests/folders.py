"""Where tests keep what may vanish with them."""

import shutil
import tempfile
from pathlib import Path

#: Bytes. A cluster of PostgreSQL takes 46 MB; a whole run, a few of them at a time.
ROOM_ENOUGH = 2 * 1024**3


def quick_folder() -> Path:
    """Make a folder that every account may pass through, in memory where there is room.

    Files are made there several times as fast; that data survive a power cut
    is not what a test on one machine could show.
    """
    memory = Path("/dev/shm")  # noqa: S108 - the folder in it has a name of its own
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > ROOM_ENOUGH
    folder = Path(tempfile.mkdtemp(prefix="kentongan-", dir=memory if roomy else None))
    # pytest's own folders are closed to the account that PostgreSQL runs under.
    folder.chmod(0o711)
    return folder
