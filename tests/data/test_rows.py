"""Every named dataset: its row is complete, and it is read from the owners' own format."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.data import owners
from tunebook.data import DataSource, load, rows, split_table
from tunebook.data.readers import READERS
from tunebook.data.rows import DatasetRow
from tunebook.errors import DataRejected, UsageError
from tunebook.names import check_name

NAMES = """ag_news amazon_polarity amazon_reviews cola customer_reviews imdb movie_reviews mrpc pocket rte
sentiment140 sst2 stsb subjectivity trec tweet_emotion tweet_irony"""


def written(name: str, folder: Path) -> DataSource:
    owners.WRITERS[name](folder)
    return DataSource(name=name, files=str(folder))


def test_every_dataset_has_its_row() -> None:
    assert list(rows()) == NAMES.split()


@pytest.mark.parametrize("row", rows().values(), ids=rows())
def test_a_row_is_complete(row: DatasetRow) -> None:
    assert check_name(row.name, "dataset") == row.name
    assert row.task in ("classification", "regression")
    assert bool(row.label_names) == (row.task == "classification")
    for text in (row.language, row.licence, row.citation, row.homepage, row.split_rule):
        assert len(text) >= 2
    assert row.homepage.startswith("https://") and row.forms
    assert row.redistributable == row.licence.startswith("CC0")


@pytest.mark.parametrize("row", rows().values(), ids=rows())
def test_every_form_can_be_read_and_has_all_classes(row: DatasetRow) -> None:
    for form in row.forms:
        assert {"train"} <= set(form.parts)
        assert "test" in form.parts or (form.cut is not None and form.cut.test)
        assert "validation" in form.parts or (form.cut is not None and form.cut.validation)
        for part, files in form.parts.items():
            assert all(file.reader in READERS for file in files)
            if row.task == "classification":
                assert {label for file in files for label in file.labels.values()} == set(row.label_names), (
                    part
                )


def test_the_table_of_splits_names_every_form() -> None:
    table = split_table()
    assert table.count("\n") == 2 + sum(len(row.forms) for row in rows().values())
    assert (
        "| `sentiment140` | the owners' files, as Kaggle serves them | 140,000 of 1,600,000 | 10,000" in table
    )
    assert "| `sst2` | GLUE's files (columns in any order) | rest of 67,349 | 1,000 of 67,349 |" in table


@pytest.mark.parametrize("name", sorted(set(rows()) - {"pocket"}))
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_the_owners_format_is_read(name: str, packed: bool, tmp_path: Path) -> None:
    source = written(name, tmp_path)
    if packed and name != "imdb":  # a folder of single files is not packed
        owners.pack(tmp_path)
    dataset = load(source)
    row = rows()[name]
    assert {"train", "validation", "test"} <= set(dataset.splits)
    assert dataset.label_names == row.label_names and dataset.notes["bad_dropped"] == 0
    ids = [one for split in dataset.splits.values() for one in split.ids]
    assert len(set(ids)) == len(ids)
    for split in dataset.splits.values():
        assert set(split.table.column_names) <= {"id", "text", "pair", "label", "group"}
        assert str(split.table["text"].type) == "large_string"
    assert (dataset.splits["test"].pairs() is not None) == (name in ("mrpc", "rte", "stsb"))


def test_sentiment140_as_kaggle_serves_it(tmp_path: Path) -> None:
    dataset = load(written("sentiment140", tmp_path))
    sizes = {name: len(split) for name, split in dataset.splits.items()}
    assert sizes == {"train": 5, "validation": 1, "test": 2, "test_manual": 3}
    assert dataset.notes["skipped"] == {"test_manual": {"2": 1}}
    every = dataset.splits["train"].texts().to_pylist()
    assert all(text.startswith('@friend café, "text number') for text in every)
    assert not any("user" in str(column) for column in dataset.splits["train"].table.to_pylist())


def test_owners_ids_that_repeat_are_not_used(tmp_path: Path) -> None:
    dataset = load(written("sentiment140", tmp_path))
    assert all(one.startswith("training.1600000") for one in dataset.splits["train"].ids)
    assert dataset.splits["test_manual"].ids == ["0", "2", "3"]


def test_imdb_folders_keep_breaks_and_leave_unlabelled_reviews(tmp_path: Path) -> None:
    dataset = load(written("imdb", tmp_path))
    assert len(dataset.splits["test"]) == 40 and dataset.notes["rows_read"] == {"train": 40, "test": 40}
    assert dataset.splits["test"].ids[0] == "test-neg-0_2"
    assert "<br /><br />" in dataset.splits["test"].texts()[0].as_py()


def test_title_and_text_are_joined_and_newlines_unescaped(tmp_path: Path) -> None:
    text = load(written("amazon_polarity", tmp_path / "a")).splits["test"].texts()[0].as_py()
    assert text == 'Title 0: test said "so" \ntext number 0 of them'
    text = load(written("ag_news", tmp_path / "b")).splits["test"].texts()[0].as_py()
    assert text == 'Title 0 test\nof "text number 0 of them", Reuters'


def test_blitzers_markup_keeps_the_domain(tmp_path: Path) -> None:
    dataset = load(written("amazon_reviews", tmp_path))
    groups = {group for split in dataset.splits.values() for group in split.table["group"].to_pylist()}
    assert groups == {"books", "dvd", "electronics", "kitchen"}
    assert "Somebody" not in str(dataset.splits["train"].table.to_pylist())
    assert " & " in dataset.splits["train"].texts()[0].as_py()


def test_unlabelled_tests_of_glue_are_not_offered(tmp_path: Path) -> None:
    source = written("sst2", tmp_path)
    dataset = load(source)
    assert "test_labelled" not in dataset.splits and dataset.notes["not_offered"] == ["test_labelled"]
    (tmp_path / "SST-2" / "test.tsv").write_text("sentence\tlabel\na b\t-1\nc d\t-1\n")
    assert load(source).notes["not_offered"] == ["test_labelled"]
    (tmp_path / "SST-2" / "test.tsv").write_text("label\tsentence\n1\ta b\n0\tc d\n")
    assert len(load(source).splits["test_labelled"]) == 2


def test_minus_one_in_train_is_refused(tmp_path: Path) -> None:
    source = written("sst2", tmp_path)
    path = tmp_path / "SST-2" / "train.tsv"
    path.write_text(path.read_text() + "x\t-1\ny\tpos\nz\tpos\n")
    with pytest.raises(DataRejected, match=r"3 bad rows of 63.*\n.*'-1' where one of '0', '1'") as refused:
        load(source)
    assert "'pos' (2 times), '-1' (1 times)" in str(refused.value)
    assert load(dataclasses.replace(source, drop_bad=3)).notes["bad_dropped"] == 3


def test_scores_outside_their_range_are_refused(tmp_path: Path) -> None:
    source = written("stsb", tmp_path)
    path = tmp_path / "stsbenchmark" / "sts-train.csv"
    path.write_text(path.read_text() + "a\tb\tc\td\t5.2\te\tf\na\tb\tc\td\tnan\te\tf\n")
    with pytest.raises(DataRejected, match=r"label '5\.2' where a number from 0 to 5"):
        load(source)


def test_text_and_label_files_of_different_length_are_refused(tmp_path: Path) -> None:
    source = written("tweet_irony", tmp_path)
    (tmp_path / "val_labels.txt").write_text("0\n1\n")
    with pytest.raises(DataRejected, match="same number of lines"):
        load(source)


def test_an_absent_dataset_says_what_to_fetch_and_where_to_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="TUNEBOOK_DATA is not set") as unset:
        load(DataSource(name="sentiment140"))
    assert "training.1600000.processed.noemoticon.csv" in str(unset.value)
    monkeypatch.setenv("TUNEBOOK_DATA", str(tmp_path))
    (tmp_path / "tweet_irony").mkdir()
    (tmp_path / "tweet_irony" / "train_text.txt").write_text("a\n")
    with pytest.raises(UsageError) as absent:
        load(DataSource(name="tweet_irony"))
    message = str(absent.value)
    assert "train_labels.txt" in message and "train_text.txt" not in message
    assert str(tmp_path / "tweet_irony") in message and "https://github.com/cardiffnlp" in message


def test_unknown_names_are_answered_with_near_ones() -> None:
    with pytest.raises(UsageError, match="did you mean 'sentiment140'"):
        load(DataSource(name="sentiment-140"))
    for name in ("../sst2", "/etc/passwd", "sst2\0"):
        with pytest.raises(UsageError, match="unknown dataset"):
            load(DataSource(name=name))


def test_options_of_own_files_are_refused_for_a_name() -> None:
    with pytest.raises(UsageError, match="text, group: not for the named dataset 'pocket'"):
        load(DataSource(name="pocket", text=("text",), group="domain"))


def test_another_encoding_is_used_when_it_is_said(tmp_path: Path) -> None:
    source = written("amazon_reviews", tmp_path)
    path = tmp_path / "sorted_data_acl" / "dvd" / "positive.review"
    path.write_bytes(path.read_bytes().replace(b"more", "Guzmán".encode("latin-1")))
    with pytest.raises(DataRejected, match="row 14, byte"):
        load(source)
    assert load(dataclasses.replace(source, encoding="latin-1")).notes["bad_dropped"] == 0


def test_pocket_is_whole() -> None:
    dataset = load(DataSource(name="pocket"))
    assert dataset.redistributable and sum(map(len, dataset.splits.values())) >= 600
    groups = [group for split in dataset.splits.values() for group in split.table["group"].to_pylist()]
    assert len(set(groups)) == 3
