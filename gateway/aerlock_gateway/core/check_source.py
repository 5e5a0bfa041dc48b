"""What a program's source must be; runs in the checker's process only."""

import ast
from typing import Any, Final

_LONGEST_MESSAGE: Final = 200


def check_source(source: str) -> dict[str, Any]:
    """Returns ``violations``, pairs of field and sentence, and the ``signature`` of main.

    The signature has ``parameters``, the names that inputs may have, ``required``,
    those without a default, and ``any_name``, whether main takes ``**kwargs``.
    """
    field = "program.source.files.program.py"
    signature: dict[str, Any] = {"parameters": [], "required": [], "any_name": False}
    try:
        tree = ast.parse(source, "program.py")
        compile(source, "program.py", "exec", dont_inherit=True)
    except SyntaxError as error:
        sentence = f"line {error.lineno}: {error.msg}"[:_LONGEST_MESSAGE]
        return {"violations": [(field, sentence)], "signature": signature}
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return {
            "violations": [(field, f"cannot be parsed: {error or type(error).__name__}"[:_LONGEST_MESSAGE])],
            "signature": signature,
        }
    main = _find_main(tree)
    if isinstance(main, str):
        return {"violations": [(field, main)], "signature": signature}
    return _check_signature(field, main.args)


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
        return "main is async; make it a plain function: def main(backend, user_messenger, **kwargs)"
    return "has no function main at top level; add def main(backend, user_messenger, **kwargs)"


def _check_signature(field: str, arguments: ast.arguments) -> dict[str, Any]:
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
        violations.append((field, "main must take two positional parameters, backend and user_messenger"))
    if hidden := [argument.arg for argument in arguments.posonlyargs[2:] if argument.arg in required]:
        violations.append((field, f"main's parameter {hidden[0]} is positional-only, so no input can set it"))
    names = [argument.arg for argument in arguments.args[max(0, 2 - len(arguments.posonlyargs)) :]]
    signature = {
        "parameters": names + [argument.arg for argument in arguments.kwonlyargs],
        "required": required,
        "any_name": arguments.kwarg is not None,
    }
    return {"violations": violations, "signature": signature}
