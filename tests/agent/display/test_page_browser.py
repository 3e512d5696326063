"""The page in a real Chromium: what an operator sees, presses, and must never be made to believe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import Browser, Page
from tests.support.page import PageServer

CHECKS = (Path(__file__).resolve().parents[2] / "support" / "dom_checks.js").read_text()
SIZES = {"touch screen": (1024, 600), "monitor": (1280, 800)}
PHONE = (390, 844)
LIVE = "!document.body.classList.contains('lost')"
GREY = "document.body.classList.contains('lost')"
TEN_SECONDS = 10.0

STATES = {
    "learning": f"{LIVE} && document.querySelector('.badge').dataset.word === 'LEARNING'",
    "monitoring": f"{LIVE} && document.querySelector('.next:not([hidden])')?.dataset.word === 'MONITORING'",
    "worn": "document.querySelector('.card:not([hidden])')?.dataset.alert === 'a1'",
    "broken": "document.querySelector('.card:not([hidden])')?.dataset.alert === 'a2'",
    "provisional": f"{LIVE} && document.querySelector('.badge').dataset.word === 'PROVISIONAL'",
    "acknowledged": "document.querySelector('.card:not([hidden])')?.dataset.alert === 'a4'",
    "leftover": "document.querySelector('.next:not([hidden]) .lists:not([hidden])')",
    "device_lost": f"{LIVE} && document.querySelector('.badge').dataset.word === 'LOST'",
    "switched_off": "document.querySelector('.badge').dataset.word === 'OFF'",
    "held": "document.querySelector('.badge').dataset.word === 'HOLD'",
    "feed_changed": f"{LIVE} && document.querySelector('.next:not([hidden]) .note[data-kind=feed_changed]')",
    "asked": f"{LIVE} && document.querySelector('.next:not([hidden]) .note[data-kind=program_changed]')",
    "answered": f"{LIVE} && document.querySelector('.next:not([hidden]) .note[data-kind=program_learned]')",
    "asked_with_alert": f"{LIVE} && document.querySelector('.strip:not([hidden]) .note[data-kind=program_changed]')",
    "warming": f"{LIVE} && document.querySelector('.next:not([hidden]) .note[data-kind=warm_up]')",
    "many": "document.querySelectorAll('.spindles button').length === 2",
    "hostile": "document.querySelector('h1').textContent.startsWith('<img')",
}
ALERTS = {
    "absent": "document.querySelector('.card:not([hidden])')?.dataset.alert === 'a5'",
    "overloaded": "document.querySelector('.card:not([hidden])')?.dataset.alert === 'a6'",
    "together": "document.querySelector('.card:not([hidden])')?.dataset.alert === 'a8'",
    "vibrating": "document.querySelector('.card:not([hidden])')?.dataset.alert === 'a7'",
}
DRAWN = "document.querySelector('.picture img')?.complete && document.querySelector('.picture img').naturalWidth > 0"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as one:
        yield one


@pytest.fixture
def server() -> Iterator[PageServer]:
    with PageServer() as one:
        yield one


@pytest.fixture
def page(browser: Browser, server: PageServer) -> Iterator[Page]:
    one = browser.open(server.url)
    yield one
    one.close()


def show(server: PageServer, page: Page, state: str) -> None:
    server.show(state)
    page.wait((STATES | ALERTS)[state])


def complaints(page: Page) -> list[str]:
    found: list[str] = page.eval(CHECKS)
    return found


def told(found: dict[str, list[str]]) -> list[str]:
    """All complaints, each with its place."""
    return [f"{place}: {one}" for place, what in found.items() for one in what]


def ask_back(page: Page, button: str) -> None:
    """Press what is not done before a question is answered."""
    page.tap(button)
    page.wait("document.querySelector('dialog[open]')")


def test_an_alert_arrives_and_says_what_to_do(server: PageServer, page: Page) -> None:
    show(server, page, "monitoring")
    assert page.text(".word") == "SURVEILLÉ"
    assert page.text(".next h2") == "Rien à signaler"
    assert "T4 ébauche" in page.text(".next")
    show(server, page, "worn")
    card = page.text(".card")
    assert "Usure outil T4" in card
    assert "+18 %" in card
    assert "depuis" in card
    assert "Les 2 autres outils ne bougent pas" in card
    assert "À faire : Finir la passe" in card
    assert page.text(".word") == "SURVEILLÉ"
    assert page.eval("document.title").startswith("SURVEILLÉ")
    assert page.problems() == []


def test_the_most_severe_stands_first_and_the_others_are_counted(server: PageServer, page: Page) -> None:
    show(server, page, "broken")
    assert page.text(".card h2") == "Casse outil T2"
    assert "URGENT" in page.text(".card")
    assert page.text(".strip .others") == "+2 autres"
    page.tap(".strip .others")
    page.wait("document.querySelectorAll('.row-button').length === 3")
    assert "Usure outil T4" in page.text(".rows")


def test_a_checklist_is_ticked_safety_first(server: PageServer, page: Page) -> None:
    show(server, page, "broken")
    page.tap(".card .primary")
    page.wait("document.querySelector('.step').dataset.kind === 'safety'")
    assert page.eval("document.querySelectorAll('.tick').length") == 3
    page.tap(".walk button:last-child")
    page.wait("document.querySelector('.step').dataset.kind === 'ask'")
    assert "sécurité" in page.text(".step-done")
    page.wait("document.querySelector('.tick[data-result=ok]').disabled")
    assert not page.eval("document.querySelector('.tick[data-result=escalate]').disabled")
    page.tap(".walk button:first-child")
    page.wait("document.querySelector('.step').dataset.kind === 'safety' && !document.querySelector('.tick[data-result=ok]').disabled")
    page.tap(".tick[data-result=ok]")
    first = server.command()
    assert first["command"] == "tick_step"
    assert first["step"] == "safety"
    assert first["result"] == "ok"
    assert first["by"] == "page"
    assert re.fullmatch(r"[0-9a-f]{24}", first["id"])
    page.wait(
        "document.querySelector('.checklist .count').textContent.startsWith('1') && document.querySelector('.step').dataset.kind === 'ask'"
    )
    assert page.eval("!document.querySelector('.safety-box').hidden")
    page.wait("!document.querySelector('.tick[data-result=corrected]').disabled")
    page.tap(".tick[data-result=corrected]")
    assert server.command()["result"] == "corrected"
    page.wait("document.querySelector('.checklist .count').textContent.startsWith('2')")
    assert page.problems() == []


def test_an_alert_shows_what_was_seen_what_speaks_for_it_and_what_it_could_be_instead(server: PageServer, page: Page) -> None:
    show(server, page, "worn")
    page.tap(".card .primary")
    page.wait(DRAWN)
    assert "Travail de coupe" in page.eval("document.querySelector('.picture img').alt")
    assert "+18" in page.eval("document.querySelector('.picture img').alt")
    page.tap("[data-tab=evidence]")
    page.wait("document.querySelectorAll('.reasons:not([hidden]) .evidence tr').length >= 6")
    evidence = page.text(".reasons:not([hidden])")
    assert "Comparé à" in evidence
    assert "3 passes de l'outil neuf" in evidence
    assert "1 fausse alarme par mois au plus" in evidence
    assert "1 passe sur 400 000" in evidence
    page.tap("[data-tab=doubts]")
    page.wait("document.querySelectorAll('.reasons:not([hidden]) li').length >= 5")
    doubts = page.text(".reasons:not([hidden])")
    assert "Arête nette" in doubts
    assert "Programme, avance ou vitesse modifiés" in doubts
    assert "Peu probable, les autres outils ne bougent pas : Lot de matière plus dur" in doubts
    assert "état de surface" in doubts
    page.tap("[data-tab=todo]")
    page.wait("document.querySelector('.step').checkVisibility()")
    assert page.problems() == []


def test_a_limit_that_was_widened_is_said_and_can_be_put_back(server: PageServer, page: Page) -> None:
    show(server, page, "overloaded")
    page.tap(".card .primary")
    # The picture comes last and moves what stands below it: a finger waits for it too.
    page.wait(f"document.querySelector('.tuning').checkVisibility() && {DRAWN}")
    assert "20 % plus large" in page.text(".tuning")
    ask_back(page, ".tuning button")
    page.tap("dialog .primary")
    command = server.command()
    assert (command["command"], command["tuning"]) == ("undo_tuning", "tuning-1")


def test_the_installer_sees_what_each_operation_can_see(server: PageServer, page: Page) -> None:
    show(server, page, "monitoring")
    page.tap("nav [data-place=installer]")
    page.tap("[data-tab=operations]")
    page.wait("document.querySelectorAll('.operations tbody tr').length >= 3")
    first = page.text(".operations tbody tr")
    assert "T1 chariotage" in first
    assert "surveillé" in first
    assert "+6 %" in first
    assert not page.eval("Boolean(document.querySelector('[data-column=widened]'))")
    page.tap(".operations tbody tr:nth-child(2)")
    page.wait("document.querySelector('.why-line').textContent.startsWith('T2')")
    assert page.problems() == []


def test_the_installer_sees_what_became_of_the_budget(server: PageServer, page: Page) -> None:
    show(server, page, "monitoring")
    page.tap("nav [data-place=installer]")
    page.tap("[data-tab=budget]")
    page.wait("document.querySelector('.budget h2')?.textContent === 'Trop tôt pour juger'")
    assert "2 alertes sont restées sans réponse" in page.text(".sentences")
    assert not page.eval("document.querySelector('[data-tab=budget]').hasAttribute('data-warns')")
    server.show("broken")
    page.wait("document.querySelector('.budget h2').textContent === 'Au-dessus du budget'")
    assert "outil absent, outil T2, programme 4711, passe 2 (5 fois sur 7)" in page.text(".sentences").replace("\u00a0", " ")
    assert "À faire" in page.text(".sentences")
    assert page.eval("document.querySelector('[data-tab=budget]').hasAttribute('data-warns')")
    assert page.problems() == []


def test_a_feed_that_was_changed_is_said_on_the_page_and_on_its_tool(server: PageServer, page: Page) -> None:
    show(server, page, "feed_changed")
    assert "avance à 80 %" in page.text(".note").replace("\u202f", " ").replace("\u00a0", " ")
    assert "avance modifiée" in page.text(".tool:nth-child(2)")
    assert not page.eval("Boolean(document.querySelector('.note button'))")
    server.show("monitoring")
    page.wait("document.querySelector('.next .notes').hidden && document.querySelector('.next .row').checkVisibility()")
    assert page.problems() == []


@pytest.mark.parametrize(("state", "place"), [("asked", ".next"), ("asked_with_alert", ".strip")])
@pytest.mark.parametrize(("choice", "answer"), [(3, "yes"), (2, "no")])
def test_whether_a_program_was_changed_is_asked_and_answered(
    server: PageServer, page: Page, state: str, place: str, choice: int, answer: str
) -> None:
    show(server, page, state)
    ask_back(page, f"{place} .note button")
    assert "modifié" in page.text("dialog")
    assert complaints(page) == []
    page.tap(f"dialog .pair button:nth-child({choice})")
    command = server.command()
    assert (command["command"], command["program"], command["answer"]) == ("program_changed", "4711", answer)
    assert page.problems() == []


def test_a_program_that_is_learned_anew_can_be_taken_back(server: PageServer, page: Page) -> None:
    show(server, page, "answered")
    assert "révision 2" in page.text(".note")
    ask_back(page, ".next .note button")
    page.tap("dialog .primary")
    command = server.command()
    assert (command["command"], command["program"]) == ("undo_program", "4711")


def test_what_cannot_be_taken_back_is_asked_twice(server: PageServer, page: Page) -> None:
    show(server, page, "worn")
    ask_back(page, ".card .pair button:last-child")
    page.tap("dialog .pair button:first-child")
    page.wait("!document.querySelector('dialog[open]')")
    ask_back(page, ".card .pair button:last-child")
    page.tap("dialog .primary")
    command = server.command()
    assert (command["command"], command["alert"]) == ("false_alarm", "a1")


def test_acknowledge_and_tool_changed(server: PageServer, page: Page) -> None:
    show(server, page, "worn")
    page.tap(".card .pair button:first-child")
    assert server.command()["command"] == "acknowledge"
    pick_tool(page, 3)
    page.wait("document.querySelector('.picked h2').textContent.startsWith('T4')")
    ask_back(page, ".picked .primary")
    page.tap("dialog .primary")
    command = server.command()
    assert (command["command"], command["tool"], command["spindle"]) == ("tool_changed", "4", "S1")


def pick_tool(page: Page, number: int) -> None:
    page.tap("nav [data-place=tools]")
    page.wait("document.querySelectorAll('.tool-grid .tool').length === 4")
    page.tap(f".tool-grid .tool:nth-child({number})")


def test_a_measure_is_typed_without_a_keyboard(server: PageServer, page: Page) -> None:
    show(server, page, "monitoring")
    pick_tool(page, 1)
    page.wait("document.querySelector('.picked h2').textContent.startsWith('T1')")
    page.tap(".picked .actions button:nth-child(2)")
    page.wait("document.querySelector('dialog[open] .figure')?.textContent === '0,14\u00a0mm'")
    assert complaints(page) == []
    for key, shown in ((1, "0,09"), (2, "0,08"), (4, "0,09"), (5, "0,14"), (5, "0,19")):
        page.tap(f"dialog .stepper button:nth-of-type({key if key < 3 else key - 1})")
        page.wait(f"document.querySelector('.figure').textContent === '{shown}\u00a0mm'")
    page.tap("dialog .primary")
    command = server.command()
    assert (command["command"], command["tool"], command["spindle"], command["vb"]) == ("measure", "1", "S1", 0.19)


def test_a_measure_that_is_given_up_is_not_sent(server: PageServer, page: Page) -> None:
    show(server, page, "monitoring")
    pick_tool(page, 2)
    page.wait("document.querySelector('.picked h2').textContent.startsWith('T2')")
    ask_back(page, ".picked .actions button:nth-child(2)")
    page.tap("dialog .pair button:first-child")
    page.wait("!document.querySelector('dialog[open]')")
    page.tap(".picked .actions button:nth-child(3)")
    command = server.command()
    assert (command["command"], command["tool"], command["spindle"]) == ("still_good", "2", "S1")


def test_why_a_tool_was_changed(server: PageServer, page: Page) -> None:
    show(server, page, "monitoring")
    pick_tool(page, 3)
    page.wait("document.querySelector('.picked h2').textContent.startsWith('T4')")
    page.tap(".picked .primary")
    page.wait("document.querySelectorAll('dialog[open] .pair button').length === 4")
    assert complaints(page) == []
    page.tap("dialog .pair button:last-child")
    command = server.command()
    assert (command["command"], command["tool"], command["reason"]) == ("tool_changed", "4", "planned")


def test_what_is_left_and_what_it_rests_on(server: PageServer, page: Page) -> None:
    show(server, page, "monitoring")
    pick_tool(page, 4)
    page.wait("document.querySelector('.picked h2').textContent.startsWith('T7')")
    assert "reste 40–95 pièces" in page.text(".tool-grid .tool:nth-child(4)")
    facts = page.text(".picked .evidence")
    assert "les outils précédents : 5" in facts
    pick_tool(page, 2)
    page.wait("document.querySelector('.picked h2').textContent.startsWith('T2')")
    assert "Reste" not in page.text(".picked .evidence")


def test_nothing_looks_live_once_the_agent_is_killed(server: PageServer, page: Page) -> None:
    show(server, page, "worn")
    server.kill()
    page.wait(GREY, TEN_SECONDS)
    assert page.text(".word") == "SIGNAL PERDU"
    assert "Plus rien depuis" in page.text(".reason")
    assert page.eval("document.title").startswith("SIGNAL PERDU")
    struck = "[...document.querySelectorAll('[data-value], .tool .main')].filter(n => n.checkVisibility() && n.textContent)"
    assert page.eval(f"{struck}.length") >= 6
    assert page.eval(f"{struck}.every(n => getComputedStyle(n).textDecorationLine === 'line-through')")
    assert page.eval("[...document.querySelectorAll('[data-command]')].every(n => n.disabled)")
    age = "parseFloat(document.querySelector('.cut .age').textContent.replace(',', '.').match(/[\\d.]+/)[0])"
    before = page.eval(age)
    page.wait(f"{age} > {before}")
    assert complaints(page) == []


def test_the_page_gives_up_in_less_than_two_seconds() -> None:
    """By its own figures: silence that it bears and the period of its look at the watch; the monitor's own silence counts as well."""
    static = Path(__file__).resolve().parents[3] / "agent" / "display" / "static"
    stream, page = (static / "stream.js").read_text(), (static / "page.js").read_text()
    silence = int(re.search(r"SILENCE = (\d+)", stream)[1])  # type: ignore[index]
    tick = int(re.search(r"TICK = (\d+)", page)[1])  # type: ignore[index]
    stale = float(re.search(r"STALE = ([\d.]+)", stream)[1])  # type: ignore[index]
    assert silence + tick < 2000
    assert stale <= 2.0


def test_the_page_comes_back_with_the_agent(browser: Browser) -> None:
    with PageServer() as first:
        port = first.port
        page = browser.open(first.url)
        show(first, page, "monitoring")
        first.kill()
        page.wait(GREY, TEN_SECONDS)
    with PageServer(port=port) as second:
        second.show("worn")
        page.wait(f"{LIVE} && {STATES['worn']}", 20.0)
        assert "Usure outil T4" in page.text(".card")
    page.close()


def test_a_tab_that_slept_wakes_up_grey(server: PageServer, page: Page) -> None:
    show(server, page, "monitoring")
    page.call("Page.setWebLifecycleState", {"state": "frozen"})
    server.kill()
    page.call("Page.setWebLifecycleState", {"state": "active"})
    page.wait(GREY, TEN_SECONDS)
    assert page.text(".word") == "SIGNAL PERDU"


def test_a_monitor_that_falls_silent_behind_a_living_stream_is_not_believed(server: PageServer, page: Page) -> None:
    show(server, page, "monitoring")
    server.show("nothing")
    page.wait(GREY, TEN_SECONDS)
    assert page.text(".word") == "SIGNAL PERDU"
    show(server, page, "monitoring")


def test_a_page_that_cannot_draw_goes_grey(server: PageServer, page: Page) -> None:
    show(server, page, "monitoring")
    page.eval("SVGElement.prototype.getAttribute = () => { throw new Error('on purpose'); }, 0")
    page.wait(GREY, TEN_SECONDS)
    assert page.text(".word") == "SIGNAL PERDU"


def test_an_old_reading_shows_its_age_in_amber_while_the_stream_lives(server: PageServer, page: Page) -> None:
    show(server, page, "device_lost")
    assert page.text(".word") == "SIGNAL PERDU"
    assert "L'appareil ne répond plus." in page.text(".badge")
    page.wait("document.querySelector('.cut .age').hasAttribute('data-old')")
    assert page.text(".cut .age").startswith("il y a 7,")
    assert page.eval("getComputedStyle(document.querySelector('.cut .age')).color") == "rgb(119, 58, 0)"


def test_before_the_first_reading_nothing_is_shown(server: PageServer, page: Page) -> None:
    page.wait("document.querySelector('.word')?.textContent === 'SIGNAL PERDU'")
    page.wait("document.querySelector('.reason').textContent.includes('première lecture')")
    assert page.eval("getComputedStyle(document.querySelector('main')).visibility") == "hidden"


def test_hostile_names_stay_texts(server: PageServer, page: Page) -> None:
    show(server, page, "hostile")
    for place in ("tools", "maintenance", "history", "installer", "machine"):
        page.tap(f"nav [data-place={place}]")
        page.wait(f"document.querySelector('nav [data-place={place}]').getAttribute('aria-current') === 'page'")
    page.tap(".card .primary")
    page.wait(DRAWN)
    page.tap("[data-tab=evidence]")
    page.wait("document.querySelectorAll('.reasons:not([hidden]) .evidence tr').length >= 6")
    assert page.eval("window.hacked") is None
    assert page.eval("[...document.images].every(image => image.closest('.picture'))")
    assert page.eval("document.body.textContent.includes('<img src=x onerror=')")
    assert page.problems() == []


def test_numbers_and_words_in_french_and_in_english(server: PageServer, page: Page) -> None:
    show(server, page, "worn")
    assert page.text(".load") == "45 %"
    assert page.text(".speed") == "1 200 tr/min"
    assert "\u202f" in page.eval("document.querySelector('.speed').textContent")
    assert "1,1 mm/s" in page.text(".strip")
    page.tap("nav .language")
    page.wait("document.documentElement.lang === 'en' && document.querySelector('.card h2').textContent === 'Wear, tool T4'")
    page.wait(LIVE)
    assert page.text(".word") == "MONITORING"
    assert page.text(".load") == "45%"
    assert page.text(".speed") == "1,200 rpm"
    assert "1.1 mm/s" in page.text(".strip")
    assert page.text("nav [data-place=tools]") == "Tools"
    assert not re.search(r"[éèàùç]|outil|pièce|passe\b", page.text("body").replace("FR", ""))
    page.call("Page.reload")
    page.wait("document.documentElement.lang === 'en' && document.querySelector('.word')?.textContent === 'MONITORING'")
    page.eval("localStorage.clear()")


def test_everything_comes_from_the_agent_itself(browser: Browser, server: PageServer) -> None:
    page = browser.open("about:blank")
    page.call("Network.enable")
    page.call("Page.navigate", {"url": server.url})
    show(server, page, "worn")
    asked = [event["params"]["request"]["url"] for event in browser.events if event["method"] == "Network.requestWillBeSent"]
    assert any(url.endswith("/static/page.js") for url in asked)
    assert [url for url in asked if not url.startswith(server.url)] == []
    assert page.eval("document.fonts.size") == 0
    assert page.problems() == []
    page.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_one_screen_for_gloves_and_old_glasses(browser: Browser, size: str, language: str) -> None:
    """Every state and every view: nothing scrolls or is cut off, targets of 56 px, contrast 7:1."""
    found: dict[str, list[str]] = {}
    with PageServer(language) as server:
        page = browser.open(server.url, *SIZES[size])
        for state in STATES:
            show(server, page, state)
            found[state] = complaints(page)
            for place in ("tools", "maintenance", "history", "installer", "machine"):
                page.tap(f"nav [data-place={place}]")
                page.wait(f"document.querySelector('nav [data-place={place}]').getAttribute('aria-current') === 'page'")
                if place == "installer":
                    page.wait("document.querySelector('.channels tbody tr')")
                    found[f"{state}, wires"] = complaints(page)
                    page.tap("[data-tab=operations]")
                    page.wait("document.querySelector('.operations tbody tr')")
                    found[f"{state}, operations"] = complaints(page)
                    page.tap("[data-tab=budget]")
                    page.wait("document.querySelector('.budget .sentences p')")
                    if page.eval("(b => b.scrollHeight > b.clientHeight + 1)(document.querySelector('.budget .why-box'))"):
                        found[f"{state}, budget"] = ["what became of the budget is cut off"]
                found[f"{state}, {place}"] = complaints(page)
        for state in ("absent", "overloaded", "vibrating", "together", "worn", "broken"):
            show(server, page, state)
            page.tap(".card .primary")
            page.wait("document.querySelector('.step-text').textContent")
            while True:
                found[f"{state}, {page.text('.kind')}"] = complaints(page)
                if page.eval("document.querySelector('.walk button:last-child').disabled"):
                    break
                page.tap(".walk button:last-child")
            for tab in ("evidence", "doubts"):
                page.tap(f"[data-tab={tab}]")
                page.wait(f"{DRAWN} && document.querySelector('.reasons:not([hidden]) :is(li, tr)')")
                found[f"{state}, {tab}"] = complaints(page)
            page.tap(".about .back")
            page.wait("document.querySelector('.card')")
        ask_back(page, ".card .pair button:last-child")
        found["question"] = complaints(page)
        problems = page.problems()
        page.close()
    assert told(found) == []
    assert problems == []


def test_a_phone_may_scroll_down_but_not_sideways(browser: Browser, server: PageServer) -> None:
    page = browser.open(server.url, *PHONE)
    found = {}
    for state in STATES:
        show(server, page, state)
        found[state] = complaints(page)
    show(server, page, "broken")
    for place in ("tools", "maintenance", "history", "installer", "machine"):
        page.tap(f"nav [data-place={place}]")
        page.wait(f"document.querySelector('nav [data-place={place}]').getAttribute('aria-current') === 'page'")
        found[place] = complaints(page)
    page.tap(".card .primary")
    page.wait("document.querySelector('.step-text').textContent")
    found["detail"] = complaints(page)
    for tab in ("evidence", "doubts"):
        page.tap(f"[data-tab={tab}]")
        page.wait(f"{DRAWN} && document.querySelector('.reasons:not([hidden]) :is(li, tr)')")
        found[tab] = complaints(page)
    page.close()
    assert told(found) == []
