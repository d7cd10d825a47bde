"""Make the README's pictures of the page: `python tools/screenshots.py` writes docs/lineage-light.png and -dark.png.

The sample is run in the embedded sandbox; then a day passes, on which a file comes and another goes, and a dry run
draws what would change. Needs chromium and the packages of requirements-dev.txt.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
FILES = ".sandbox/buckets/atlan-tech-challenge/2025/csa-tech-challenge-ary"


def draw_a_plan(folder: Path) -> Path:
    """The page of a dry run, with a chain of each kind."""
    run_main(folder)
    files = folder / FILES
    shutil.copy(files / "ORDERS.csv", files / "ORDERS_20260131.csv")
    (files / "SHIPPERS.csv").unlink()
    run_main(folder, "--dry-run")
    return folder / ".sandbox/lineage.html"


def run_main(folder: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, ROOT / "main.py", "--sandbox", *arguments], cwd=folder, check=True)


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        address = draw_a_plan(Path(folder)).as_uri()
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            page = browser.new_page(
                viewport={"width": 1180, "height": 860},
                color_scheme=scheme,
                device_scale_factor=1.5,
                timezone_id="UTC",
            )
            page.goto(address)
            page.get_by_role("button", name="Columns of ORDERS", exact=True).click()
            page.mouse.move(0, 0)
            page.evaluate("document.activeElement.blur()")
            page.screenshot(path=ROOT / f"docs/lineage-{scheme}.png")


if __name__ == "__main__":
    main()
