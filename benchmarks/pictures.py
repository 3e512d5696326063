"""Pictures of the page of a running demo: `./broche demo --port 8799 --no-browser` beside it, then

  python -m benchmarks.pictures http://127.0.0.1:8799/ docs/pictures/demo

needs Chromium; takes the page while it learns and when a tool has broken, with its checklist, each at three sizes.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.support.browser import Browser
from tests.support.png import small

SIZES = {"1024": (1024, 600), "1280": (1280, 800), "390": (390, 844)}
MOMENTS = {
    "learning": "document.querySelector('.badge').dataset.word === 'LEARNING'",
    "breakage": "document.querySelector('.card:not([hidden])')?.dataset.alert?.startsWith('tool')",
}
LONGEST = 150.0
"""s to wait for each."""


def main(url: str, folder: Path) -> None:
    """Take them."""
    folder.mkdir(parents=True, exist_ok=True)
    with Browser() as browser:
        pages = {name: browser.open(url, width, height) for name, (width, height) in SIZES.items()}
        for moment, shown in MOMENTS.items():
            for name, page in pages.items():
                page.wait(shown, LONGEST)
                page.screenshot(folder / f"{moment}-{name}.png")
                if moment == "breakage":
                    page.tap(".card .primary")
                    page.wait("document.querySelector('.step')?.dataset.kind === 'safety'")
                    page.screenshot(folder / f"detail-{name}.png")
            print(f"{time.strftime('%H:%M:%S')} {moment}", file=sys.stderr)
    for path in folder.glob("*.png"):
        path.write_bytes(small(path.read_bytes()))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
