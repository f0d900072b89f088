"""The page in a browser: no error, no request elsewhere, nothing against its policy; sorting, filtering, charts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests import results
from tests.browser import opened
from tests.publish.made import HOSTILE, book_of
from tests.publish.many import fill
from tunebook.publish.catalogue import publish
from tunebook.publish.open_data import Published
from tunebook.publish.site import Site

ROOT = Path(__file__).parent.parent.parent
WIDTHS, SCHEMES = (360, 900, 1440), ("light", "dark")


@pytest.fixture(scope="module")
def page_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    made = results.examples()
    hostile = results.Examples(made.labels, made.hardness, (HOSTILE, "good"))
    publish(book_of(tmp_path_factory.mktemp("book"), tuned=True, dataset=HOSTILE, examples=hostile), folder)
    return folder / "catalogue"


def shots() -> Path | None:
    """Where screenshots are kept for review."""
    folder = os.environ.get("TUNEBOOK_SCREENSHOTS")
    return Path(folder) if folder else None


def kinds(folder: Path) -> dict[str, Path]:
    """A page of each kind."""
    found = {name: folder / f"{name}.html" for name in ("index", "claims", "reading")}
    for kind in ("experiments", "runs", "checkpoints", "methods", "datasets"):
        found[kind] = sorted((folder / kind).glob("*.html"))[0]
    return found


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_kind_of_page_loads_clean_and_fits(
    browser: Any, page_folder: Path, tmp_path: Path, width: int, scheme: str
) -> None:
    size = {"width": width, "height": 900}
    for kind, path in kinds(page_folder).items():
        with opened(browser, path.as_uri(), viewport=size, color_scheme=scheme) as (page, watch):
            for button in page.query_selector_all("figcaption button"):
                button.click()
            page.wait_for_function("document.readyState === 'complete'")
            page.screenshot(path=(shots() or tmp_path) / f"{kind}-{width}-{scheme}.png", full_page=True)
            wider = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert (watch.faults, wider) == ([], 0), f"{kind} at {width}, {scheme}"


def test_the_committed_pages_load_clean(browser: Any) -> None:
    """Every page of the catalogue that is in the repository."""
    folder = ROOT / "catalogue"
    assert folder.is_dir()
    faults = []
    for path in sorted(folder.rglob("*.html")):
        with opened(browser, path.as_uri()) as (_, watch):
            faults += [f"{path.relative_to(folder)}: {fault}" for fault in watch.faults]
    assert faults == []


@pytest.mark.parametrize(
    ("body", "says"),
    [("<script>alert(1)</script>", "CSP: script-src-elem"), ('<p style="color: red">x</p>', "CSP: style-src-attr"),
     ('<img src="http://192.0.2.1/x.png">', "192.0.2.1")],
)  # fmt: skip
def test_the_watch_sees_what_it_must(
    browser: Any, page_folder: Path, tmp_path: Path, body: str, says: str
) -> None:
    """The guard's control: a page with a fault is not clean."""
    text = (page_folder / "reading.html").read_text().replace("../", "").replace("<h1>", body + "<h1>")
    (page_folder / "bad.html").write_text(text)
    try:
        with opened(browser, (page_folder / "bad.html").as_uri()) as (page, watch):
            page.wait_for_load_state("load")
            assert any(says in fault for fault in watch.faults), watch.faults
    finally:
        (page_folder / "bad.html").unlink()


def test_tables_sort_by_click_and_by_key(browser: Any, page_folder: Path) -> None:
    with opened(browser, (page_folder / "index.html").as_uri()) as (page, watch):
        heading = page.locator("#results th", has_text="mean")
        values = "Array.from(document.querySelectorAll('#results tbody tr'), row => Number(row.cells[5].dataset.value))"
        heading.locator("button").click()
        assert heading.get_attribute("aria-sort") == "ascending"
        assert page.evaluate(values) == sorted(page.evaluate(values))
        heading.locator("button").focus()
        page.keyboard.press("Enter")
        assert heading.get_attribute("aria-sort") == "descending"
        assert page.evaluate(values) == sorted(page.evaluate(values), reverse=True)
        assert watch.faults == []


def test_the_index_filters_and_remembers_in_its_address(browser: Any, page_folder: Path) -> None:
    with opened(browser, (page_folder / "index.html").as_uri()) as (page, watch):
        shown = "#results tbody tr:not([hidden])"
        everything = page.locator(shown).count()
        page.keyboard.press("/")
        page.keyboard.type("lora")
        assert page.locator(shown).count() == 1
        assert page.locator("output.count").inner_text() == f"1 of {everything} rows"
        page.locator("input[type=search]").fill("")
        page.locator("select[name=method]").select_option("full")
        assert page.locator(shown).count() == 1 and "method=full" in page.url
        address = page.url
        page.reload()
        assert page.url == address and page.locator(shown).count() == 1
        assert watch.faults == []


def test_links_work_and_hostile_names_are_read_as_they_are(browser: Any, page_folder: Path) -> None:
    with opened(browser, (page_folder / "index.html").as_uri()) as (page, watch):
        assert "<script>alert(1)</script>" in page.locator("#results tbody tr").first.inner_text()
        page.locator("ul.experiments a").first.click()
        page.locator("h1").wait_for()
        page.locator("table a[href*='runs/']").first.click()
        page.locator(".kicker").wait_for()
        assert "Run " in page.locator(".kicker").inner_text()
        page.locator(".breadcrumb a").first.click()
        assert page.locator("h1").inner_text() == "Which encoder, which method, how sure?"
        assert watch.faults == []


def test_charts_are_drawn_on_request_and_put_back(browser: Any, page_folder: Path) -> None:
    with opened(browser, kinds(page_folder)["experiments"].as_uri()) as (page, watch):
        figures = page.locator("figure.chart")
        assert figures.count() >= 4
        for place in range(figures.count()):
            figure = figures.nth(place)
            figure.locator("figcaption button").click()
            figure.locator(".live canvas").wait_for()
            assert not figure.locator(".static").is_visible()
            figure.locator("figcaption button").click()
            assert figure.locator(".static svg").is_visible()
        assert watch.faults == []


def test_without_scripts_tables_and_drawings_are_there(browser: Any, page_folder: Path) -> None:
    with opened(browser, kinds(page_folder)["experiments"].as_uri(), java_script_enabled=False) as (page, _):
        assert (
            page.locator("figure.chart svg").count() >= 4 and page.locator("figcaption button").count() == 0
        )
        assert page.locator("table tbody tr").count() > 5


def test_the_theme_can_be_chosen(browser: Any, page_folder: Path) -> None:
    with opened(browser, (page_folder / "index.html").as_uri(), color_scheme="light") as (page, watch):
        colour = "getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(colour)
        page.locator("button.theme").click()
        page.locator("button.theme").click()
        assert page.locator("button.theme").inner_text() == "Theme: dark"
        assert page.evaluate(colour) != light and watch.faults == []


CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (v) => v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
  const light = (c) => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const hasText = (e) => Array.from(e.childNodes).some((n) => n.nodeType === 3 && n.textContent.trim());
  const found = [];
  for (const e of document.querySelectorAll('main *, header *, footer *')) {
    if (e.closest('svg') || !hasText(e) || !e.offsetParent) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.push(e.tagName + '.' + e.className + ' ' + ratio.toFixed(2));
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_stands_out_enough(browser: Any, page_folder: Path, scheme: str) -> None:
    for kind, path in kinds(page_folder).items():
        with opened(browser, path.as_uri(), color_scheme=scheme) as (page, _):
            assert page.evaluate(CONTRAST) == [], kind


@pytest.mark.slow
@pytest.mark.alone
def test_two_thousand_rows_are_filtered_at_once(browser: Any, tmp_path: Path) -> None:
    fill(tmp_path / "book", experiments=100, methods=6, seeds=1, trials=0)
    from tunebook.book import Book
    from tunebook.publish.export import export

    export(Book(tmp_path / "book"), tmp_path / "catalogue" / "data")
    site = Site(Published(tmp_path / "catalogue" / "data"))
    for path in ("index.html", "assets/style.css", "assets/page.js"):
        (tmp_path / "catalogue" / path).parent.mkdir(exist_ok=True)
        (tmp_path / "catalogue" / path).write_bytes(site.render(path))
    with opened(browser, (tmp_path / "catalogue" / "index.html").as_uri()) as (page, watch):
        assert page.locator("#results tbody tr").count() == 600
        timed = """word => { const field = document.querySelector('input[type=search]');
          const begin = performance.now();
          field.value = word; field.dispatchEvent(new Event('input', {bubbles: true}));
          document.body.offsetHeight; return performance.now() - begin; }"""
        spent = [page.evaluate(timed, word) for word in ("lora", "", "data-04", "bitfit data-01")]
        assert max(spent) < 200, spent
        assert watch.faults == []
