"""What a command says when it cannot do what was asked."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsError

from app.cli.failures import fail_clearly
from app.cli.output import CommandError
from app.cli.supervise import ChildFailed
from app.domain.errors import UnknownRegion
from app.settings import Settings


def said_and_code(error: Exception, capsys: pytest.CaptureFixture[str]) -> tuple[str, object]:
    """Return what is said of a failure, and the exit code."""
    with pytest.raises(SystemExit) as end:
        fail_clearly(error)
    return capsys.readouterr().err, end.value.code


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(CommandError("no such thing"), id="the command itself"),
        pytest.param(UnknownRegion("no such thing"), id="the domain"),
        pytest.param(
            ExceptionGroup("tasks", [ExceptionGroup("inner", [UnknownRegion("no such thing")])]),
            id="beside running tasks",
        ),
    ],
)
def test_an_expected_failure_is_one_sentence(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said_and_code(error, capsys) == ("kentongan: no such thing\n", 1)


def test_a_child_that_could_not_start_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    said, code = said_and_code(ExceptionGroup("tasks", [ChildFailed("api", 3)]), capsys)
    assert (said, code) == ("kentongan: api could not start (exit 3)\n", 1)


def test_a_long_sentence_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    said, _ = said_and_code(CommandError("word " * 60), capsys)
    assert said.count("\n") == 1


def test_a_bug_is_not_hidden_beside_an_expected_failure() -> None:
    mixed = ExceptionGroup("tasks", [CommandError("no such thing"), RuntimeError("a bug")])
    with pytest.raises(ExceptionGroup) as raised:
        fail_clearly(mixed)
    assert raised.value is mixed


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("KENTONGAN_PORT", "70000", "KENTONGAN_PORT: Input should be"),
        ("KENTONGAN_ALLOWED_ORIGINS", "https://here", "allowed_origins"),
        ("KENTONGAN_DATABASE_URL_FILE", "/nowhere", "KENTONGAN_DATABASE_URL_FILE names a file"),
    ],
)
def test_a_wrong_setting_is_named_without_its_value(
    variable: str,
    value: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises((ValidationError, SettingsError)) as wrong:
        Settings()
    told, code = said_and_code(wrong.value, capsys)
    assert said in told
    assert value not in told
    assert code == 2
