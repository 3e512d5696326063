"""Pictures of the page for docs/pictures: `python -m tests.support.pictures FOLDER`.

What they show is made up by `tests.support.snapshots`; nothing in them was measured on a machine.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.browser import Browser, Page
from tests.support.page import PageServer
from tests.support.png import small

SIZES = {"1024": (1024, 600), "1280": (1280, 800), "390": (390, 844)}
LIVE = "!document.body.classList.contains('lost')"
SHOWN = {
    "learning": "document.querySelector('.badge').dataset.word === 'LEARNING'",
    "monitoring": "document.querySelector('.next:not([hidden])')?.dataset.word === 'MONITORING'",
    "worn": "document.querySelector('.card:not([hidden])')?.dataset.alert === 'a1'",
    "broken": "document.querySelector('.card:not([hidden])')?.dataset.alert === 'a2'",
    "switched_off": "document.querySelector('.badge').dataset.word === 'OFF'",
}
PICTURE = "document.querySelector('.picture img')?.complete && document.querySelector('.picture img').naturalWidth"
NAMES = {"learning": "learning", "monitoring": "home", "worn": "wear", "broken": "breakage", "switched_off": "off"}


def main(folder: Path) -> None:
    """Every state at every size. What else lies in the folder is left alone: it may be of the demo, and small already."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("*.png")}
    with Browser() as browser:
        for name, (width, height) in SIZES.items():
            with PageServer() as server:
                page = browser.open(server.url, width, height)
                _states(server, page, folder, name)
                if name == "1024":
                    server.show("monitoring")
                    page.wait(f"{LIVE} && {SHOWN['monitoring']}")
                    _operations(page, folder, name)
                    _english(server, page, folder, name)
                server.show("worn")
                page.wait(f"{LIVE} && {SHOWN['worn']} && document.documentElement.lang === 'fr'")
                server.kill()
                page.wait("document.body.classList.contains('lost')")
                page.screenshot(folder / f"lost-fr-{name}.png")
                page.close()
    for path in folder.glob("*.png"):
        if kept.get(path) != path.stat().st_mtime_ns:
            path.write_bytes(small(path.read_bytes()))


def _states(server: PageServer, page: Page, folder: Path, name: str) -> None:
    for state, shown in SHOWN.items():
        server.show(state)
        page.wait(f"{LIVE} && {shown}")
        if name == "1024" or state in ("monitoring", "worn", "broken"):
            page.screenshot(folder / f"{NAMES[state]}-fr-{name}.png")
        if state == "broken":
            page.tap(".card .primary")
            page.wait("document.querySelector('.step')?.dataset.kind === 'safety' && !document.querySelector('.tick').disabled")
            page.tap(".tick[data-result=ok]")
            page.wait("document.querySelector('.step').dataset.kind === 'ask' && document.querySelector('.notice').hidden")
            page.eval("window.scrollTo(0, 0)")
            page.wait(PICTURE)
            page.screenshot(folder / f"detail-fr-{name}.png", whole=name == "390")
            _back(page)
        if state == "worn" and name == "1024":
            page.tap(".card .primary")
            for tab in ("evidence", "doubts"):
                page.tap(f"[data-tab={tab}]")
                page.wait(f"{PICTURE} && document.querySelector('.reasons:not([hidden]) :is(li, tr)')")
                page.eval("window.scrollTo(0, 0)")
                page.screenshot(folder / f"{tab}-fr-{name}.png", whole=name == "390")
            _back(page)


def _back(page: Page) -> None:
    page.tap(".about .back")
    page.wait("document.querySelector('main.machine')")


def _operations(page: Page, folder: Path, name: str) -> None:
    page.tap("nav [data-place=installer]")
    page.tap("[data-tab=operations]")
    page.wait("document.querySelector('.operations tbody tr')")
    page.screenshot(folder / f"operations-fr-{name}.png", whole=name == "390")
    page.tap("[data-tab=budget]")
    page.wait("document.querySelector('.budget .sentences p')")
    page.screenshot(folder / f"false-alarms-fr-{name}.png", whole=name == "390")
    page.tap("nav [data-place=machine]")


def _english(server: PageServer, page: Page, folder: Path, name: str) -> None:
    page.tap("nav .language")
    server.show("worn")
    page.wait(f"{LIVE} && {SHOWN['worn']} && document.querySelector('.card h2').textContent === 'Wear, tool T4'")
    page.eval("window.scrollTo(0, 0)")
    page.screenshot(folder / f"wear-en-{name}.png")
    page.tap("nav .language")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
