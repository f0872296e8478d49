"""The report in a real browser: it looks right, nothing is complained of, nothing is fetched, keys work, it prints."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.cli.test_report import EVIL, hostile
from tests.cli.told import live_through
from tests.store.states import put_with_manifest
from unbroken.store.folder import CheckpointFolder

pytestmark = pytest.mark.chromium

WIDE, PHONE = (1280, 900), (390, 844)


class Browser:
    """Chromium without a window, asked through its own protocol."""

    def __init__(self) -> None:
        from selenium import webdriver

        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage"):
            options.add_argument(f"--{flag}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver: Any = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))

    def open(self, page: Path, size: tuple[int, int] = WIDE, *, dark: bool = False, script: bool = True) -> None:
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.do("Emulation.setDeviceMetricsOverride", **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.do("Emulation.setEmulatedMedia", features=[scheme])
        self.do("Emulation.setScriptExecutionDisabled", value=not script)
        self.driver.get(page.absolute().as_uri())

    def do(self, command: str, **values: Any) -> Any:
        return self.driver.execute_cdp_cmd(command, values)

    def ask(self, script: str, *values: Any) -> Any:
        return self.driver.execute_script(f"return {script}", *values)

    @property
    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]

    @property
    def asked_for(self) -> set[str]:
        """Every address that was asked for since the last look."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return {
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        }

    def colour_at(self, selector: str, name: str) -> tuple[int, ...]:
        said = self.ask("getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]", selector, name)
        return tuple(int(part) for part in said.partition("(")[2].rstrip(")").split(",")[:3])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    browser = Browser()
    yield browser
    browser.driver.quit()


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return live_through(tmp_path_factory.mktemp("lived"))


@pytest.fixture
def page(lived: Path, unbroken: Command, here: Path) -> Path:
    assert unbroken("report", lived, "-o", "r.html").code == 0
    return here / "r.html"


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.one_in(4)
def test_it_is_drawn_without_complaint_and_asks_for_nothing_else(
    browser: Browser, page: Path, size: tuple[int, int], dark: bool
) -> None:
    assert browser.asked_for is not None
    browser.open(page, size, dark=dark)
    assert browser.complaints == []
    assert browser.asked_for == {page.as_uri()}
    charts = browser.ask("document.querySelectorAll('.chart canvas').length")
    assert charts == browser.ask("document.querySelectorAll('.chart').length") == 4
    assert browser.ask("document.documentElement.scrollWidth") <= size[0]  # nothing sticks out
    widest = browser.ask("Math.max(...[...document.querySelectorAll('canvas')].map(one => one.clientWidth))")
    assert size[0] / 3 < widest < size[0]
    paper, ink = browser.colour_at("html", "backgroundColor"), browser.colour_at("html", "color")
    assert (sum(paper) < sum(ink)) == dark
    assert abs(sum(paper) - sum(ink)) > 3 * 150
    assert browser.ask(_DRAWN) > 500


# How many points of the first curve's canvas are painted.
_DRAWN = """(() => { const one = document.querySelector('canvas');
  return one.getContext('2d').getImageData(0, 0, one.width, one.height).data.filter((v, at) => at % 4 == 3 && v).length;
})()"""


def test_values_are_read_off_by_the_arrow_keys(browser: Browser, page: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    browser.open(page)
    chart = browser.driver.find_element(By.CSS_SELECTOR, ".chart")

    def epoch() -> str:
        return str(browser.ask("document.querySelector('.chart .u-legend .u-value').textContent"))

    chart.send_keys(Keys.HOME)
    assert epoch() == "1"
    chart.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    assert epoch() == "3"
    chart.send_keys(Keys.END, Keys.ARROW_RIGHT)
    assert epoch() == "12"
    chart.send_keys(Keys.ESCAPE)
    assert browser.complaints == []
    values = [one.text for one in chart.find_elements(By.CSS_SELECTOR, ".u-value")]
    cells = "[...document.querySelectorAll('details tbody tr')][11].cells"
    assert values == browser.ask(f"[...{cells}].map(cell => cell.textContent)") and len(values) == 3


def test_everything_is_reached_by_the_tab_key(browser: Browser, page: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    browser.open(page)
    body = browser.driver.find_element(By.TAG_NAME, "body")
    reached: set[str] = set()
    for _ in range(40):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        reached.add(str(browser.ask("document.activeElement.tagName + '.' + document.activeElement.className")))
    assert {"A.", "DIV.chart", "DIV.wide", "SUMMARY."} <= reached
    assert body.is_displayed()


def test_each_chart_has_its_figures_as_a_table_that_opens(browser: Browser, page: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    browser.open(page)
    summary = browser.driver.find_element(By.CSS_SELECTOR, "figure summary")
    seen = "document.querySelector('figure details table').checkVisibility({contentVisibilityAuto: true})"
    assert not browser.ask(seen)
    summary.send_keys(Keys.ENTER)
    assert (
        browser.ask(seen)
        and browser.ask("document.querySelectorAll('figure details table')[0].tBodies[0].rows.length") == 12
    )


def test_without_scripts_the_figures_are_there(browser: Browser, page: Path) -> None:
    browser.open(page, script=False)
    browser.do("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.complaints == []
    assert "Curves are drawn by a script" in browser.ask("document.querySelector('noscript').textContent")
    assert browser.ask("document.querySelectorAll('canvas').length") == 0


def test_it_prints_dark_on_white_with_its_curves(browser: Browser, page: Path) -> None:
    browser.open(page, dark=True)
    pdf = base64.b64decode(browser.do("Page.printToPDF", printBackground=True)["data"])
    assert pdf.startswith(b"%PDF") and len(pdf) > 20_000
    assert browser.ask("document.documentElement.className") == ""  # it is as before again
    browser.do("Emulation.setEmulatedMedia", media="print", features=[])
    assert browser.colour_at("html", "backgroundColor") == (255, 255, 255)
    browser.do("Emulation.setEmulatedMedia", media="", features=[])
    assert browser.complaints == []


def test_colours_follow_when_the_system_turns_dark(browser: Browser, page: Path) -> None:
    from selenium.webdriver.support.wait import WebDriverWait

    browser.open(page)
    drawn = "document.querySelector('canvas').toDataURL()"
    light = browser.ask(drawn)
    browser.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    WebDriverWait(browser, 10).until(lambda browser: browser.ask(drawn) != light)


def test_hostile_text_runs_nothing(browser: Browser, folder: CheckpointFolder, unbroken: Command, here: Path) -> None:
    put_with_manifest(folder, folder.latest, hostile())
    assert unbroken("report", "-o", "r.html").code == 0
    browser.open(here / "r.html")  # an alert would make the next question fail
    assert browser.complaints == []
    assert browser.ask("document.scripts.length") == 3
    assert EVIL in browser.ask("document.body.innerText")


def test_a_script_that_got_in_after_all_would_not_run(browser: Browser, page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("</main>", "<script>document.title = 'run'</script></main>"), encoding="utf-8")
    browser.open(page)
    assert browser.ask("document.title") != "run"
    assert any("Content Security Policy" in complaint for complaint in browser.complaints)
