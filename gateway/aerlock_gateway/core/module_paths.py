"""Which paths the files of a program may have: each is that of a module that can be imported."""

import re
import sys
from collections.abc import Container
from typing import Final

_PACKAGE_FILE: Final = "__init__.py"
_MOST_FOLDERS: Final = 8
_PATH: Final = re.compile(
    rf"(?:[A-Za-z_][A-Za-z0-9_]{{0,99}}/){{0,{_MOST_FOLDERS}}}[A-Za-z_][A-Za-z0-9_]{{0,99}}\.py"
)
# What is imported in every cell before a program is: its own module of this name would never be.
_TAKEN: Final = sys.stdlib_module_names | {
    *("aerlock", "aerlock_executor", "google", "jsonschema_rs", "numpy"),
    *("qiskit", "qiskit_aer", "rustworkx", "scipy", "stevedore"),
}


def wrong_path(path: str, files: Container[str]) -> str:
    """Returns what is wrong with the path of one of ``files``, or ""."""
    if not _PATH.fullmatch(path) or path == _PACKAGE_FILE:
        return "is not a path of a module, as in helpers.py or models/ising.py"
    *folders, name = path.split("/")
    module = (folders[0] if folders else name).removesuffix(".py")
    if module in _TAKEN:
        return f"has the name of a module that is imported already; call {module} something else"
    for depth in range(1, len(folders) + 1):
        folder = "/".join(folders[:depth])
        if f"{folder}/{_PACKAGE_FILE}" not in files:
            return f"lies in a folder that is no package; add {folder}/{_PACKAGE_FILE}, which may be empty"
        if f"{folder}.py" in files:
            return f"and {folder}.py are modules of the same name; rename one"
    return ""
