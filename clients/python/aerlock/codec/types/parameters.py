"""Qiskit's parameters, the vectors that they belong to, and expressions of them."""

# ruff: noqa: ANN401  (an object of any type may come)

import operator
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from aerlock.codec.tagged import TaggedType, require, require_keys

MAX_VECTOR_LENGTH: Final = 100_000
"""Elements of the vectors of one document, whether something uses them or not: each takes memory."""
# By name, since a gate's parameters are many and asking one for its UUID takes long.
_KEPT: Final = frozenset({"float", "int", "Parameter", "ParameterVectorElement"})
_VECTORS: Final = "parameter vectors"


def _parameter_to_plain(parameter: Any) -> dict[str, Any]:
    return {"name": parameter.name, "uuid": str(parameter.uuid)}


def _parameter_from_plain(plain: Any) -> Any:
    from qiskit.circuit import Parameter

    require_keys(plain, "name", "uuid")
    return Parameter(require(str, plain["name"]), uuid=UUID(require(str, plain["uuid"])))


def _vector_to_plain(vector: Any) -> dict[str, Any]:
    # Qiskit before 2.5 keeps it to itself.
    root = vector.uuid if hasattr(vector, "uuid") else vector._root_uuid
    return {"name": vector.name, "length": len(vector), "uuid": str(root)}


def _element_to_plain(element: Any) -> dict[str, Any]:
    vector = element.vector
    if element.index >= len(vector) or vector[element.index] != element:
        raise TypeError("its vector has been made shorter since, and lacks it")
    return {**_vector_to_plain(vector), "index": element.index}


def _vector_from_plain(plain: Any, document: dict[Any, Any]) -> Any:
    require_keys(plain, "name", "length", "uuid")
    return vector_of(plain, document)


def _element_from_plain(plain: Any, document: dict[Any, Any]) -> Any:
    require_keys(plain, "name", "length", "uuid", "index")
    index = require(int, plain["index"])
    if index < 0:
        raise ValueError("its index is negative")
    return vector_of(plain, document)[index]


def vector_of(plain: dict[str, Any], document: dict[Any, Any]) -> Any:
    """Gives the one vector of that description in this document, so that its elements stay together."""
    name, length = require(str, plain["name"]), require(int, plain["length"])
    vectors = document.setdefault(_VECTORS, {})
    key = name, length, UUID(require(str, plain["uuid"]))
    if key not in vectors:
        if not 0 <= length <= MAX_VECTOR_LENGTH - sum(size for _, size, _ in vectors):
            raise ValueError(f"the document's vectors have more than {MAX_VECTOR_LENGTH:,} elements")
        vectors[key] = _make_vector(*key)
    return vectors[key]


def _make_vector(name: str, length: int, root: UUID) -> Any:
    from qiskit.circuit import ParameterVector

    try:
        return ParameterVector(name, length, uuid=root)
    except TypeError:  # Qiskit before 2.5
        vector = ParameterVector(name)
        vector._root_uuid = root
        vector.resize(length)
        return vector


def _expression_to_plain(expression: Any) -> list[Any]:
    """Gives the steps that make the expression, in reverse Polish notation."""
    stack: list[list[Any]] = [[]]
    for step in expression._qpy_replay:
        name = str(step.op).removeprefix("OpCode.")
        # What is not told is the result of an earlier step, the last one first.
        right = stack.pop() if step.rhs is None and name in _TWO_OPERANDS else [step.rhs]
        left = stack.pop() if step.lhs is None else [step.lhs]
        if name in _FUNCTIONS:
            stack.append([*left, _FUNCTIONS[name]])
        elif name in _TWO_OPERANDS:
            operands = right + left if name.startswith("R") else left + right
            stack.append([*operands, _TWO_OPERANDS[name]])
        else:
            raise TypeError(f"its operation {name} is not known here")
    steps = stack[-1] or [expression.numeric()]
    if not same_expression(_expression_from_plain(steps), expression):
        raise TypeError("Qiskit does not tell how it was made: simplify it, or bind its parameters")
    return steps


def _expression_from_plain(plain: Any) -> Any:
    stack: list[Any] = []
    for step in require(list, plain):
        if type(step) is not str:
            stack.append(_operand(step))
        elif step in _BINARY:
            right, left = stack.pop(), stack.pop()
            stack.append(_BINARY[step](left if _is_symbolic(right) else _constant(left), right))
        elif step in _UNARY:
            stack.append(getattr(_constant(stack.pop()), _UNARY[step])())
        else:
            raise ValueError(f"there is no operation {step[:20]!r}")
    (result,) = stack
    return _constant(result)


def _operand(plain: Any) -> Any:
    if type(plain) in (int, float, complex) or _is_symbolic(plain):
        return plain
    raise TypeError(f"a {type(plain).__name__} cannot stand in an expression")


def _is_symbolic(operand: Any) -> bool:
    from qiskit.circuit import ParameterExpression

    return isinstance(operand, ParameterExpression)


def _constant(operand: Any) -> Any:
    """Makes an expression of a number."""
    from qiskit.circuit import Parameter

    if _is_symbolic(operand):
        return operand
    stand_in = Parameter("constant")
    return stand_in.assign(stand_in, operand)


def survives_qpy(param: Any) -> bool:
    """Tells whether QPY gives back this parameter of an instruction; of a number it makes a float.

    In expressions, Qiskit swaps the parts of complex constants, and cannot read functions of constants.
    """
    if type(param).__name__ in _KEPT or not hasattr(param, "_qpy_replay"):
        return True
    return not any(
        type(step.lhs) is complex
        or type(step.rhs) is complex
        or (type(step.lhs) in (int, float) and str(step.op).removeprefix("OpCode.") in _FUNCTIONS)
        for step in param._qpy_replay
    )


def same_expression(left: Any, right: Any) -> bool:
    """Tells whether two expressions have the same value, though Qiskit may have simplified one of them."""
    if left == right:
        return True
    if left.parameters != right.parameters:
        return False
    return all(_agree(_bound(left, shift), _bound(right, shift)) for shift in (0.0, 0.5))


def _bound(expression: Any, shift: float) -> complex:
    """The value with some number for each parameter."""
    parameters = sorted(expression.parameters, key=lambda parameter: parameter.uuid)
    values = {parameter: 0.37 + shift + 0.61 * at for at, parameter in enumerate(parameters)}
    try:
        return complex(expression.bind_all(values) if values else expression.numeric())
    except (ZeroDivisionError, ArithmeticError, ValueError):
        return complex("nan")


def _agree(left: complex, right: complex) -> bool:
    return left == right or abs(left - right) <= 1e-9 * max(abs(left), abs(right)) or (left != left != right)


_BINARY: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}
_UNARY: Final = {
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "exp": "exp",
    "log": "log",
    "abs": "abs",
    "sign": "sign",
    "conj": "conjugate",
}
# By Qiskit's names of the operations; those with an R take their operands the other way around.
_TWO_OPERANDS: Final = {
    "ADD": "+",
    "SUB": "-",
    "MUL": "*",
    "DIV": "/",
    "POW": "**",
    "RSUB": "-",
    "RDIV": "/",
    "RPOW": "**",
}
_FUNCTIONS: Final = {name.upper(): name for name in _UNARY}


def _path(name: str) -> tuple[str, ...]:
    return (f"qiskit._accelerate.circuit.{name}",)


TYPES: Final = (
    TaggedType("qiskit.Parameter", _path("Parameter"), _parameter_to_plain, _parameter_from_plain),
    TaggedType(
        "qiskit.ParameterVector",
        (*_path("ParameterVector"), "qiskit.circuit.parametervector.ParameterVector"),
        _vector_to_plain,
        _vector_from_plain,
        in_document=True,
    ),
    TaggedType(
        "qiskit.ParameterVectorElement",
        _path("ParameterVectorElement"),
        _element_to_plain,
        _element_from_plain,
        in_document=True,
    ),
    TaggedType(
        "qiskit.ParameterExpression",
        _path("ParameterExpression"),
        _expression_to_plain,
        _expression_from_plain,
    ),
)
