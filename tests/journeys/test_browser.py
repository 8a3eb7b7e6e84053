"""The docs page in a real browser: it shows the operations, and talks to nobody but us."""

import os
import shutil
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture
def page():
    """A page of a headless Chromium, and everything it said or asked for."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        told = f"no browser was found, looked for {', '.join(NAMES)}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(told)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield Watched(browser.new_page())
        browser.close()


class Watched:
    """A page whose messages, errors and requests are kept."""

    def __init__(self, page):
        self.page = page
        self.said, self.errors, self.asked, self.failed = [], [], [], []
        page.on("console", lambda each: self.said.append((each.type, each.text)))
        page.on("pageerror", lambda each: self.errors.append(str(each)))
        page.on("request", lambda each: self.asked.append(each.url))
        page.on("response", lambda e: self.failed.append(e.url) if e.status >= 400 else None)

    def check(self, host):
        """Fail where something went wrong, or another host was asked."""
        assert self.errors == []
        assert [text for kind, text in self.said if kind in {"error", "warning"}] == []
        assert self.failed == []
        hosts = {urlsplit(each).netloc for each in self.asked if not each.startswith("data:")}
        assert hosts == {host}


@pytest.mark.browser
@pytest.mark.usefixtures("registry_file")
def test_the_docs_page_shows_one_dataset_and_everything_and_asks_nobody_else(server, page):
    url = server(workers=1).url
    page.page.goto(f"{url}/docs")
    page.page.wait_for_selector(".opblock", timeout=30_000)
    for path in ("/api/v1/items", "/datasets/items/rows", "/datasets/items/series"):
        assert (path in shown(page.page)) == ("series" not in path)
    assert "forecasts" not in shown(page.page)
    page.page.select_option("#select", label="everything")
    page.page.wait_for_selector("#operations-refresh-refresh", timeout=30_000)
    for path in ("/api/v1/items", "timeseries", "summary", "inventory", "refresh", "/health"):
        assert path in shown(page.page)
    page.check(urlsplit(url).netloc)


def shown(view):
    """Give the paths that are shown, without the places where they may be broken."""
    texts = view.locator(".opblock-summary-path").all_text_contents()
    return " ".join(texts).replace("\u200b", "")


@pytest.mark.browser
@pytest.mark.usefixtures("registry_file")
def test_a_question_can_be_asked_from_the_docs_page_of_one_dataset(server, page):
    url = server(workers=1).url
    view = page.page
    view.goto(f"{url}/docs")
    view.wait_for_selector(".opblock", timeout=30_000)
    view.select_option("#select", label="items")
    asked = view.locator("#operations-items-items_items")
    asked.locator(".opblock-summary").click()
    asked.locator(".try-out__btn").click()
    asked.locator(".execute").click()
    view.wait_for_selector(".live-responses-table .response-col_status", timeout=30_000)
    assert "Antenna" in view.locator(".live-responses-table").inner_text()
    page.check(urlsplit(url).netloc)
