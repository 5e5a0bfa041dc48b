"""Tagged JSON to Python objects."""

import json


class RuntimeDecoder(json.JSONDecoder):
    """Reads tagged JSON."""
