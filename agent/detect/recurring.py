"""Operations of a machine that names neither program nor tool nor part: cuts that come again, known by their shape and their place.

A closed cut is one of the shapes seen before when its curve above idle lies near the mean of theirs (dynamic time warping within a narrow
band, `agent.kernels.dtw`) and its length is theirs. Where the shapes come in the same order three times over, that order is a part:
it begins after its longest pause, and place k of it is operation `k`. From then on a cut has its name as it opens, by its time since the
one before; its shape must confirm it as it closes.

Whoever guesses wrongly alarms wrongly: where time and shape disagree the cut has no name or is held, and after two in a row the order
counts as lost until it has shown itself again, for twice as long as before.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import msgspec
import numpy as np

from agent.kernels.dtw import dtw
from agent.model import Cut
from drivers.model import Floats

POINTS, BAND = 48, 3
"""Positions of a shape, and how far warping may go: 6 % of the cut."""
ALIKE = 0.15
"""Largest distance, as a share of the shape's mean, halved because DTW walks both curves: a tool may take 30 % more and be the same cut."""
LENGTH = math.log(1.15)
"""Log ratio of lengths: a cut that is broken off is another shape, or none."""
SHAPES, PLACES, ORDERS = 60, 60, 20
"""The most that are remembered; what was not seen for the longest time makes room."""
REPEATS, FEWEST = 3, 8
"""Times that an order must have come, and the cuts that it must have explained, before it counts."""
STRIKES = 2
"""Cuts in a row that were not what they should be, after which the order is lost."""
ON_TIME, SLACK = 0.1, 1.0
"""Share of the usual time since the cut before, and s, by which a cut may open earlier or later."""
SKIPPED = 3
"""Places in a row that may have been passed over without a cut."""
MARK = "~"
"""What a name begins with that stands for a tool and is none: 'pass 3', 'passe 3' (`Texts.tool_label`)."""
WEIGHT = 0.05
"""Of the newest cut in a shape that was seen often."""


class Shape(msgspec.Struct):
    """Cuts that look alike."""

    id: int
    spindle: str
    curve: list[float]
    """Above idle, unit of the load, at `POINTS` positions"""
    seconds: float
    seen: int = 1
    used: float = 0.0


class Order(msgspec.Struct):
    """The cuts of one part."""

    number: int
    shapes: list[int]
    """By place; the first comes after the longest pause"""
    waits: list[float]
    """By place: s from the opening of the cut before to that of this one; of the first place, the shortest"""
    lost: int = 0
    """How often it did not hold"""
    used: float = 0.0


class Came(msgspec.Struct):
    """A cut that was seen."""

    shape: int
    opened: float
    closed: float


class RecurringState(msgspec.Struct):
    """What survives a restart."""

    shapes: list[Shape] = []
    orders: list[Order] = []
    made: int = 0
    """Shapes that were ever begun"""


class Recurring:
    """Names the cuts of a machine.

    Attributes
    ----------
    state: what survives a restart; the order has to show itself again after one.
    doubt: a cut was missed, or came where none should: the part that runs is not whole. The caller sets it back.
    """

    def __init__(self) -> None:
        self.state = RecurringState()
        self.doubt = False
        self._tail: list[Came] = []
        self._order: Order | None = None
        self._place = 0
        self._named: int | None = None
        self._strikes = 0
        self._work = np.zeros((2, POINTS))

    @property
    def known(self) -> bool:
        """Whether the order of cuts is known now."""
        return self._order is not None

    def opened(self, cut: Cut) -> str:
        """Name of a cut that opens, as it stands for the tool: '~3'; '': it is not known."""
        self._named = self._place_of(cut) if self._order is not None else None
        return self._name(self._named) if self._named is not None else ""

    def closed(self, cut: Cut) -> Cut:
        """The same, held where its shape speaks against its name; learned from."""
        named, self._named = self._named, None
        if cut.held == "run_up":
            return cut
        shape = self._shape_of(cut) if cut.held in ("", "idle_unknown") else None
        if shape is None:
            shape = self._begin(cut) if not cut.held and self._curve(cut) is not None and named is None else -1
        if cut.held == "lost":
            self._lose()
            self._tail = []
            return cut
        came = Came(shape, cut.opened, cut.time)
        self._tail = [*self._tail, came][-max(2 * REPEATS * PLACES, FEWEST) :]
        if self._order is None:
            self._find(cut.time)
            return cut
        return self._follow(cut, named, came)

    def restore(self, state: RecurringState, anew: Collection[str] = ()) -> None:
        """Take back a saved state; of the spindles in `anew`, whose load means something else now, no shape."""
        gone = {shape.id for shape in state.shapes if shape.spindle in anew}
        self.state = RecurringState(
            [shape for shape in state.shapes if shape.id not in gone],
            [order for order in state.orders if not gone.intersection(order.shapes)],
            state.made,
        )

    def break_off(self) -> None:
        """Something was not seen: what comes next may be anything."""
        self._lose()
        self._tail = []

    def _follow(self, cut: Cut, named: int | None, came: Came) -> Cut:
        order = self._order
        assert order is not None
        order.used = cut.time
        if named is not None:
            right = came.shape == order.shapes[named]
            # A broken tool's cut, or one without a tool, is no shape that is known; another cut of this part in its place is an error.
            strange = not right and came.shape in order.shapes
            self._place = named
            self._strikes = 0 if right else self._strikes + 1
            if strange or self._strikes >= STRIKES:
                self._lose()
            return cut if right or not strange else msgspec.structs.replace(cut, held="order")
        self.doubt = True
        ahead = [(self._place + k) % len(order.shapes) for k in range(1, len(order.shapes) + 1)]
        fits = [place for place in ahead if order.shapes[place] == came.shape]
        if len(fits) == 1 or (fits and fits[0] == ahead[0]):
            self._place, self._strikes = fits[0], 0
        else:
            self._strikes += 1
            if self._strikes >= STRIKES or came.shape < 0:
                self._lose()
        return cut

    def _place_of(self, cut: Cut) -> int | None:
        """The place whose time it is."""
        order = self._order
        assert order is not None
        assert self._tail
        elapsed, total = cut.opened - self._tail[-1].opened, 0.0
        for k in range(1, min(SKIPPED + 1, len(order.shapes)) + 1):
            place = (self._place + k) % len(order.shapes)
            total += order.waits[place]
            off = elapsed - total
            allowed = max(ON_TIME * total, SLACK)
            if place == 0:
                # Nobody knows how long the next part is waited for.
                return 0 if off >= -allowed else None
            if abs(off) <= allowed:
                return place
        return None

    def _name(self, place: int) -> str:
        order = self._order
        assert order is not None
        return f"{MARK}{place + 1}" if order.number == 1 else f"{MARK}{order.number}.{place + 1}"

    def _find(self, now: float) -> None:
        """Look for an order that has come often enough, the shortest first."""
        ids = [came.shape for came in self._tail]
        for period in range(1, min(PLACES, len(ids) // REPEATS) + 1):
            latest = ids[-period:]
            if -1 in latest:
                return
            if ids[-2 * period : -period] != latest:
                continue
            known = self._known(latest)
            repeats = max(REPEATS * 2 ** min(known.lost if known else 0, 6), -(-FEWEST // period))
            if len(ids) < repeats * period or ids[-repeats * period :] != latest * repeats:
                continue
            self._lock(latest, repeats, known, now)
            return

    def _known(self, latest: list[int]) -> Order | None:
        n = len(latest)
        turned = [latest[k:] + latest[:k] for k in range(n)]
        return next((order for order in self.state.orders if len(order.shapes) == n and order.shapes in turned), None)

    def _lock(self, latest: list[int], repeats: int, known: Order | None, now: float) -> None:
        n = len(latest)
        its = self._tail[-repeats * n :]
        pauses = [float(np.median([its[i].opened - its[i - 1].closed for i in range(k, len(its), n) if i > 0])) for k in range(n)]
        first = int(np.argmax(pauses))
        if known is None:
            number = max((order.number for order in self.state.orders), default=0) + 1
            known = Order(number, latest[first:] + latest[:first], [])
            self.state.orders = [*self.state.orders, known]
            if len(self.state.orders) > ORDERS:
                self.state.orders.remove(min(self.state.orders[:-1], key=lambda order: order.used))
        else:
            first = next(k for k in range(n) if latest[k:] + latest[:k] == known.shapes)
        waits = []
        for place in range(n):
            k = (first + place) % n
            between = [its[i].opened - its[i - 1].opened for i in range(k, len(its), n) if i > 0]
            waits.append(min(between) if place == 0 else float(np.median(between)))
        known.waits, known.used = waits, now
        self._order, self._strikes = known, 0
        self._place = (n - 1 - first) % n
        self.doubt = True

    def _lose(self) -> None:
        if self._order is not None:
            self._order.lost += 1
            self._order = None
            self.doubt = True
        self._strikes = 0

    def _curve(self, cut: Cut) -> Floats | None:
        """Above idle at `POINTS` positions."""
        if len(cut.curve) < 2 or cut.features.work <= 0.0:
            return None
        values = np.array(cut.curve) - cut.features.idle
        out = np.interp(np.linspace(0.0, 1.0, POINTS), np.linspace(0.0, 1.0, len(values)), values)
        return out if bool(np.isfinite(out).all()) and float(np.mean(out)) > 0.0 else None

    def _shape_of(self, cut: Cut) -> int | None:
        """The shape that this cut is nearest to, and which it joins; None: no known one."""
        curve = self._curve(cut)
        if curve is None:
            return None
        best: tuple[float, Shape] | None = None
        for shape in self.state.shapes:
            if shape.spindle != cut.operation.spindle or abs(math.log(max(cut.features.duration, 1e-3) / shape.seconds)) > LENGTH:
                continue
            template = np.array(shape.curve)
            distance = float(dtw(curve, template, BAND, self._work)) / (2.0 * POINTS) / float(np.mean(template))
            if distance <= ALIKE and (best is None or distance < best[0]):
                best = (distance, shape)
        if best is None:
            return None
        shape = best[1]
        shape.seen += 1
        shape.used = cut.time
        weight = max(1.0 / shape.seen, WEIGHT)
        shape.curve = (np.array(shape.curve) + weight * (curve - np.array(shape.curve))).tolist()
        shape.seconds += weight * (cut.features.duration - shape.seconds)
        return shape.id

    def _begin(self, cut: Cut) -> int:
        curve = self._curve(cut)
        assert curve is not None
        self.state.made += 1
        shape = Shape(self.state.made, cut.operation.spindle, curve.tolist(), max(cut.features.duration, 1e-3), used=cut.time)
        kept = self.state.shapes
        if len(kept) >= SHAPES:
            needed = {i for order in self.state.orders for i in order.shapes}
            free = [s for s in kept if s.id not in needed] or kept
            oldest = min(free, key=lambda s: s.used)
            kept = [s for s in kept if s is not oldest]
            self.state.orders = [order for order in self.state.orders if oldest.id not in order.shapes or order is self._order]
        self.state.shapes = [*kept, shape]
        return shape.id
