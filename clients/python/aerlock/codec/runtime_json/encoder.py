"""Python objects to tagged JSON."""

import json


class RuntimeEncoder(json.JSONEncoder):
    """Writes tagged JSON."""
