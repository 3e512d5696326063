"""Reads a machine file: either all of it is right, or everything that is wrong with it is said at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.machine_file.beacon import check_beacon
from agent.machine_file.checks import check_machine, check_names, check_outlets, check_roles
from agent.machine_file.condition import check_condition
from agent.machine_file.costs import costs
from agent.machine_file.cutting import check_cutting
from agent.machine_file.decode import LIMITS, decode
from agent.machine_file.fit import check_time
from agent.machine_file.line_time import bus_uses
from agent.machine_file.loads import check_loads
from agent.machine_file.streams import check_streams
from agent.machine_file.wires import check_buses, check_channels, check_sources, check_supply, hold_of, renewal_of, unit_of
from agent.mistakes import FileMistakes, Mistake
from agent.paths import DataPaths
from agent.settings import BeaconOptions, MachineSettings
from agent.toml_file.found import Found
from agent.toml_file.reading import read_document
from drivers.options import ChannelRoute, DeviceMap

__all__ = ["MachineFile", "MachineFileError", "for_replay", "load"]


class MachineFileError(FileMistakes):
    """The machine file cannot be used; every mistake in it is named. `tell(texts)` is what a person reads."""


@dataclass(frozen=True, slots=True)
class MachineFile:
    """A machine file that is right.

    Attributes
    ----------
    settings: as written; a channel without a unit has that of its register, a source the update that its map knows, a broker's
        password file its whole path.
    paths: where the data files of this machine are, nearest first.
    maps: the device maps that its sources use, by the name of the device.
    routes: which register feeds which channel, in the order of the channels.
    warnings: what is worth knowing: spare channels, doors left open, what the absence of a signal costs (codes that begin with 'cost_').
    """

    path: Path
    settings: MachineSettings
    paths: DataPaths
    maps: dict[str, DeviceMap]
    routes: tuple[ChannelRoute, ...]
    warnings: tuple[Mistake, ...]


def load(path: Path, *, paths: DataPaths | None = None, replay: bool = False) -> MachineFile:
    """Read and check a machine file.

    Parameters
    ----------
    paths: where to look for device maps; default: beside the machine file and in the usual places.
    replay: only the pass will run, no port is opened: what is wrong with wires, brokers or passwords does not matter, and `settings` come
        back as from `for_replay`.

    Raises
    ------
    MachineFileError: with every mistake, in the order of the lines.
    """
    paths = DataPaths.find(path) if paths is None else paths
    found = Found(path, LIMITS)
    document = read_document(path, found)
    if document is None:
        raise MachineFileError(found.mistakes)
    settings = decode(document, found)
    if found.full:
        raise MachineFileError(found.mistakes)
    check_names(document, found)
    check_machine(settings, found)
    check_roles(settings, document, found)
    check_condition(settings, document, found)
    # Of a replay the wires do not count; they are looked at all the same, for the units that the device maps know.
    wires = Found(path) if replay else found
    wires.lines, wires.partial = found.lines, found.partial
    check_outlets(settings, path.absolute().parent, wires)
    check_buses(settings, document, wires)
    maps = check_sources(settings, document, paths, wires)
    check_streams(settings, document, maps, wires)
    check_supply(settings, document, wires)
    routes = check_channels(settings, document, maps, wires)
    check_loads(settings, document, maps, wires)
    check_cutting(settings, document, maps, found)
    check_beacon(settings, document, maps, wires)
    if found.mistakes:
        raise MachineFileError(found.mistakes)
    costs(settings, {} if replay else maps, found)
    if not replay:
        check_time(bus_uses(settings, maps, routes), maps, routes, found)
        if found.mistakes:
            raise MachineFileError(found.mistakes)
    settings = _resolved(settings, maps, path.absolute().parent)
    if replay:
        return MachineFile(path, for_replay(settings), paths, {}, (), found.warnings)
    return MachineFile(path, settings, paths, maps, routes, found.warnings)


def for_replay(settings: MachineSettings) -> MachineSettings:
    """The same machine without wires and outlets: channels are matched with a recording's columns by name, no port is opened.

    Values of a channel hold as long as they would live: where the machine file does not say, three periods of the source, or of the
    channel where that is longer, at least 1 s (of a device that updates more slowly, or a control that leaves out: `load` says so).
    """
    every = {source.name: source.every for source in settings.source}
    # Which channels fall silent together says whether the machine was switched off, in a replay, too.
    fed = any(source.supply == "machine" for source in settings.source)
    channels = []
    for channel in settings.channel:
        hold = channel.hold
        if hold is None and channel.source:
            hold = max(1.0, 3.0 * max(channel.every or 0.0, every.get(channel.source.partition(".")[0], 0.0)))
        channels.append(msgspec.structs.replace(channel, source=channel.source if fed else "", hold=hold))
    source = settings.source if fed else ()
    return msgspec.structs.replace(settings, bus=(), source=source, broker=(), beacon=BeaconOptions(), channel=tuple(channels))


def _resolved(settings: MachineSettings, maps: dict[str, DeviceMap], folder: Path) -> MachineSettings:
    return msgspec.structs.replace(
        settings,
        source=tuple(msgspec.structs.replace(source, update=renewal_of(source, maps)) for source in settings.source),
        channel=tuple(
            msgspec.structs.replace(channel, unit=unit_of(channel, settings, maps), hold=hold_of(channel, settings, maps))
            for channel in settings.channel
        ),
        broker=tuple(
            msgspec.structs.replace(broker, password_file=str(folder / broker.password_file)) if broker.password_file else broker
            for broker in settings.broker
        ),
    )
