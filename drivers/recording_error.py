"""What can be wrong with a recording, and what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

PROBLEMS = {
    "not_found": ("there is no such recording", "give a folder, or one CSV file"),
    "empty": ("the folder holds neither rows (*.csv) nor a waveform (NAME@RATE.npy)", "see docs/recordings.md for what a recording is"),
    "unreadable": ("cannot be read: {reason}", "check the file and its permissions"),
    "encoding": ("is not UTF-8 text", "save it as CSV UTF-8"),
    "no_time": ("the first column is {text!r}, not 'time'", "name the first column 'time'"),
    "semicolons": ("the cells are separated by semicolons", "save it comma-separated, with a decimal point"),
    "unnamed_column": ("column {number} has no name", "name every column after its channel"),
    "duplicate_column": ("there are two columns of this name", "rename or remove one of them"),
    "ragged": ("the row has {got} cells, the header {want}", "give every row one cell for each column; a cell may be empty"),
    "bad_time": ("{text!r} is not a time", "write seconds, or ISO 8601 with a zone such as 2025-03-31T08:00:00Z"),
    "no_zone": ("the time {text!r} has no zone", "add Z or an offset such as +02:00"),
    "mixed_time": ("times that count from a start stand beside times of day", "use one kind of time in the whole recording"),
    "unordered": ("time goes back from {before} to {text}", "sort the rows by time; files are read in the order of their names"),
    "bad_cell": (
        "{text!r} is not a number",
        "leave a missing reading empty; for a column of words set on_change = true under [channel.{column}] in recording.toml",
    ),
    "settings": ("is not TOML: {reason}", "correct the line"),
    "settings_no_text": ("{setting} cannot be {text}", "it must be a text in quotation marks"),
    "settings_no_number": ("{setting} cannot be {text}", "it must be a number other than 0; a rate must be above 0"),
    "settings_no_flag": ("{setting} cannot be {text}", "it must be true or false"),
    "settings_no_time": ("{setting} cannot be {text}", "it must be a time with its zone, such as 2025-03-31T08:00:00Z"),
    "settings_no_table": ("{setting} is not a table of a channel", "write [channel.NAME], and the settings below it"),
    "settings_key": ("there is no key {setting!r}", "did you mean {meant!r}?"),
    "wave_name": (
        "a waveform's file is not named NAME@RATE.npy",
        "name it after its channel and its samples per second, as in vib@6667.npy",
    ),
    "wave_no_index": ("the waveform has no index {text}", "add it, with the columns start,first,count and one row a block"),
    "wave_no_data": ("the index has no waveform {text}", "add it, or name the first column 'time' if these are rows"),
    "wave_file": ("is not a NumPy file: {reason}", "write it with numpy.save"),
    "wave_type": ("the samples are {text}", "store int16 counts or float32, little-endian"),
    "wave_shape": ("the samples have the shape {text}", "store them as samples x axes, in C order"),
    "wave_header": ("the columns are {text!r}", "they must be start,first,count"),
    "wave_cell": ("{text!r} is not a whole number from {least} up", "`first` counts samples from 0, `count` is at least 1"),
    "wave_quality": ("{text!r} is no quality", "write 0 to 3, see docs/recordings.md"),
    "wave_beyond": ("the block ends at sample {end}, the waveform at {samples}", "correct the index, or restore the .npy file"),
    "taken": ("the folder already holds a recording", "choose a new folder"),
    "name": ("{text!r} cannot be the name of a channel in a recording", "use a name without line breaks, '/' and '@'"),
    "disk": ("recording stopped: {reason}", "free space or choose another disk, then record again; what was written can be read"),
    "disk_space": (
        "recording stopped: only {free} MB are left on the disk",
        "free space; {keep} MB are always kept for the machine itself",
    ),
    "wave_changed": ("the waveform changed its type, axes, unit or scale while recording", "start a new recording after changing a sensor"),
}
"""What is wrong and what to do about it, in English; `config/texts/record.*.toml` holds both languages under the same keys."""


class Teller(Protocol):
    """A catalogue of texts."""

    def say(self, key: str, /, **values: int | str) -> str:
        """The sentence under `key`, filled in."""
        ...


class RecordingError(Exception):
    """A recording cannot be read or written.

    Attributes
    ----------
    key: of PROBLEMS and of the text catalogue under [recording].
    path: the file or folder.
    line: 1-based line, None where the whole file is meant.
    column: name of the column or channel, '' where none is meant.
    values: what the texts of this key need.
    """

    def __init__(self, key: str, path: Path, *, line: int | None = None, column: str = "", **values: object) -> None:
        self.key = key
        self.path = path
        self.line = line
        self.column = column
        self.values = {name: value if isinstance(value, int | str) else str(value) for name, value in {"column": column, **values}.items()}
        super().__init__(key, path, line, column)

    @property
    def where(self) -> str:
        """'folder/rows.csv:12 [load]'"""
        place = str(self.path) if self.line is None else f"{self.path}:{self.line}"
        return f"{place} [{self.column}]" if self.column else place

    @property
    def what(self) -> str:
        """What is wrong, in English."""
        return PROBLEMS[self.key][0].format(**self.values)

    @property
    def remedy(self) -> str:
        """What to do about it, in English."""
        return PROBLEMS[self.key][1].format(**self.values)

    def tell(self, texts: Teller) -> str:
        """The same in the language of a catalogue (keys recording.what.KEY and recording.remedy.KEY)."""
        what, remedy = (texts.say(f"recording.{part}.{self.key}", **self.values) for part in ("what", "remedy"))
        return texts.say("recording.mistake", where=self.where, what=what, remedy=remedy)

    def __str__(self) -> str:
        return f"{self.where}: {self.what}: {self.remedy}"
