"""Loads a program's files as modules, from memory: nothing of a job's source touches a disk."""

import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import sys
from collections.abc import Callable, Mapping, Sequence
from types import CodeType, ModuleType
from typing import Any

MAIN_FILE = "program.py"


class ProgramLoadError(Exception):
    """The files do not make a program; the text says what is missing."""


class _MemoryFinder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds and loads the modules of one program; dots in a module's name are slashes in its file's."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of a module whose file the program brought, else None."""
        name = self._file_name(fullname)
        if name is None:
            return None
        return importlib.util.spec_from_loader(
            fullname, self, origin=name, is_package=name.endswith("/__init__.py")
        )

    def get_source(self, fullname: str) -> str:
        """The source text; raises ImportError where the program has no such module."""
        name = self._file_name(fullname)
        if name is None:
            raise ImportError(f"the program has no module {fullname!r}", name=fullname)
        # As it was checked at upload: UTF-8, whatever a comment in it says.
        return self._files[name].decode("utf-8-sig")

    def get_code(self, fullname: str) -> CodeType:
        """The compiled module; raises SyntaxError."""
        name = self._file_name(fullname)
        return compile(self.get_source(fullname), name or fullname, "exec", dont_inherit=True)

    def is_package(self, fullname: str) -> bool:
        """Whether the module is a directory with an ``__init__.py``."""
        return (self._file_name(fullname) or "").endswith("/__init__.py")

    def exec_module(self, module: ModuleType) -> None:
        """Runs the module's code; ``__file__`` is the name that tracebacks show."""
        module.__file__ = self._file_name(module.__name__)
        super().exec_module(module)

    def _file_name(self, module_name: str) -> str | None:
        path = module_name.replace(".", "/")
        return next((name for name in (f"{path}.py", f"{path}/__init__.py") if name in self._files), None)


def load_main(files: Mapping[str, bytes]) -> Callable[..., Any]:
    """Imports ``program.py`` and returns its ``main``.

    The other files can be imported by it. Raises ProgramLoadError, or what the
    program's own code raises.
    """
    if MAIN_FILE not in files:
        raise ProgramLoadError(f"The program has no file {MAIN_FILE}; it must define main there.")
    for name, source in files.items():
        lines = source.decode(errors="replace").splitlines(keepends=True)
        linecache.cache[name] = (len(source), None, lines, name)
    sys.meta_path.insert(0, _MemoryFinder(files))
    sys.argv[:] = [MAIN_FILE]
    main = getattr(importlib.import_module("program"), "main", None)
    if not callable(main):
        raise ProgramLoadError(
            f"{MAIN_FILE} does not define main; add: def main(backend, user_messenger, **kwargs)"
        )
    return main  # type: ignore[no-any-return]


def unload(files: Mapping[str, bytes]) -> None:
    """Takes back what `load_main` did with these files."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _MemoryFinder)]
    for name in files:
        linecache.cache.pop(name, None)
        sys.modules.pop(_module_name(name), None)


def _module_name(file_name: str) -> str:
    return file_name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
