"""The page in a browser: no error, no request elsewhere, nothing against its policy; sorting, filtering, charts."""

from __future__ import annotations

import os
import re
import statistics
from pathlib import Path
from typing import Any

import pytest

from tests import results
from tests.browser import opened
from tests.publish.made import HOSTILE, book_of
from tests.publish.many import fill
from tunebook.claims import declared, read_claims
from tunebook.publish.catalogue import publish
from tunebook.publish.open_data import Published
from tunebook.publish.site import Site

ROOT = Path(__file__).parent.parent.parent
LORA = "all-minilm-l6-v2--lora--sentiment140--s0--3a73eab0f455"
"""A published run."""
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
        page.evaluate("location.hash = 'search=linear_probe'")
        page.wait_for_function(f"document.querySelectorAll('{shown}').length === 1")
        assert page.locator("select[name=method]").input_value() == "" and watch.faults == []


def test_an_address_that_leads_to_a_part_of_the_page_is_kept(browser: Any, page_folder: Path) -> None:
    address = (page_folder / "index.html").as_uri() + "#results"
    with opened(browser, address) as (page, _):
        assert page.url == address


# --- layout ------------------------------------------------------------------------------------------------------

REGIONS = """() => Array.from(document.querySelectorAll('.scroll'), (e) =>
  [e.getAttribute('role'), e.tabIndex, Boolean(e.getAttribute('aria-label'))].join())"""
CUT = """(least) => Array.from(document.querySelectorAll('.scroll'))
  .filter((e) => e.offsetParent && e.scrollWidth > e.clientWidth + 1)
  .map((e) => e.getAttribute('aria-label') + ' ' + e.scrollWidth)"""


def test_tables_are_regions_that_can_be_reached_by_key(browser: Any, page_folder: Path) -> None:
    for kind, path in kinds(page_folder).items():
        with opened(browser, path.as_uri()) as (page, _):
            assert set(page.evaluate(REGIONS)) <= {"region,0,true"}, kind


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the repository's own open data and claims, as it is rendered now."""
    folder = tmp_path_factory.mktemp("rendered")
    site = Site(
        Published(ROOT / "catalogue" / "data"),
        read_claims(ROOT / "claims"),
        experiments=declared(ROOT / "experiments"),
    )
    for path in site.pages:
        if not path.startswith("data/"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(site.render(path))
    return folder


def test_no_table_is_cut_off_on_a_wide_screen(browser: Any, rendered: Path) -> None:
    pages = [rendered / f"{name}.html" for name in ("index", "claims")]
    pages += sorted((rendered / "experiments").glob("*.html"))
    for path in pages:
        with opened(browser, path.as_uri(), viewport={"width": 1440, "height": 900}) as (page, _):
            page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            assert page.evaluate(CUT) == [], path.name


ALIGNED = """() => Array.from(document.querySelectorAll('table td:not(:has(code))'), (one) => [
    one.textContent.trim(), getComputedStyle(one).textAlign === 'right', one.matches('.text, .prose')])"""
NUMBER = re.compile(r"\u2212?[\d,.]+(\u00a0%| s| points)?")


def test_numbers_stand_to_the_right_and_texts_to_the_left(browser: Any, rendered: Path) -> None:
    for name in ("index", "experiments/methods-tweets", "behaviour/methods-sst2-defaults"):
        with opened(browser, (rendered / f"{name}.html").as_uri()) as (page, _):
            cells = page.evaluate(ALIGNED)
            numbers = [is_right for text, is_right, _ in cells if NUMBER.fullmatch(text) and len(text) > 2]
            assert len(numbers) > 20 and all(numbers), name
            assert not any(is_right for _, is_right, is_text in cells if is_text), name


def test_a_table_sorts_by_its_numbers_and_by_its_texts(browser: Any, rendered: Path) -> None:
    path = rendered / "behaviour" / "methods-sst2-defaults.html"
    with opened(browser, path.as_uri()) as (page, _):
        for title, key in (("failures", float), ("capability", str.lower)):
            found = page.evaluate(
                """(title) => {
                    const table = document.querySelector('#robustness table[data-numbers]');
                    const heads = Array.from(table.tHead.rows[0].cells);
                    const head = heads.find((one) => one.textContent.trim() === title);
                    table.closest('details').open = true;
                    head.querySelector('button').click();
                    return Array.from(table.tBodies[0].rows, (row) => row.cells[head.cellIndex].textContent.trim());
                }""",
                title,
            )
            values = [key(one.replace("\u00a0%", "")) for one in found if one != "-"]
            assert len(values) > 20 and len(set(values)) > 5, title
            assert values == sorted(values), title


def test_the_page_is_small(rendered: Path) -> None:
    sizes = {path: path.stat().st_size for path in rendered.rglob("*") if path.is_file()}
    runs = sum(size for path, size in sizes.items() if path.parent.name == "runs")
    assert sum(sizes.values()) < 3_000_000
    assert runs / len(list((rendered / "runs").iterdir())) < 11_500, "bytes of a run's page"


def test_drawings_say_on_a_phone_that_they_scroll(browser: Any, rendered: Path) -> None:
    path = rendered / "experiments" / "methods-tweets.html"
    for width, hint in ((360, '"scroll sideways'), (1440, "none")):
        with opened(browser, path.as_uri(), viewport={"width": width, "height": 800}) as (page, _):
            told = page.evaluate("getComputedStyle(document.querySelector('.static'), '::before').content")
            assert told.startswith(hint), width
            texts = "Array.from(document.querySelectorAll('svg.drawing text'), (e) => e.getBoundingClientRect().height)"
            assert min(page.evaluate(texts)) > 9, "letters of a readable size"
            reached = page.evaluate("document.querySelector('.static').tabIndex")
            assert reached == (0 if width == 360 else -1)
            links = "Array.from(document.querySelectorAll('header.site nav a'), (e) => e.getBoundingClientRect().top)"
            assert len(set(page.evaluate(links))) == 1, "the links of the head stand in one line"


def test_labels_of_the_front_lie_on_nothing_as_they_are_painted(browser: Any, rendered: Path) -> None:
    overlaps = """() => Array.from(document.querySelectorAll('svg.drawing'), (drawing) => {
      const at = Array.from(drawing.querySelectorAll('text.label'), (e) => e.getBBox());
      const along = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width;
      const meet = (a, b) => along(a, b) && a.y + 2 < b.y + b.height && b.y + 2 < a.y + a.height;
      return [at.length, at.filter((a, i) => at.some((b, j) => i < j && meet(a, b))).length];
    }).filter((one) => one[0])"""
    for path in sorted((rendered / "experiments").glob("*.html")):
        with opened(browser, path.as_uri()) as (page, _):
            found = page.evaluate(overlaps)
            assert found and all(count >= 2 and met == 0 for count, met in found), (path.name, found)


def test_the_head_of_a_long_table_stays_in_sight(browser: Any, rendered: Path) -> None:
    with opened(browser, (rendered / "index.html").as_uri(), viewport={"width": 1440, "height": 800}) as (
        page,
        _,
    ):
        tops = page.evaluate("""() => {
          const part = document.querySelector('.scroll.long');
          part.scrollTop = 500;
          const top = (one) => one.getBoundingClientRect().top;
          return [top(part), top(part.querySelector('th')), part.scrollTop];
        }""")
        assert tops[2] > 100 and abs(tops[1] - tops[0]) <= 2


def test_bars_have_the_scale_of_their_dataset_and_the_page_says_so(rendered: Path) -> None:
    page = (rendered / "index.html").read_text()
    told = page.partition("Bars have a scale of their own for each dataset: ")[2].partition("</p>")[0]
    assert all(
        re.search(rf"\b{name} \d+\.\d–\d+\.\d\u00a0%", told) for name in ("sst2", "sentiment140", "pocket")
    ), told


# --- claims ------------------------------------------------------------------------------------------------------


def test_claims_are_filtered_and_folded_by_reason(browser: Any, rendered: Path) -> None:
    shown = "tbody tr:not([hidden])"
    with opened(browser, (rendered / "claims.html").as_uri(), viewport={"width": 1440, "height": 900}) as (
        page,
        watch,
    ):
        assert page.evaluate("document.documentElement.scrollHeight") < 8000
        assert page.locator("details[open]").count() == 0
        everything = page.locator(shown).count()
        page.locator("select[name=verdict]").select_option("not run yet")
        assert page.locator("details[open]").count() >= 1
        assert 0 < page.locator(shown).count() < everything
        page.locator("select[name=source]").select_option(label="Hu et al. 2022, LoRA")
        sources = (
            "Array.from(document.querySelectorAll('tbody tr:not([hidden]) a'), (one) => one.textContent)"
        )
        assert set(page.evaluate(sources)) == {"Hu et al. 2022, LoRA"}
        assert "source=Hu" in page.url
        page.locator("select[name=source]").select_option("")
        page.locator("select[name=verdict]").select_option("")
        page.locator("input[type=search]").fill("contrastively")
        assert 0 < page.locator(shown).count() < everything
        page.locator("input[type=search]").fill("")
        assert page.locator("details[open]").count() == 0 and page.locator(shown).count() == everything
        assert watch.faults == []


def test_a_claim_says_where_our_run_is_of_another_checkpoint_and_differences_are_points(
    rendered: Path,
) -> None:
    page = (rendered / "claims.html").read_text()
    row = page[page.index('class="badge agrees"') :].partition("</tr>")[0]
    assert '<span class="badge another-checkpoint">another checkpoint</span>' in row
    assert re.search(r"\u2212\d\.\d points \(\u2212\d\.\d to \d\.\d\)", row)


# --- wording -----------------------------------------------------------------------------------------------------


def test_scores_and_differences_are_written_alike_everywhere(rendered: Path) -> None:
    experiment = (rendered / "experiments" / "methods-tweets.html").read_text()
    run = (rendered / "runs" / f"{LORA}.html").read_text()
    assert (
        "accuracy on 6,000 test texts" in experiment
        and "of test" not in experiment.partition("What the data")[0]
    )
    assert ">80.5\u00a0%<" in experiment and "0.8048" not in experiment, "the same score in one form"
    assert ">79.2\u00a0%<" in run
    for text in (experiment, (rendered / "reading.html").read_text()):
        assert not re.search(r"\d %", re.sub(r"<svg.*?</svg>", "", text)), (
            "a number parted from its per cent sign"
        )
    assert re.search(r"leads .* by 0\.4 points; this pair would show 2\.8 points in four of five", experiment)
    assert (
        "true difference of 2.4 points" in experiment
        and "TB010" in experiment.partition("What the checks")[0]
    )


def test_a_checkpoint_has_one_name_and_the_other_is_explained(rendered: Path) -> None:
    for path in rendered.rglob("*.html"):
        text = path.read_text()
        told = re.sub(
            r"(?s)<code>(minilm-l6|question = .*?)</code>|minilm-l6, in files of experiments", "", text
        )
        assert not re.search(r"(?<![\w-])minilm-l6(?![\w-])", told), path.name
    assert (
        "<code>minilm-l6</code> is <code>all-minilm-l6-v2</code>" in (rendered / "reading.html").read_text()
    )


def test_reading_says_what_one_seed_of_a_baseline_means(rendered: Path) -> None:
    page = (rendered / "reading.html").read_text()
    assert "they are run once" in page and "TB010" in page


def test_charts_name_their_axes_in_words(rendered: Path) -> None:
    experiment = (rendered / "experiments" / "methods-tweets.html").read_text()
    run = (rendered / "runs" / f"{LORA}.html").read_text()
    for words in ("difference in accuracy (points)", "accuracy on validation", "\u2190 off the axis: 50.7 %"):
        assert f">{words}</text>" in experiment, words
    for words in ("true label", "predicted label", "confidence (mean probability of the predicted class)"):
        assert f">{words}</text>" in run, words


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


def test_the_chosen_theme_is_there_before_the_page_is_painted(browser: Any, page_folder: Path) -> None:
    """Without page.js too: a script that blocks, before the style sheet."""
    head = (page_folder / "index.html").read_text().partition("</head>")[0]
    script = '<script src="assets/theme.js"></script>'
    assert 0 < head.index(script) < head.index("assets/style.css")
    with opened(browser, (page_folder / "index.html").as_uri(), color_scheme="light") as (page, watch):
        page.evaluate("localStorage.setItem('theme', 'dark')")
        page.route("**/page.js", lambda route: route.abort())
        page.reload()
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert [fault for fault in watch.faults if "ERR_FAILED" not in fault] == []


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
    """A book of 10,000 runs: 2,000 rows of 100 experiments, a seed each, and 8,000 trials."""
    fill(tmp_path / "book", experiments=100, methods=20, seeds=1, trials=4)
    from tunebook.book import Book
    from tunebook.publish.export import export

    export(Book(tmp_path / "book"), tmp_path / "catalogue" / "data")
    site = Site(Published(tmp_path / "catalogue" / "data"))
    for path in ("index.html", "assets/style.css", "assets/theme.js", "assets/page.js"):
        (tmp_path / "catalogue" / path).parent.mkdir(exist_ok=True)
        (tmp_path / "catalogue" / path).write_bytes(site.render(path))
    with opened(browser, (tmp_path / "catalogue" / "index.html").as_uri()) as (page, watch):
        assert page.locator("#results tbody tr").count() == 2000
        timed = """word => { const field = document.querySelector('input[type=search]');
          const begin = performance.now();
          field.value = word; field.dispatchEvent(new Event('input', {bubbles: true}));
          document.body.offsetHeight; return performance.now() - begin; }"""
        words = ("lora", "", "data-04", "bitfit data-01")
        rounds = [
            [page.evaluate(timed, word) for word in words] for _ in range(5)
        ]  # other work comes between
        spent = [statistics.median(times) for times in zip(*rounds, strict=True)]
        assert max(spent) < 200, rounds
        page.evaluate(timed, "")
        visible = page.locator("#results tbody tr:visible")
        assert (visible.count(), page.locator("output.count").inner_text()) == (250, "2,000 of 2,000 rows")
        page.locator("#results th").first.locator("button").click()
        assert visible.count() == 250, "the first 250 of the order that was asked for"
        page.locator("button.more").click()
        assert visible.count() == 2000
        assert not page.locator("button.more").is_visible()
        assert watch.faults == []
