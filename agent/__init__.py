"""Broche: watches the spindle of a lathe or a mill, and says what to do."""

__version__ = "0.1.0"
