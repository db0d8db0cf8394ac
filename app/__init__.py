"""Consilium: one question, many hospitals, nobody's data moves."""

__version__ = "0.1.0"
