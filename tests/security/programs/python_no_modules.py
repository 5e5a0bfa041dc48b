# Empties the tables of modules and importers. Expected: its result, or an error of its own.
import builtins
import sys


def main(backend, user_messenger, **kwargs):
    sys.meta_path.clear()
    sys.path.clear()
    sys.modules.clear()
    builtins.__import__ = None
    return 1
