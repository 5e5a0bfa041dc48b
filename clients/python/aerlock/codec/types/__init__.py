"""The richer types, by the library that they come from; each module ends with its table.

Importing them imports none of those libraries.
"""
