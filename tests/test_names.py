"""Names that become those of files lead nowhere."""

from pathlib import Path

import pytest

import isoexp as package
from isoexp.claims import Claim
from isoexp.errors import UserError
from isoexp.names import check_name, climbs, is_name
from isoexp.store.files import write_json
from isoexp.store.run import Run

from .commands import Command
from .experiment.runs import TINY
from .report.studies import NODE

PATHS = (
    "",
    ".",
    "..",
    "../x",
    "a/../b",
    "/a",
    "a/",
    "a//b",
    "a\\b",
    "..\\a",
    "a\0b",
    "~",
    "-a",
    "a\n",
)
"""What is no name of anything."""

LONG = 101 * "a"


@pytest.mark.parametrize("name", [*PATHS, LONG, 60 * "é", None, 5])
def test_a_name_is_no_path(name: object) -> None:
    for nested in (False, True):
        with pytest.raises(UserError, match=r"^it must ") as told:
            check_name("it", name, nested)
        assert "\n" not in str(told.value)


def test_what_is_a_name() -> None:
    for name in ("refraction", "a_b-1,2+c", "größe", "7", 100 * "a"):
        check_name("it", name)
    for name in ("a.b/c", "1e3", "a..b"):
        check_name("it", name, nested=True)
        with pytest.raises(UserError):
            check_name("it", name + ".")  # the table of a is no table of a.b


@pytest.mark.parametrize("text", ["..", "../x", "x/..", "x/../y", "x\\..\\y", "k=..", "k=[../a,b]"])
def test_what_climbs(text: str) -> None:
    assert climbs(text)


@pytest.mark.parametrize("text", ["a..b", "...", "${a.b}", "v1..2", "x/...", ""])
def test_what_does_not_climb(text: str) -> None:
    assert not climbs(text)


def test_hosts_and_files_are_names() -> None:
    assert all(map(is_name, ("host.local-12-ab", "a b", "..a", "metrics.parquet")))
    assert not any(map(is_name, ("", ".", "..", "a/b", "a\\b", "a\0")))


@pytest.mark.parametrize(
    "name", ["../../../up", "a/b", "a.b", "..", "a*", "a b", "a\\b", "a\0b", LONG]
)
def test_a_probe_is_named_by_no_path(name: str, isoexp: Command, folder: Path) -> None:
    own = folder / "own" / "probe"
    own.mkdir(parents=True)
    escaped = name.replace("\\", "\\\\").replace("\0", "\\0")
    (own / "mine.yaml").write_text(f'"{escaped}":\n  _target_: isoexp.probes.Spectrum\n')
    before = sorted(folder.rglob("*"))
    told = isoexp("train", *TINY, "steps=1", "--config-dir", "own", "probe=mine")

    assert (told.code, told.err.count("\n")) == (2, 1), told
    assert "a probe's name must" in told.err
    assert sorted(folder.rglob("*")) == before


def test_an_out_with_a_zero_is_refused(isoexp: Command, folder: Path) -> None:
    own = folder / "own" / "experiment"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text('# @package _global_\nout: "a\\0b"\n')
    told = isoexp("train", *TINY, "--config-dir", "own", "experiment=mine")

    assert (told.code, told.err.count("\n")) == (2, 1), told
    assert "out must be a folder" in told.err


@pytest.mark.parametrize("of", ["../../x", "/etc/x", "a/b", ""])
def test_a_claim_reads_tables_by_name(of: str) -> None:
    metric = {"accuracy": {"of": of, "column": "y"}}
    with pytest.raises(UserError, match=r"metrics\.accuracy\.of must be made of"):
        Claim.at("mine", {**NODE, "metrics": metric}, "laptop")
    with pytest.raises(UserError, match=r"curve\.of must be made of"):
        Claim.at("mine", {**NODE, "curve": {"of": of, "x": "x", "y": "y"}}, "laptop")


@pytest.mark.parametrize("table", ["../metrics", "../../x", "/x", ""])
def test_tables_are_read_by_name(table: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a table must be made of"):
        package.read(tmp_path, table)


@pytest.mark.parametrize("name", ["../outside.parquet", "/etc/passwd.json", "probes/../../x.json"])
def test_a_run_tells_of_no_file_of_others(name: str, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    write_json(run.folder / "state.json", {"state": "completed", "files": {name: [1, 2]}})

    assert run.damage == f"state.json tells of {name}, which is no file of the run"


@pytest.mark.parametrize(
    ("subdir", "told"),
    [
        ("x/../../y", "got x/../../y"),
        ("${hydra.job.override_dirname}", "got data.root=a/../../b,c"),
        ("${data.root}", "got data.root=a/../../b,c"),
    ],
)
def test_hydra_names_no_folder_that_leads_out(
    subdir: str, told: str, isoexp: Command, folder: Path
) -> None:
    own = folder / "own" / "experiment"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text(
        f"# @package _global_\nhydra: {{sweep: {{subdir: '{subdir}'}}}}\nsteps: 1\n"
    )
    before = sorted(folder.rglob("*"))
    words = ("experiment=mine", "data=spheres", "+data.root=a/../../b,c", "hydra/launcher=basic")
    refused = isoexp("train", "-m", "--config-dir", "own", *words, "hydra/sweeper=basic")

    assert (refused.code, refused.err.count("\n")) == (2, 1), refused
    assert f"hydra's subdir must stay in its folder, {told}" in refused.err.replace("+", "")
    assert sorted(folder.rglob("*")) == before


@pytest.mark.slow
def test_hydra_is_led_elsewhere_by_a_path(isoexp: Command, folder: Path) -> None:
    there = folder / "there"
    words = ("hydra/launcher=basic", f"hydra.output_subdir={there}", "hydra.sweep.dir=../beside")
    told = isoexp("train", "-m", *TINY, "steps=1", "probe=none", "seed=0,1", *words)

    assert told.code == 0, told
    assert (there / "config.yaml").is_file()
    assert (folder.parent / "beside" / "0").is_dir()
