"""Pictures of the page of a running demo: `./broche demo --port 8799 --no-browser` beside it, then

  python -m benchmarks.pictures http://127.0.0.1:8799/ docs/pictures/demo

needs Chromium; takes the page while it learns, when a tool has broken (with its checklist, what speaks for it, what else it may be), when
another has worn, and the table of what each operation can see; each at three sizes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.browser import Browser, Page
from tests.support.png import small

SIZES = {"1024": (1024, 600), "1280": (1280, 800), "390": (390, 844)}
MOMENTS = {
    "learning": "document.querySelector('.badge').dataset.word === 'LEARNING'",
    "breakage": "document.querySelector('.card:not([hidden])')?.dataset.alert?.startsWith('tool')",
    "wear": "document.querySelector('.card:not([hidden])')?.dataset.alert?.startsWith('wear')",
}
TABS = {"todo": ".step:not([hidden])", "evidence": ".reasons:not([hidden]) tr", "doubts": ".reasons:not([hidden]) li"}
DRAWN = "document.querySelector('.picture img')?.complete && document.querySelector('.picture img').naturalWidth"
LONGEST = 150.0
"""s to wait for each."""


def main(url: str, folder: Path) -> None:
    """Take them."""
    folder.mkdir(parents=True, exist_ok=True)
    taken: list[Path] = []

    def take(page: Page, name: str, size: str) -> None:
        taken.append(folder / f"{name}-{size}.png")
        page.eval("window.scrollTo(0, 0)")
        page.screenshot(taken[-1], whole=size == "390" and name != "learning")

    with Browser() as browser:
        pages = {size: browser.open(url, *SIZES[size]) for size in SIZES}
        for moment, shown in MOMENTS.items():
            for size, page in pages.items():
                page.wait(shown, LONGEST)
                take(page, moment, size)
                if moment != "learning":
                    _alert(page, moment, size, take)
            if moment == "breakage":
                # Seen: what comes next may stand first.
                page.tap(".card .pair button")
            print(f"{time.strftime('%H:%M:%S')} {moment}", file=sys.stderr)
        for size, page in pages.items():
            page.tap("nav [data-place=installer]")
            page.tap("[data-tab=operations]")
            page.wait("document.querySelector('.operations tbody tr')")
            take(page, "operations", size)
    for path in taken:
        path.write_bytes(small(path.read_bytes()))


def _alert(page: Page, moment: str, size: str, take: Callable[[Page, str, str], None]) -> None:
    """The alert in full: each of its views."""
    page.tap(".card .primary")
    page.wait(DRAWN)
    for tab, there in TABS.items():
        page.tap(f"[data-tab={tab}]")
        page.wait(f"document.querySelector('{there}')")
        take(page, f"{moment}-{tab}", size)
    page.tap(".about .back")
    page.wait("document.querySelector('main.machine')")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
