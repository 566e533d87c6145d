"""Domicile carries out data mandates: it finds, moves, erases and proves."""

__version__ = "0.1.0"
