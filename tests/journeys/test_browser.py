"""A real browser: the docs page talks to nobody but us, other origins read what they may."""

import os
import shutil
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Error, sync_playwright

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


READ = """async ([address, headers]) => {
  const answer = await fetch(address, {headers});
  return [answer.status, answer.headers.get("ETag"), answer.headers.get("X-Generation")];
}"""


@pytest.fixture
def site(tmp_path):
    """The address of an empty page of another origin than the service's."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html><title>another origin</title>")
    serving = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder)
    )
    Thread(target=serving.serve_forever).start()
    yield f"http://127.0.0.1:{serving.server_port}"
    serving.shutdown()
    serving.server_close()


@pytest.mark.browser
@pytest.mark.usefixtures("registry_file")
def test_a_page_of_an_allowed_origin_reads_with_a_key_and_no_other_page_reads(
    server, page, site, admin
):
    url, closed = server(workers=1, cors_origins=site).url, server(workers=1).url
    view = page.page
    view.goto(site)
    for headers in ({}, admin, {**admin, "If-None-Match": 'W/"x"'}):
        for path in ("/api/v1/items", "/health", "/api/v1/data/refresh"):
            status, _, generation = view.evaluate(READ, [url + path, headers])
            assert (status, generation) == (401 if "refresh" in path and not headers else 200, "1")
    _, tag, _ = view.evaluate(READ, [f"{url}/api/v1/items", {}])
    assert tag.startswith('W/"')
    for address, headers in ((f"{closed}/api/v1/items", {}), (f"{closed}/health", admin)):
        with pytest.raises(Error, match="Failed to fetch"):
            view.evaluate(READ, [address, headers])
