"""OpenQASM text to circuits, refused where a few bytes of it would become very much.

Neither reader has bounds of its own: one declaration takes all memory, one gate
on a whole register makes an instruction for each of its bits, and a long
expression ends the process.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

MAX_OPENQASM_BYTES: Final = {2: 16 << 20, 3: 1 << 20}
"""Length of a text, by language version: the reader of OpenQASM 3 takes 700 times as much memory."""
MAX_OPENQASM_BITS: Final = 100_000
"""Qubits and classical bits that one text may declare."""
MAX_OPENQASM_INSTRUCTIONS: Final = 1_000_000
"""Instructions that a text may become, where a gate on a register counts once for each bit."""
MAX_OPERATORS: Final = 500
"""Operators and opening brackets in one statement: the readers recurse into them."""

# Strings first, since what looks like a comment may stand in one.
_IGNORED: Final = re.compile(r'"[^"\n]*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_STATEMENT_END: Final = re.compile(r"[;{}]")
_OPERATOR: Final = re.compile(r"[-+*/^%~!&|<>(\[]")
_DECLARATION: Final = re.compile(r"(?:(?:const|input|output)\s+)?(?:qubit|bit|qreg|creg|u?int|float|angle)\b")
_BRACKETS: Final = re.compile(r"\[([^\]]*)\]")
_NUMBER: Final = re.compile(r"\s*[0-9][0-9_]*\s*")
_GATE_DEFINITION: Final = re.compile(r"\bgate\b[^{]*\{[^}]*\}")
_CONTROL: Final = re.compile(r"\b(?:neg)?ctrl\s*\(([^)]*)\)")
_ONE_BIT: Final = re.compile(r"\w+\s*\[\s*[0-9]+\s*\]")
_ARGUMENTS: Final = re.compile(r"\(.*\)", re.DOTALL)
_WORD: Final = re.compile(r"[^\W\d]\w*")


def read_openqasm2(text: str) -> "QuantumCircuit":
    """Reads OpenQASM 2.0; raises ValueError for what is beyond the bounds, and what Qiskit raises."""
    check_openqasm(text, 2)
    from qiskit import qasm2

    return qasm2.loads(text, include_path=())


def read_openqasm3(text: str) -> "QuantumCircuit":
    """Reads OpenQASM 3; raises as `read_openqasm2`, and ImportError where its reader is missing."""
    check_openqasm(text, 3)
    from qiskit import qasm3
    from qiskit.exceptions import MissingOptionalLibraryError

    try:
        with _quiet_parser():
            circuit: Any = qasm3.loads(text)
    except MissingOptionalLibraryError as error:
        raise ImportError(
            "reading OpenQASM 3 needs the package qiskit-qasm3-import: pip install qiskit-qasm3-import"
        ) from error
    return circuit


@contextmanager
def _quiet_parser() -> Iterator[None]:
    """Keeps the reader's parser from printing pieces of a stranger's text; what it raises says the same."""
    try:
        from antlr4.error.ErrorListener import ConsoleErrorListener, ErrorListener
    except ImportError:  # the reader is missing, and says so itself
        yield
        return
    printing, ConsoleErrorListener.INSTANCE = ConsoleErrorListener.INSTANCE, ErrorListener()
    try:
        yield
    finally:
        ConsoleErrorListener.INSTANCE = printing


def check_openqasm(text: str, version: int) -> None:
    """Refuses a text that declares, nests or repeats more than may be; raises ValueError."""
    size, most = len(text.encode()), MAX_OPENQASM_BYTES[version]
    if size > most:
        raise ValueError(f"{size:,} bytes of OpenQASM {version} are refused: at most {most:,} are read")
    text = _IGNORED.sub(" ", text)
    for statement in _STATEMENT_END.split(text):
        if len(statement) > MAX_OPERATORS and len(_OPERATOR.findall(statement)) > _most_operators(statement):
            raise ValueError(f"a statement of more than {MAX_OPERATORS} operators is refused: split it")
    statements = [one.strip() for one in _STATEMENT_END.split(_GATE_DEFINITION.sub(";", text))]
    sizes = [size for one in statements for size in _declared(one)]
    if sum(sizes) > MAX_OPENQASM_BITS:
        raise ValueError(f"{sum(sizes):,} bits are refused: at most {MAX_OPENQASM_BITS:,} may be declared")
    widest = max(sizes, default=1)
    if sum(widest if _is_broadcast(one) else 1 for one in statements) > MAX_OPENQASM_INSTRUCTIONS:
        raise ValueError(
            f"gates on whole registers become more than {MAX_OPENQASM_INSTRUCTIONS:,} instructions: send QPY"
        )


def _most_operators(statement: str) -> int:
    # A barrier may name every bit.
    return MAX_OPENQASM_BITS if statement.lstrip().startswith("barrier") else MAX_OPERATORS


def _declared(statement: str) -> list[int]:
    """The sizes that a declaration announces; what is no plain number cannot be checked and is refused."""
    is_declaration = _DECLARATION.match(statement)
    found = _BRACKETS.findall(statement.partition("=")[0]) if is_declaration else _CONTROL.findall(statement)
    for size in found:
        if not _NUMBER.fullmatch(size) or len(size) > 20:
            raise ValueError("a size that is not a plain number is refused: write it as one")
    return [int(size) for size in found] or ([1] if is_declaration else [])


def _is_broadcast(statement: str) -> bool:
    """Whether a gate may stand there for one gate on each bit of a register."""
    if _DECLARATION.match(statement) or statement.startswith("barrier"):
        return False
    # Of a gate on single bits, its name remains.
    words = _WORD.findall(_ARGUMENTS.sub(" ", _ONE_BIT.sub(" ", statement)))
    return len(words) > 1
