"""The catalogue as a whole: rendered from open data, the same bytes twice, drift found, hostile texts literal."""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests import results
from tests.publish.made import HOSTILE, TOML, book_of
from tunebook.book import Book
from tunebook.errors import UsageError
from tunebook.publish import notebooks
from tunebook.publish.catalogue import Catalogue, publish, publish_with_texts
from tunebook.publish.readme import BEGIN, END


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "README.md").write_text(f"# Ours\n\n{BEGIN}\n{END}\n\nThe end.\n")
    return tmp_path / "repository"


def files(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
    }


class Links(HTMLParser):
    """The addresses of a page, and how deep its elements are nested at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("href", "src") and value]


def links(page: bytes) -> Links:
    found = Links()
    found.feed(page.decode())
    return found


def test_publishing_twice_gives_the_same_bytes_and_no_fault(tmp_path: Path, repository: Path) -> None:
    book = book_of(tmp_path / "book", tuned=True)
    publish(book, repository)
    before = files(repository)
    changes = publish(book, repository)
    assert changes.written == [] and files(repository) == before
    assert list(Catalogue(repository).faults()) == []


def test_a_second_repository_gets_the_same_bytes(tmp_path: Path, repository: Path) -> None:
    publish(book_of(tmp_path / "book"), repository)
    other = tmp_path / "other"
    other.mkdir()
    (other / "README.md").write_text((repository / "README.md").read_text())
    (other / "catalogue").mkdir()
    subprocess.run(["cp", "-r", str(repository / "catalogue" / "data"), str(other / "catalogue")], check=True)
    from tunebook.publish.export import Changes

    Catalogue(other).write(Changes())
    assert files(other) == files(repository)


@pytest.mark.parametrize(
    ("file", "says"),
    [("catalogue/index.html", "out of date or was edited by hand"), ("README.md", "its block is out of date"),
     ("catalogue/experiments/study.html", "out of date or was edited by hand")],
)  # fmt: skip
def test_a_hand_edited_file_is_found(tmp_path: Path, repository: Path, file: str, says: str) -> None:
    publish(book_of(tmp_path / "book"), repository)
    path = repository / file
    path.write_text(path.read_text().replace("full", "fuller"))
    assert [fault for fault in Catalogue(repository).faults() if says in fault]


def test_missing_and_foreign_pages_are_found_and_mended(tmp_path: Path, repository: Path) -> None:
    book = book_of(tmp_path / "book")
    publish(book, repository)
    (repository / "catalogue" / "reading.html").unlink()
    stale = [
        "catalogue/runs/none--majority--old--s0--0123456789ab.html",
        "catalogue/charts/old.js",
        "catalogue/datasets/old.html",
        "catalogue/experiments/old.html",
        "notebooks/old.ipynb",
    ]
    own = [
        "catalogue/.nojekyll",
        "catalogue/assets/more.js",
        "catalogue/data/README.txt",
        "catalogue/data/runs/notes.md",
        "catalogue/runs/notes.html",
        "notebooks/README.md",
        "notebooks/mine.ipynb",
    ]
    (repository / "notebooks").mkdir()
    for name in (*stale, *own):
        (repository / name).write_text(
            '{"metadata": {"tunebook": {"inputs": "x"}}}' if "old" in name else "{}"
        )
    (repository / "catalogue" / "a-link.html").symlink_to(repository / "README.md")
    faults = list(Catalogue(repository).faults())
    assert "catalogue/reading.html is missing" in faults
    for name in (*stale, *own, "catalogue/a-link.html"):
        assert [fault for fault in faults if fault.startswith(f"{name} ")], name
    changes = publish(book, repository)
    assert sorted(changes.removed) == sorted(stale) and not any(
        (repository / name).exists() for name in stale
    )
    assert all((repository / name).is_file() for name in own), "what is somebody's own stays"
    assert set(changes.foreign) == {"catalogue/a-link.html", *(name for name in own if "/data/" not in name)}
    for name in (*own, "catalogue/a-link.html"):
        (repository / name).unlink()
    assert list(Catalogue(repository).faults()) == []


def test_the_notebook_of_an_experiment_that_is_gone_goes(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = '{"metadata": {"tunebook": {"inputs": ""}}}'
    monkeypatch.setattr(notebooks, "build", lambda study: told.encode())
    (repository / "experiments").mkdir()
    (repository / "experiments" / "study.toml").write_text(TOML)
    publish(book_of(tmp_path / "book"), repository)
    assert (repository / "notebooks" / "study.ipynb").read_text() == told
    changes = publish(Book(tmp_path / "empty"), repository, prune=True)
    assert "notebooks/study.ipynb" in changes.removed
    assert not list((repository / "notebooks").iterdir())


def test_files_that_are_broken_are_named_and_the_rest_is_published(tmp_path: Path, repository: Path) -> None:
    for kind in ("claims", "experiments"):
        (repository / kind).mkdir()
        (repository / kind / "broken.toml").write_text("= no TOML")
    (repository / "experiments" / "faulty.toml").write_text("seeds = 'many'\n")
    book = book_of(tmp_path / "book")
    for place, content in enumerate(("{", '{"name": "x"}')):
        folder = book.experiments / f"damaged--{place:012x}"
        folder.mkdir()
        (folder / "expansion.json").write_text(content)
    changes = publish(book, repository)
    assert set(changes.skipped) == {
        "damaged--000000000000", "damaged--000000000001", "claims, 1", "experiments/broken.toml",
        "experiments/faulty.toml",
    }  # fmt: skip
    assert "not valid TOML" in changes.skipped["experiments/broken.toml"]
    assert (repository / "catalogue" / "experiments" / "study.html").is_file()
    damaged = repository / "catalogue" / "data" / "experiments" / "damaged--000000000000.json"
    damaged.write_text('{"schema": 1, "name": "damaged", "digest": "000000000000", "toml": "="}')
    assert "experiments/damaged--000000000000.json" in publish(book, repository).skipped


def test_the_readme_of_the_data_says_whose_each_dataset_is(tmp_path: Path, repository: Path) -> None:
    examples = results.examples()
    book = book_of(tmp_path / "book")
    for name in ("pocket", "sst2"):
        told = results.declared(results.Run(dataset=name, seed=9))
        told["spec"]["dataset"] |= {"name": name, "path": None}
        results.finish(book, results.Run(seed=9, examples=examples, dataset=name), told)
    publish(book, repository)
    text = (repository / "catalogue" / "data" / "README.md").read_text()
    assert "<!-- datasets -->" not in text
    assert "| pocket | CC0-1.0 | shown |" in text
    assert "| sst2 | research use | not shown: nobody has said that they may be passed on |" in text
    assert (
        "| reviews | CC0-1.0 | not shown: nobody has said that they may be passed on | somebody's own file |"
        in text
    )


def test_changed_data_makes_the_pages_stale(tmp_path: Path, repository: Path) -> None:
    publish(book_of(tmp_path / "book"), repository)
    next((repository / "catalogue" / "data" / "runs").iterdir()).unlink()
    assert any("out of date" in fault for fault in Catalogue(repository).faults())


def test_text_outside_the_markers_stays_and_missing_markers_are_refused(
    tmp_path: Path, repository: Path
) -> None:
    book = book_of(tmp_path / "book")
    publish(book, repository)
    text = (repository / "README.md").read_text()
    assert (
        text.startswith("# Ours\n")
        and text.endswith("The end.\n")
        and "| full" in text.replace("minilm-l6, ", "")
    )
    (repository / "README.md").write_text("# No markers\n")
    with pytest.raises(UsageError, match="needs the lines"):
        publish(book, repository)


def test_a_row_of_two_experiments_is_listed_once_with_the_pages_of_both(
    tmp_path: Path, repository: Path
) -> None:
    book = book_of(tmp_path / "book", name="first")
    publish(book, repository)
    once = (repository / "README.md").read_text()
    book_of(tmp_path / "book", name="second")
    publish(book, repository)
    text = (repository / "README.md").read_text()
    assert text.count("| accuracy ") == once.count("| accuracy ") == 4
    assert text.count("[page](catalogue/experiments/first.html)") == 4
    assert text.count("[second](catalogue/experiments/second.html)") == 4
    assert "[page](catalogue/experiments/second.html)" not in text


def test_every_link_leads_to_a_page(tmp_path: Path, repository: Path) -> None:
    publish(book_of(tmp_path / "book", tuned=True), repository)
    folder = repository / "catalogue"
    for page in folder.rglob("*.html"):
        for address in links(page.read_bytes()).addresses:
            if not address.startswith(("https://", "#")):
                assert (page.parent / address.partition("#")[0]).resolve().is_file(), (
                    f"{page.name}: {address}"
                )


def test_an_empty_book_gives_a_page_that_says_so(tmp_path: Path, repository: Path) -> None:
    publish(Book(tmp_path / "book"), repository)
    assert "No result is published yet" in (repository / "catalogue" / "index.html").read_text()
    assert list(Catalogue(repository).faults()) == []


def test_a_checkpoint_that_is_gone_still_has_its_page(tmp_path: Path, repository: Path) -> None:
    publish(book_of(tmp_path / "book", checkpoint="once-there"), repository)
    text = (repository / "catalogue" / "checkpoints" / "once-there.html").read_text()
    assert "A checkpoint that this Tunebook has no row of." in text


def test_hostile_texts_are_literal_on_every_page(tmp_path: Path, repository: Path) -> None:
    examples = results.Examples(
        *[getattr(results.examples(), key) for key in ("labels", "hardness")], (HOSTILE, "good")
    )
    toml = (
        'question = "'
        + HOSTILE.replace('"', "'").replace("\x1b", "\\u001b").replace("\u202e", "\\u202e")
        + '"\n'
    )
    publish(
        book_of(tmp_path / "book", toml=toml, dataset=HOSTILE, checkpoint=HOSTILE, examples=examples),
        repository,
    )
    for path in repository.rglob("*"):
        if path.suffix not in (".html", ".md", ".js") or path.parent.name == "assets":
            continue
        text = path.read_text()
        assert "\x1b" not in text and "\u202e" not in text, path
        assert path.suffix == ".js" or "<script>alert" not in text.replace("\\<script\\>", ""), path
        if path.suffix == ".html":
            assert links(path.read_bytes()).tags.count("script") == text.count('<script src="'), path


def test_texts_are_joined_only_in_a_folder_of_their_own(tmp_path: Path) -> None:
    book = book_of(tmp_path / "book")
    publish_with_texts(book, tmp_path / "with")
    assert (tmp_path / "with" / "index.html").is_file()
    command = [
        sys.executable,
        "-m",
        "tunebook",
        "publish",
        "--with-texts",
        str(tmp_path / "catalogue" / "x"),
        "--to",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ}, timeout=120)
    assert done.returncode == 2 and "texts that may not be shown would be published" in done.stderr


def test_the_command_line_publishes_and_checks(tmp_path: Path, repository: Path) -> None:
    book_of(tmp_path / "book")

    def tunebook(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tunebook", "publish", "--to", str(repository), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    assert tunebook("--check").returncode == 1
    assert tunebook("--root", str(tmp_path / "book")).returncode == 0
    done = tunebook("--check")
    assert (done.returncode, done.stdout) == (0, "all that is published is up to date\n"), done.stderr
    (repository / "catalogue" / "index.html").write_text("")
    assert tunebook("--check").returncode == 1
    assert tunebook("--check", "--prune").returncode == 2
    assert tunebook("--execute").returncode == 2
    (repository / "catalogue" / "mine\x1b.txt").write_text("")
    done = tunebook("--root", str(tmp_path / "book"))
    assert "left alone catalogue/mine\\x1b.txt: it belongs to nothing" in done.stderr


@pytest.mark.slow
@pytest.mark.alone
def test_ten_thousand_runs_are_published_in_a_minute(tmp_path: Path, repository: Path) -> None:
    """2,000 seeds of 100 experiments, 8,000 trials; under 60 s and 1 GB, on quiet cores."""
    from tests.publish.many import fill

    fill(tmp_path / "book", experiments=100, methods=4, seeds=5, trials=20)
    code = (
        "import resource, sys, time\nfrom pathlib import Path\nfrom tunebook.book import Book\n"
        "from tunebook.publish.catalogue import publish\nbegin = time.perf_counter()\n"
        f"changes = publish(Book(Path({str(tmp_path / 'book')!r})), Path({str(repository)!r}))\n"
        "print(time.perf_counter() - begin)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, len(changes.written))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=280, check=True
    )
    seconds, gigabytes, written = map(float, done.stdout.split())
    assert gigabytes < 1, done.stdout
    assert seconds < 60, done.stdout
    assert written > 2_000
