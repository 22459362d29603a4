"""Refresh requirements/*.lock from pyproject.toml.

Each lock names every package with its hashes and no address, so that plain pip
checks what it installs, wherever it gets it from.
"""

import os
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "requirements"


def main() -> None:
    """Write the locks, each agreeing with those before it."""
    names = ("runtime", "build", "dev", "nats")
    runtime, build, dev, nats = (LOCKS / f"{name}.lock" for name in names)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    compile_lock(build, ["-"], "\n".join(project["build-system"]["requires"]))
    compile_lock(runtime, ["pyproject.toml", "-c", str(build)])
    # Everything at once: setup for tests reads this one lock alone.
    both = ["pyproject.toml", "--extra", "nats", "--group", "dev", str(build), "-c", str(runtime)]
    compile_lock(dev, both)
    # Beside the runtime's, for those who scale out.
    extra = project["project"]["optional-dependencies"]["nats"]
    compile_lock(nats, ["-", "-c", str(runtime), "-c", str(dev)], "\n".join(extra))


def compile_lock(lock: Path, sources: list[str], stdin: str | None = None) -> None:
    """Resolve ``sources`` for every platform; ``lock`` keeps its pins while they still fit."""
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    upgrade = ["--upgrade"] if "--upgrade" in sys.argv[1:] else []
    options = ["--universal", "--generate-hashes", "--no-header", "--no-annotate", "--quiet"]
    command = [str(uv), "pip", "compile", *options, *upgrade, "-o", str(lock), *sources]
    env = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    subprocess.run(command, cwd=ROOT, env=env, input=stdin, text=True, check=True)
    packages = sum(line[:1].isalnum() for line in lock.read_text().splitlines())
    print(f"{lock.relative_to(ROOT)}: {packages} packages")


if __name__ == "__main__":
    main()
