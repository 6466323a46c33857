"""Which texts name a path of this machine, and which one elsewhere."""

import pickle
from pathlib import Path

import pytest
from pydantic import BaseModel
from upath import UPath

from ml_assets.paths import OutsideError, PathField, check_inside, local_copy, name_below, outage_in, path_of


class Order(BaseModel):
    files: list[PathField]
    schema_file: PathField | None


@pytest.mark.parametrize(
    ("text", "path"), [("/data/a b", Path("/data/a b")), ("home", Path("home")), ("file:///data", Path("/data"))]
)
def test_a_text_without_a_scheme_names_a_path_of_this_machine(text: str, path: Path) -> None:
    assert path_of(text) == path
    assert isinstance(path_of(text), Path)


def test_a_url_names_a_path_that_fsspec_reaches() -> None:
    path = path_of("memory://bucket/a") / "b=1"
    assert isinstance(path, UPath)
    assert str(path) == "memory://bucket/a/b=1"


def test_a_store_has_one_name_whichever_it_is_called_by() -> None:
    assert path_of("s3a://bucket/a") == path_of("s3://bucket/a")


def test_no_listing_of_a_store_is_remembered() -> None:
    path = path_of("s3://bucket/a")
    assert isinstance(path, UPath)
    assert path.storage_options["use_listings_cache"] is False


def test_hours_are_escaped_where_a_store_may_allow_no_colon() -> None:
    assert name_below(Path("/data"), "2026-01-01-05:00+0000") == "2026-01-01-05:00+0000"
    assert name_below(path_of("memory://bucket"), "2026-01-01-05:00+0000") == "2026-01-01-05%3A00+0000"


@pytest.mark.parametrize("root", ["hdfs://name:8020", "hdfs://nameservice", "viewfs://cluster", "hdfs://"])
def test_the_text_of_a_path_in_hdfs_names_its_name_node(root: str) -> None:
    path = path_of(f"{root}/team a/b?c#d%3A/e")
    assert isinstance(path, UPath)
    assert path.path == "/team a/b?c#d%3A/e"
    derived = [path, path.parent / "e", path.parent.joinpath("e"), path_of(str(path)), pickle.loads(pickle.dumps(path))]
    assert [str(one) for one in derived] == [f"{root}/team a/b?c#d%3A/e"] * 5
    order = Order(files=[path], schema_file=path)
    assert Order.model_validate_json(order.model_dump_json()) == order
    assert set(path.storage_options) <= {"host", "port"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("AwayError: s3://models: no answer", "s3://models: no answer"),
        ("IOException: AwayError: s3://models: no answer\n\nAt: read", "s3://models: no answer"),
        ("AwayError: ", ""),
    ],
)
def test_an_outage_is_found_in_what_others_make_of_it(text: str, told: str) -> None:
    assert str(outage_in(text)) == told
    assert outage_in(text.replace("AwayError", "ValueError")) is None


def test_a_scheme_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="gopher"):
        path_of("gopher://bucket/a")


def test_a_path_travels_in_json_and_stays_what_it_was() -> None:
    order = Order(files=["memory://bucket/a%3A/b", Path("/data/a")], schema_file=None)
    again = Order.model_validate_json(order.model_dump_json())
    assert again == order
    assert [type(path) for path in again.files] == [type(path) for path in order.files]


def test_a_folder_of_this_machine_is_not_copied(tmp_path: Path) -> None:
    assert local_copy(tmp_path, tmp_path / "other") == tmp_path
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("name", ["a.txt", "trees/1.txt", "..a/b..", ".hidden", "a b", "a%2F..%2Fb"])
def test_a_file_below_a_folder_may_have_any_plain_name(name: str) -> None:
    check_inside(Path("/models"), name)


@pytest.mark.parametrize(
    "name", ["", "..", "../a", "a/../../b", "a/../b", "/etc/passwd", "./a", "a/./b", "a//b", "a/", "a\0b"]
)
def test_a_name_that_might_lead_out_of_its_folder_is_refused_on_one_line(name: str) -> None:
    with pytest.raises(OutsideError) as refused:
        check_inside(path_of("memory://bucket/model"), name)
    assert str(refused.value).startswith(f"memory://bucket/model: {name!r} is no name of a file in this folder")


@pytest.mark.parametrize("name", ["../escaped.txt", "a/../../escaped.txt", "/escaped.txt"])
def test_of_a_folder_with_an_object_that_leads_out_of_it_nothing_is_copied(tmp_path: Path, name: str) -> None:
    folder = path_of(f"memory://{tmp_path.name}/model")
    assert isinstance(folder, UPath)
    (folder / "a.txt").write_text("a")
    folder.fs.store[f"{folder.path}/{name}"] = folder.fs.store[f"{folder.path}/a.txt"]
    with pytest.raises(OutsideError, match="escaped"):
        local_copy(folder, tmp_path / "inner" / "here")
    assert list(tmp_path.rglob("*")) == []
