"""The documentation, held to the code: what is there is told, and what is told is there."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from app import cli, metrics, problems
from app.domain.errors import DomainError
from app.domain.families import FAMILIES, STATELESS_VERBS
from app.schemas.asyncapi import CLOSE_CODES
from app.services.access import SCOPES
from app.settings import FROM_FILES, Settings

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])

#: A link or picture of Markdown: its target, without a title.
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
#: A file of the program, and a name in it: `app/services/ingest.py: Ingest.submit`.
_NAMED = re.compile(r"`(app/[\w/]+\.py): ([\w.]+)`")
_FILE = re.compile(r"`((?:app|web|tests|migrations|scripts|benchmarks)/[\w./-]+\.\w+)[`:]")
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def headings(page: Path) -> list[str]:
    """Return the headings of a page, without their marks."""
    return re.findall(r"^#{1,6} (.+)$", prose(page), re.MULTILINE)


def anchor_of(heading: str) -> str:
    """Return the anchor that a heading gets where Markdown is shown."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def section(page: Path, heading: str) -> str:
    """Return the text from a heading to the next one."""
    parts = re.split(r"^#{1,6} (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return parts[parts.index(heading) + 1]


def leaves(root: type[DomainError]) -> set[type[DomainError]]:
    """Return the kinds of failure that have no kinds of their own."""
    below = root.__subclasses__()
    return {leaf for one in below for leaf in leaves(one)} if below else {root}


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Walk a command line: each command that does something, by its whole name."""
    inner = getattr(command, "commands", None)
    if not inner:
        yield name, command
        return
    for word, one in inner.items():
        yield from commands(one, f"{name} {word}")


COMMANDS = {
    name: command
    for word in cli.COMMANDS
    for name, command in commands(cli.load(word), f"kentongan {word}")
}


def test_every_domain_error_has_a_problem() -> None:
    assert leaves(DomainError) == set(problems.PROBLEMS)


def test_every_problem_has_its_heading_and_no_other() -> None:
    told = set(re.findall(r"^### (.+)$", prose(DOCS / "problems.md"), re.MULTILINE))
    known = {error.slug() for error in problems.PROBLEMS}
    assert told == known | set(problems.FRAMEWORK.values()) | {"http-error"}


def test_every_problem_tells_its_status() -> None:
    for error, problem in problems.PROBLEMS.items():
        text = section(DOCS / "problems.md", error.slug())
        assert f"**{int(problem.status)}" in text, error.slug()


def test_every_close_code_has_its_heading_and_no_other() -> None:
    told = {int(heading) for heading in headings(DOCS / "protocol.md") if heading.isdigit()}
    assert told == set(CLOSE_CODES)


def test_every_setting_has_its_heading_and_no_other() -> None:
    told = {heading for heading in headings(DOCS / "settings.md") if heading != "Settings"}
    assert told == {f"KENTONGAN_{name.upper()}" for name in Settings.model_fields}


def test_every_setting_tells_its_default() -> None:
    for name, field in Settings.model_fields.items():
        text = section(DOCS / "settings.md", f"KENTONGAN_{name.upper()}")
        default = {"None": "none", "[]": "none", "False": "false"}.get(
            str(field.default), str(field.default)
        )
        assert default in text, name


def test_every_secret_tells_of_its_file() -> None:
    page = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert all(f"KENTONGAN_{name.upper()}_FILE" in page for name in FROM_FILES)


def test_every_command_has_its_heading_and_no_other() -> None:
    told = {heading for heading in headings(DOCS / "cli.md") if heading.startswith("kentongan ")}
    assert told == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_told(name: str) -> None:
    text = section(DOCS / "cli.md", name)
    options = {
        word for option in COMMANDS[name].params for word in option.opts if word.startswith("--")
    }
    assert {word for word in options if f"`{word}`" not in text} == set()


def test_every_type_of_the_families_is_told() -> None:
    text = section(DOCS / "protocol.md", "Types")
    for family in FAMILIES.values():
        for kind in family.kinds.values():
            [row] = [
                line
                for line in text.splitlines()
                if line.startswith(f"| {family.code} (`{family.segment}`) | `{kind.code}` |")
            ]
            told = re.findall(r"`(\w+)` → (\*\*)?(\w+)(?:\*\*)?( ✓)?", row)
            assert told == [
                (verb, "" if state.open else "**", state.code, " ✓" if state.success else "")
                for verb, state in kind.verbs.items()
            ]
    assert all(f"`{verb}`" in text for verb in STATELESS_VERBS)


def test_every_scope_is_told() -> None:
    text = section(DOCS / "protocol.md", "Common rules")
    assert all(f"`{scope}`" in text for scope in SCOPES)


def test_every_metric_is_told() -> None:
    text = section(DOCS / "operations.md", "Metrics")
    ours = {one for one in vars(metrics).values() if hasattr(one, "_name")}
    names = {name for one in ours for name in REGISTRY._collector_to_names[one]}
    bare = {name for name in names if not name.endswith(("_created", "_bucket", "_count", "_sum"))}
    counted = {name for name in bare if f"{name}_total" not in bare}
    assert {name for name in counted if f"`{name}`" not in text} == set()


def test_every_action_of_the_log_is_told() -> None:
    told = set(re.findall(r"^\| `([\w.]+)`", section(DOCS / "operations.md", "Logs"), re.MULTILINE))
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "app").rglob("*.py"))
    assert told == set(re.findall(r'action="([\w.]+)"', code))


def test_every_folder_of_the_map_is_there() -> None:
    folders = re.findall(
        r"^\| `([\w/]+)/` \|", section(ROOT / "README.md", "Folders"), re.MULTILINE
    )
    assert folders
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []


def test_every_folder_of_the_program_is_on_the_map() -> None:
    text = section(ROOT / "README.md", "Folders")
    ours = {file.parent.name for file in (ROOT / "app").glob("*/__init__.py")}
    assert {folder for folder in ours if f"`app/{folder}/`" not in text} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in _LINK.findall(prose(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        leads = there.exists() and there.is_relative_to(ROOT)
        if not leads or (anchor and anchor not in map(anchor_of, headings(there))):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_and_name_that_is_told_is_there(page: Path) -> None:
    text = prose(page)
    gone = [file for file in _FILE.findall(text) if not (ROOT / file).is_file()]
    for file, name in _NAMED.findall(text):
        thing: Any = importlib.import_module(file.removesuffix(".py").replace("/", "."))
        for part in name.split("."):
            thing = getattr(thing, part, None)
        if thing is None:
            gone.append(f"{file}: {name}")
    assert gone == []


def test_every_decision_is_listed() -> None:
    listed = (DOCS / "decisions" / "README.md").read_text(encoding="utf-8")
    pages = {page.name for page in (DOCS / "decisions").glob("0*.md")}
    assert pages
    assert {page for page in pages if f"({page})" not in listed} == set()
