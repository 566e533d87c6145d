"""The command line as a whole: codes, streams, and what `--help` costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from domicile.cli import main as main_module
from domicile.cli.main import COMMANDS, cli, main
from domicile.cli.output import Output, estate_option, output_options
from domicile.errors import DeclarationError, PlanRefused, Stopped, StoreUnreachable

HEAVY = {"asyncpg", "apsw", "duckdb", "pyarrow", "sqlglot", "jsonschema", "hyperscan", "rich"}

Install = Callable[[Callable[[Output], int | None]], None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """A function that makes `domicile apply` run the given body."""

    def put(body: Callable[[Output], int | None]) -> None:
        @click.command()
        @estate_option
        @output_options
        def command(estate: Path, out: Output) -> int | None:
            return body(out)

        def get(table: object, ctx: click.Context, name: str) -> click.Command | None:
            return command if name == "apply" else None

        monkeypatch.setattr(main_module.CommandTable, "get_command", get)

    return put


def _raiser(error: BaseException) -> Callable[[Output], int | None]:
    def body(out: Output) -> int | None:
        raise error

    return body


def test_help_imports_nothing_heavy() -> None:
    probe = (
        "import sys; from domicile.cli.main import main; code = main(['--help'])\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)), code, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[] 0"
    assert "Usage: domicile" in done.stdout


def test_every_command_of_the_table_agrees_with_its_file() -> None:
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        assert command.get_short_help_str(limit=200) == COMMANDS[name], name


def test_every_command_file_is_in_the_table() -> None:
    folder = Path(main_module.__file__).parent
    helpers = {"__init__", "main", "output"}
    files = {file.stem for file in folder.glob("*.py")} - helpers
    commands = {stem for stem in files if "\ncommand" in (folder / f"{stem}.py").read_text()
                or "def command(" in (folder / f"{stem}.py").read_text()}  # fmt: skip
    assert commands <= set(COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("domicile 0.")


@pytest.mark.parametrize("arguments", [["no-such-command"], ["--no-such-option"], ["apply", "--x"]])
def test_usage_errors_are_2(
    arguments: list[str], install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install(lambda out: None)
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("domicile: error: ")
    assert "--help` says how it is used" in shown.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DeclarationError("got x, expected y", file="estate.yaml", line=3, key="stores"), 2),
        (StoreUnreachable("abroad", "no answer", hint="start it"), 3),
        (PlanRefused("the plan is stale"), 4),
        (Stopped("half-way"), 5),
    ],
)
def test_each_error_has_its_code_and_one_message(
    error: Exception, code: int, install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install(_raiser(error))
    assert main(["apply", "--json"]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == f"domicile: error: {error}\n"


def test_a_fault_of_ours_is_named_as_ours_and_shows_no_data(
    install: Install, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOMICILE_TRACE", raising=False)
    install(_raiser(ValueError("anna@example.org")))
    assert main(["apply"]) == 70
    quiet = capsys.readouterr()
    assert "fault in Domicile" in quiet.err
    assert "anna@example.org" not in quiet.err + quiet.out
    assert main(["apply", "-v"]) == 70
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("raised", "code"),
    [(KeyboardInterrupt(), 5), (click.Abort(), 4)],
)
def test_an_interrupted_apply_can_be_resumed(
    raised: BaseException, code: int, install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install(_raiser(raised))
    assert main(["apply"]) == code
    assert capsys.readouterr().err.strip().startswith("domicile: ")


def test_json_is_one_document_and_quiet_is_quiet(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    def body(out: Output) -> int:
        out.say("reading")
        out.emit({"ok": True, "naam": "Zoë"}, lambda: out.table("T", ["n"], [[1234567]]))
        return 1

    install(body)
    assert main(["apply", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"ok": True, "naam": "Zoë"}
    assert main(["apply"]) == 1
    assert "1,234,567" in capsys.readouterr().out
    assert main(["apply", "--quiet"]) == 1
    assert capsys.readouterr().out == ""


def test_a_reader_that_goes_away_is_no_error() -> None:
    code = (
        "import sys; from domicile.cli.main import main, cli; import click\n"
        "cli.get_command = lambda ctx, name: click.Command('apply',"
        " callback=lambda: [click.echo('x' * 100) for _ in range(100_000)])\n"
        "sys.exit(main(['apply']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(timeout=30) == 141
    assert errors == ""


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-"])
def test_a_closed_end_is_no_fault(closed: str) -> None:
    ran = subprocess.run(
        ["sh", "-c", f'"$0" -m domicile law list {closed}', sys.executable], check=False
    )
    assert ran.returncode == 0


@pytest.mark.parametrize("group", [[], ["log"], ["law"], ["devices"]])
def test_a_group_by_itself_shows_its_help(
    group: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(group) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("Usage: domicile ")
    assert "Commands:" in shown.err


@pytest.mark.parametrize("demo", [["demo", "--people", "50"], ["devices", "demo"]])
def test_a_folder_that_cannot_be_made_is_one_error(
    demo: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main([*demo, "--dir", str(tmp_path / "file" / "demo")]) == 2
    assert "cannot make the folder" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_finding() -> None:
    shell = '"$0" -m domicile law list; echo $? >&2'
    with subprocess.Popen(
        ["sh", "-c", shell, sys.executable], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as ran:
        assert ran.stdout is not None
        ran.stdout.close()
        assert ran.stderr is not None
        assert ran.stderr.read() == b"141\n"
