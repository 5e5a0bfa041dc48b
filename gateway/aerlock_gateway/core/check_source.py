"""What a program's source must be; runs in the checker's process only."""

import ast
from collections.abc import Mapping
from typing import Any, Final

MAIN_FILE: Final = "program.py"
"""The file that defines main."""

_LONGEST_MESSAGE: Final = 200
_FIELD: Final = "program.source.files"
_NO_SIGNATURE: Final[dict[str, Any]] = {"parameters": [], "required": [], "any_name": False}


def check_sources(files: Mapping[str, str]) -> dict[str, Any]:
    """Returns ``violations``, pairs of field and sentence, and the ``signature`` of main.

    ``files`` has the text of each file by its name; one without `MAIN_FILE` is
    checked for the rest. The signature has ``parameters``, the names that inputs
    may have, ``required``, those without a default, and ``any_name``, whether main
    takes ``**kwargs``.
    """
    answer: dict[str, Any] = {"violations": [], "signature": dict(_NO_SIGNATURE)}
    for name, text in files.items():
        wrong = _compile(name, text)
        if name == MAIN_FILE and not wrong:
            answer["signature"], wrong = _check_main(ast.parse(text, name))
        answer["violations"] += [(f"{_FIELD}.{name}", sentence) for sentence in wrong]
    return answer


def _compile(name: str, text: str) -> list[str]:
    """Returns what keeps a file from being compiled; it is not run."""
    try:
        compile(text, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        sentence = f"line {error.lineno}: {error.msg}" if error.lineno else f"cannot be parsed: {error.msg}"
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        sentence = f"cannot be parsed: {str(error) or type(error).__name__}"
    else:
        return []
    return [sentence[:_LONGEST_MESSAGE]]


def _check_main(tree: ast.Module) -> tuple[dict[str, Any], list[str]]:
    """Returns the signature of main and what is wrong with it."""
    main = _find_main(tree)
    if isinstance(main, str):
        return dict(_NO_SIGNATURE), [main]
    signature, wrong = _check_signature(main.args)
    return signature, [f"line {main.lineno}: {sentence}" for sentence in wrong]


def _find_main(tree: ast.Module) -> ast.FunctionDef | str:
    """Returns the last top-level definition of main, which is the one that counts, or what is wrong."""
    found: ast.stmt | None = None
    for statement in tree.body:
        if (
            isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and statement.name == "main"
        ):
            found = statement
    if isinstance(found, ast.FunctionDef):
        return found
    if isinstance(found, ast.AsyncFunctionDef):
        cure = "make it a plain function: def main(backend, user_messenger, **kwargs)"
        return f"line {found.lineno}: main is async; {cure}"
    return "has no function main at top level; add def main(backend, user_messenger, **kwargs)"


def _check_signature(arguments: ast.arguments) -> tuple[dict[str, Any], list[str]]:
    """Returns the signature of main and what is wrong with it."""
    positional = arguments.posonlyargs + arguments.args
    optional = positional[len(positional) - len(arguments.defaults) :]
    required = [argument.arg for argument in positional[2:] if argument not in optional]
    required += [
        argument.arg
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is None
    ]
    violations = []
    if len(positional) < 2 and not (arguments.vararg and not positional):
        violations.append("main must take two positional parameters, backend and user_messenger")
    if hidden := [argument.arg for argument in arguments.posonlyargs[2:] if argument.arg in required]:
        violations.append(f"main's parameter {hidden[0]} is positional-only, so no input can set it")
    names = [argument.arg for argument in arguments.args[max(0, 2 - len(arguments.posonlyargs)) :]]
    signature = {
        "parameters": names + [argument.arg for argument in arguments.kwonlyargs],
        "required": required,
        "any_name": arguments.kwarg is not None,
    }
    return signature, violations
