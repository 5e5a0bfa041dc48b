"""Aerlock: run quantum programs by id on a self-hosted runtime and stream their interim results."""

__version__ = "0.1.0"
