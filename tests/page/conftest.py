"""A real browser (chromium; where there is none, the tests in it are skipped), and pages opened in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lineage_page import render


# For a module, not for the session: as long as playwright runs, its thread has a running event loop, and the tests of
# other modules in the same process could not run one of their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next((found for name in names if (found := shutil.which(name))), None)
    if not executable:
        pytest.skip("there is no chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])


@pytest.fixture(scope="module")
def new_page(browser: Any) -> Callable[..., Any]:
    """Opens a tab in a window with these options. A window for each of them takes half of the time of a test, and the
    page keeps nothing that one of them could leave to the next."""
    contexts: dict[str, Any] = {}

    def open_tab(**options: Any) -> Any:
        options.setdefault("viewport", {"width": 1280, "height": 800})
        options = dict(sorted(options.items()))
        if str(options) not in contexts:
            contexts[str(options)] = browser.new_context(**options)
        return contexts[str(options)].new_page()

    return open_tab


@pytest.fixture
def open_page(new_page: Callable[..., Any], tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens a document as a file. The page may show no dialog, log no error, and ask nothing of any network."""
    disturbances: list[str] = []
    pages = []

    def open_document(document: dict[str, Any], address: str = "", **options: Any) -> Any:
        path = tmp_path / "lineage.html"
        path.write_text(render(document), encoding="utf-8", errors="surrogatepass")
        page = new_page(**options)
        pages.append(page)
        page.set_default_timeout(10_000)
        page.on("dialog", lambda dialog: (disturbances.append(dialog.message), dialog.dismiss()))
        page.on("console", lambda message: disturbances.append(message.text))
        page.on("pageerror", lambda error: disturbances.append(str(error)))
        own = (path.as_uri(), "blob:")
        page.on("request", lambda request: request.url.startswith(own) or disturbances.append(request.url))
        page.goto(path.as_uri() + address)
        return page

    yield open_document
    for page in pages:
        page.close()
    assert disturbances == []
