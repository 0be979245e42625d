"""The page in a real browser: offline, at a desk and on a phone, in light and dark."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from conftest import RunCommand
from made_runs import Made, corpus, six_runs

ARTIFACTS = Path(os.environ.get("TEST_ARTIFACTS", Path(__file__).parents[2] / "test-artifacts")).absolute()
CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
VIEWS = {
    "desktop": ViewportSize(width=1280, height=900),
    "phone": ViewportSize(width=390, height=844),
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium to open the page with"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def written(command: RunCommand) -> Path:
    manifest = corpus(12)
    six_runs(Path("runs"), manifest)
    Made(Path("runs/odd"), manifest, "<b>odd</b>").write()
    outcome = command("compare", "runs=runs", "out=out")
    assert outcome.code == 0, outcome.err
    return Path("out/comparison.html").resolve()


class Visit:
    """A page that was opened, with what it asked for and complained about."""

    def __init__(self, browser: Browser, file: Path, view: str, scheme: str) -> None:
        context = browser.new_context(viewport=VIEWS[view], offline=True)
        self.page: Page = context.new_page()
        self.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(file.as_uri())
        self.page.wait_for_function(
            "document.querySelectorAll('.plotly-graph-div .main-svg').length"
            " >= document.querySelectorAll('.plotly-graph-div').length"
        )

    def column(self, table: int, column: int) -> list[str]:
        cells = self.page.locator("table.sortable").nth(table).locator(f"tbody tr > :nth-child({column + 1})")
        return cells.all_text_contents()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_opens_offline_and_fits(browser: Browser, written: Path, view: str, scheme: str) -> None:
    visit = Visit(browser, written, view, scheme)
    page, width = visit.page, VIEWS[view]["width"]
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"comparison-{view}-{scheme}.png", full_page=True)
    assert visit.requests == [written.as_uri()]
    assert visit.complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    plots = page.locator(".plotly-graph-div").all()
    assert len(plots) == 5
    for plot in plots:
        box, drawn = plot.bounding_box(), plot.locator("svg.main-svg").first.bounding_box()
        assert box is not None
        assert drawn is not None
        assert drawn["width"] > 250
        assert drawn["height"] > 250
        assert abs(drawn["width"] - box["width"]) <= 1  # of the place that it has, no more
        assert drawn["x"] >= 0
        assert drawn["x"] + drawn["width"] <= width
    assert page.locator(".scatterlayer .point").count() > 100
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    letters = page.locator(".xtick text").first.evaluate("text => getComputedStyle(text).fill")
    assert contrast(ground, letters) > 7
    page.context.close()


def contrast(one: str, other: str) -> float:
    """WCAG's contrast of two CSS colours ``rgb(r, g, b)``."""

    def luminance(colour: str) -> float:
        channels = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_figures_follow_when_the_colours_change(browser: Browser, written: Path) -> None:
    visit = Visit(browser, written, "desktop", "light")
    colour = "plot => plot.layout.font.color"
    plot = visit.page.locator(".plotly-graph-div").first
    before = plot.evaluate(colour)
    visit.page.emulate_media(color_scheme="dark")
    visit.page.wait_for_function(
        "before => document.querySelector('.plotly-graph-div').layout.font.color !== before", arg=before
    )
    assert visit.complaints == []
    visit.page.context.close()


def test_tables_are_sorted_by_click_and_by_keyboard(browser: Browser, written: Path) -> None:
    visit = Visit(browser, written, "desktop", "light")
    heads = visit.page.locator("table.sortable").first.locator("th")
    maes = [float(cell.split()[0]) for cell in visit.column(0, 5)]
    assert len(maes) == 3
    heads.nth(5).locator("button").click()
    heads.nth(5).locator("button").click()
    assert [float(cell.split()[0]) for cell in visit.column(0, 5)] == sorted(maes, reverse=True)
    assert heads.nth(5).get_attribute("aria-sort") == "descending"
    heads.nth(0).locator("button").focus()
    visit.page.keyboard.press("Enter")
    assert visit.column(0, 0) == ["<b>odd</b>", "r3d_18", "sta_drn"]
    assert heads.nth(0).get_attribute("aria-sort") == "ascending"
    assert heads.nth(5).get_attribute("aria-sort") == "none"
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Space")
    assert [int(cell) for cell in visit.column(0, 2)] == [1, 3, 3]
    negative = visit.page.locator("table.sortable").nth(1).locator("th").nth(2).locator("button")
    negative.click()
    differences = [float(cell.replace("\N{MINUS SIGN}", "-")) for cell in visit.column(1, 2)]
    assert differences == sorted(differences)
    visit.page.context.close()


def test_groups_are_hidden_and_shown_in_all_figures(browser: Browser, written: Path) -> None:
    visit = Visit(browser, written, "desktop", "light")
    button = visit.page.locator(".legend button", has_text="r3d_18")
    points = visit.page.locator(".plotly-graph-div .scatterlayer .point")
    boxes = visit.page.locator(".plotly-graph-div .boxlayer path.box")
    before = points.count(), boxes.count()
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert points.count() < before[0]
    assert boxes.count() == before[1] - 4
    button.click()
    assert (points.count(), boxes.count()) == before
    visit.page.context.close()
