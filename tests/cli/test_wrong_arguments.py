"""A command line that is wrong is answered by one line that says what is right, and nothing is done."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ml_assets.cli.main import main
from ml_assets.project.faults import EXIT_CODE
from tests.support import shop
from tests.support.projects import TeamProject

HOURLY = {
    "taxi/logs": re.sub(
        "every: day.*timezone: .*}",
        'every: hour, start: "2017-11-01", timezone: America/New_York}',
        shop.DEFS["shop/logs"],
    ),
    "taxi/tip": shop.DEFS["shop/order"].replace("3d", "6h").replace("2d", "2h").replace("1d", "1h"),
}
HOURLY = {folder: text.replace("shop", "taxi").replace("taxi/order\n", "taxi/tip\n") for folder, text in HOURLY.items()}
ASSET = "shop/order/metrics_2d"
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> TeamProject:
    """A shop with daily logs, and taxis with hourly ones; no event has arrived."""
    root = tmp_path_factory.mktemp("wrong")
    team = TeamProject.make(root, "wrong_arguments", {**shop.DEFS, **HOURLY})
    for log in ("shop/visits", "shop/orders", "taxi/visits", "taxi/orders"):
        (team.home / "events" / log).mkdir(parents=True)
    (root / "a_file").touch()
    (root / "list.ipynb").write_text("[]")
    (root / "latin.py").write_bytes("# %%\n# für\n".encode("latin-1"))
    for name, text in {"broken": b"run_launcher: [", "unknown": b"nonsense: 3", "latin": b"# f\xfcr"}.items():
        (root / name).mkdir()
        (root / name / "dagster.yaml").write_bytes(text)
    return team


@pytest.fixture
def run(team: TeamProject, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in the project's folder, on its home."""
    monkeypatch.chdir(team.root)
    monkeypatch.setenv("DAGSTER_HOME", str(team.home))
    monkeypatch.setattr(sys, "path", list(sys.path))
    return lambda *arguments: CliRunner().invoke(main, arguments, catch_exceptions=False)


def said(result: Result) -> str:
    """What a refused command says, which is one line beside click's usage."""
    assert result.exit_code in (1, 2, EXIT_CODE), result.output
    lines = [line for line in result.output.splitlines() if line and not line.startswith(("Usage: ", "Try "))]
    assert len(lines) == 1, result.output
    return lines[0].removeprefix("Error: ")


SELECTIONS = [
    ("shop/ordr", "'shop/ordr' is no service, model, asset or selection of Dagster such as"),
    (
        "shop/ordr",
        "did you mean 'shop/order'?); there are all, shop, taxi, shop/order, taxi/tip, shop/order/training_data",
    ),
    ("shp", "did you mean 'shop'?"),
    ("shop/order/metrics_9d", "did you mean 'shop/order/metrics_2d'?"),
    ("shop//order", "did you mean 'shop/order'?"),
    ("", "'' is no service"),
    (" ", "' ' is no service"),
    ("group:nobody", "'group:nobody' is no service"),
    ('key:"', "'key:\"' is no selection of Dagster: Invalid selection string"),
    ("(((", "'(((' is no selection of Dagster: "),
    ("key:shop/visits", "'key:shop/visits' is no service, model, asset or selection"),
]
SPANS = [
    (
        "shop/order",
        "--from",
        "soon",
        "--from of shop/order: 'soon' is no partition of a calendar with one each day from 2026-03",
    ),
    ("shop/order", "--from", "", "'' is no partition"),
    ("shop/order", "--from", "2026-13-01", "from 2026-03-01 on and before 2026-03-15"),
    ("shop/order", "--from", "2026-3-5", "did you mean 2026-03-05?"),
    ("shop/order", "--from", "20260305", "did you mean 2026-03-05?"),
    ("shop/order", "--from", "2026-W10", "did you mean 2026-03-02?"),
    ("shop/order", "--to", "2026-03-05-05:00", "did you mean 2026-03-05?"),
    ("shop/order", "--from", "2026-02-28", "from 2026-03-01 on and before 2026-03-15"),
    (
        "shop/order",
        "--to",
        "2030-01-01",
        "--to of shop/order: '2030-01-01' is no partition of a calendar with one each day",
    ),
    ("taxi/tip", "--from", "2017-11-08-05:00", "did you mean 2017-11-08-05:00-0500?"),
    ("taxi/tip", "--from", "2017-11-08 05:00", "did you mean 2017-11-08-05:00-0500?"),
    ("taxi/tip", "--to", "2017-11-08-10:00+0000", "did you mean 2017-11-08-05:00-0500?"),
    ("taxi/tip", "--from", "2017-11-08T05:00-05:00", "did you mean 2017-11-08-05:00-0500?"),
    ("taxi/tip", "--from", "2017-11-08", "did you mean 2017-11-08-00:00-0500?"),
    ("taxi/tip", "--from", "2017-11-05-01:00", "did you mean 2017-11-05-01:00-0400 or 2017-11-05-01:00-0500?"),
    (
        "taxi/tip",
        "--from",
        "2017-11-08-25:00",
        "is no partition of a calendar with one each hour from 2017-11-01-00:00-0400",
    ),
    ("all", "--from", "2026-03-05", "--from of taxi/tip: "),
]


@pytest.mark.parametrize(("selection", "words"), SELECTIONS)
def test_a_selection_of_nothing(selection: str, words: str, run: Run) -> None:
    assert words in said(run("plan", selection))


def test_a_backfill_begins_nothing_for_what_is_none(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml_assets.project.answers.backfill.run_backfill", None)
    assert "did you mean 'shop/order'?" in said(run("backfill", "shop/ordr"))
    assert "did you mean 2017-11-08-05:00-0500?" in said(run("backfill", "taxi/tip", "--from", "2017-11-08-05:00"))


@pytest.mark.parametrize(("selection", "option", "key", "words"), SPANS)
def test_a_partition_that_is_none(selection: str, option: str, key: str, words: str, run: Run) -> None:
    assert words in said(run("plan", selection, option, key))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "2026-03-09", "--to", "2026-03-05"], "--from 2026-03-09 is after --to 2026-03-05"),
        (["--budget", "5"], "--budget: '5' is not accepted; write a number of runs or a time"),
        (["--budget", ""], "--budget: '' is not accepted"),
        (["--budget", "-3 runs"], "--budget: '-3 runs' is not accepted"),
        (["--budget", "99999999999d"], "--budget: '99999999999d' is not accepted"),
        (["--partitions-per-run", "0"], "0 is not in the range x>=1"),
        (["--parallel", "many"], "'many' is not a valid integer"),
        (["--frm", "2026-03-09"], "No such option '--frm'"),
    ],
)
def test_an_option_of_a_plan(arguments: list[str], words: str, run: Run) -> None:
    assert words in said(run("plan", "shop/order", *arguments))


@pytest.mark.parametrize("command", ["lineage", "notebook"])
@pytest.mark.parametrize(
    ("asset", "partition", "words"),
    [
        (
            "shop/order/metrics_9d",
            "2026-03-05",
            "no asset of a model (did you mean 'shop/order/metrics_2d'?); there are",
        ),
        ("shop/visits", "2026-03-05", "'shop/visits' is no asset of a model"),
        ("", "", "'' is no asset of a model"),
        (ASSET, "2026-13-01", "'2026-13-01' is no partition of a calendar with one each day from 2026-03-01 on"),
        (ASSET, "", "'' is no partition"),
        (ASSET, "../../x", "'../../x' is no partition"),
        ("taxi/tip/model", "2017-11-08-05:00", "did you mean 2017-11-08-05:00-0500?"),
    ],
)
def test_an_asset_or_its_partition(command: str, asset: str, partition: str, words: str, run: Run) -> None:
    assert words in said(run(command, asset, partition))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["debt", "shop/ordr"], "'shop/ordr' is no model (did you mean 'shop/order'?); there are shop/order, taxi/tip"),
        (["debt", "shop/order/model"], "did you mean 'shop/order'?"),
        (["debt", "--as-of", "2026-03-05"], "write a date before 2100, a time and a zone"),
        (["debt", "--as-of", "9999-12-31T00:00Z"], "write a date before 2100"),
        (["debt", "--as-of", "0001-01-01T00:00+14:00"], "write a date before 2100"),
        (["harmless", "shop/order/modl", "--reason", "x"], "did you mean 'shop/order/model'?"),
        (["harmless", "shop/order/model"], "Missing option '--reason'"),
        (["verify", "shop/ordr"], "did you mean 'shop/order'?"),
        (["verify", ""], "'' is no service"),
        (["verify", "shop/order", "--hash"], "No such option '--hash'"),
        (["verify", "--home", "nowhere"], "'nowhere' does not exist; `make demo` makes a home with events"),
        (["retry", "nope"], "there is no run nope"),
        (["report", "--output", "a_file/report.html"], "a_file/report.html: cannot be written: "),
        (["report", "--output", "/proc/report.html"], "/proc/report.html: cannot be written: "),
        (["report", "--output", "."], "'.' is a directory"),
        (["report", "--output", ""], "an empty text is no path"),
        (["home", "--home", ""], "an empty text is no path"),
        (["home", "--home", "a_file"], "'a_file' is a file"),
        (["home", "--home", "a_file/home"], "a_file/home: cannot be a home folder: Not a directory"),
        (["home", "--home", "/proc/home"], "/proc/home: cannot be a home folder: "),
        (["debt", "--home", "nowhere"], "'nowhere' does not exist; `make demo` makes a home with events"),
        (["debt", "--home", "broken"], "broken/dagster.yaml: is no configuration of Dagster: while parsing"),
        (
            ["report", "--home", "unknown"],
            'unknown/dagster.yaml: is no configuration of Dagster: Received unexpected config entry "nonsense" at the root',
        ),
        (["plan", "all", "--home", "latin"], "latin/dagster.yaml: is no configuration of Dagster: 'utf-8' codec"),
        (["pair", ""], "an empty text is no path"),
        (["pair", "nowhere.ipynb"], "nowhere.ipynb: there is no such file or folder"),
        (["pair", "a_file"], "a_file: is no half of a notebook"),
        (["new", "shop"], "SERVICE/MODEL: 'shop' is not accepted"),
        (["new", "new/model", "--from-notebook", "list.ipynb"], "list.ipynb: is no notebook (version 4)"),
        (["new", "new/model", "--from-notebook", "latin.py"], "latin.py: is no notebook (version 4)"),
        (["new", "new/model", "--from-notebook", ""], "an empty text is no path"),
        (["new", "new/model", "--timezone", "x: y"], "partitions.timezone: 'x: y' is not accepted; an IANA name"),
        (["new", "new/model", "--start", '2026"'], "partitions.start: '2026\"' is not accepted"),
        (["new", "new/model", "--start", "9999-01-01"], "partitions.start: '9999-01-01' is not accepted; a date from"),
        (["new", "new/model", "--every", "month"], "'month' is not one of 'hour', 'day', 'week'"),
        (
            ["new", "shop/next", "--every", "hour"],
            "--every hour: is for new logs; those of shop/next are declared already",
        ),
        (["new", "new/model", "--id", "a,a"], "columns.key: ['a', 'a'] is not accepted"),
        (["demo", "--minutes", "-1"], "-1.0 is not in the range x>=0"),
        (["dev", "--home", "a_file"], "'a_file' is a file"),
        (["nope"], "No such command 'nope'"),
    ],
)
def test_any_other(arguments: list[str], words: str, run: Run) -> None:
    assert words in said(run(*arguments))


def test_what_lies_before_the_first_partition_is_said(run: Run) -> None:
    result = run("plan", "shop/order", "--from", "2026-03-01")
    assert result.exit_code == 0
    words = (
        "shop/order begins at 2026-03-03, the first whose training window (3d) lies inside its logs: nothing is planned"
    )
    assert words in result.output
    assert "begins at" not in run("plan", "shop/order", "--from", "2026-03-03").output
    assert "begins at" not in run("plan", "shop/order").output


@pytest.mark.parametrize(
    "command", [["debt"], ["plan", "all"], ["backfill", "all"], ["report"], ["verify"], ["lineage", ASSET, "2026-03-05"],
                ["notebook", ASSET, "2026-03-05"], ["harmless", ASSET, "--reason", "x"], ["new", "shop/next"]]
)  # fmt: skip
def test_each_command_answers_a_wrong_file_by_one_line(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    defs = {**shop.DEFS, "shop/order": shop.DEFS["shop/order"].replace("outcomes:", "outcoms:")}
    team = TeamProject.make(tmp_path / "team", f"wrong_file_{command[0]}", defs)
    monkeypatch.chdir(team.root)
    monkeypatch.setenv("DAGSTER_HOME", str(team.home))
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert result.exit_code == EXIT_CODE
    file = team.root / team.package / "defs/shop/order/defs.yaml"
    assert said(result).startswith(
        f"{file}: attributes.outcoms: 'shop/orders' is not accepted; there is no such key; did you"
    )
