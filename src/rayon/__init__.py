"""Rayon puts every product of a catalogue on its shelf."""

__version__ = "0.1.0"
