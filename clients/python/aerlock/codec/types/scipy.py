"""Sparse matrices and results of optimizers, of scipy."""

# ruff: noqa: ANN401  (an object of any type may come)

import importlib
from collections.abc import Callable
from typing import Any, Final

from aerlock.codec.hashing import check_hashes
from aerlock.codec.tagged import TaggedType, require, require_array, require_keys

_FORMATS: Final = ("csr", "csc", "bsr", "coo", "dia", "lil", "dok")
_LONGEST: Final = (1 << 63) - 1


def _sparse_to_plain(matrix: Any) -> dict[str, Any]:
    name = type(matrix).__name__
    return {"class": name, "shape": list(matrix.shape), **_PARTS[name[:3]][0](matrix)}


def _sparse_from_plain(plain: Any) -> Any:
    name = require(str, require(dict, plain)["class"])
    form, _, kind = name.partition("_")
    if form not in _FORMATS or kind not in ("matrix", "array"):
        raise ValueError(f"there is no sparse matrix of the class {name[:20]!r}")
    shape = tuple(require(int, length) for length in require(list, plain["shape"]))
    one_dimensional = kind == "array" and form in ("csr", "coo", "dok") and len(shape) == 1
    many_dimensional = kind == "array" and form == "coo" and 1 <= len(shape) <= 32
    if not (len(shape) == 2 or one_dimensional or many_dimensional):
        raise ValueError("it has a number of dimensions that it cannot have")
    if not all(0 <= length <= _LONGEST for length in shape):
        raise ValueError("it has a length that it cannot have")
    parts = {key: part for key, part in plain.items() if key not in ("class", "shape")}
    return _PARTS[form][1](getattr(importlib.import_module("scipy.sparse"), name), shape, parts)


def _compressed_to_plain(matrix: Any) -> dict[str, Any]:
    """What lies behind the last row or column is room to grow, and stays behind."""
    end = int(matrix.indptr[-1])
    return {"data": matrix.data[:end], "indices": matrix.indices[:end], "indptr": matrix.indptr}


def _compressed_from_plain(cls: Any, shape: tuple[int, ...], parts: dict[str, Any]) -> Any:
    require_keys(parts, "data", "indices", "indptr")
    data = _numbers(parts["data"], 1)
    indices, indptr = _index(parts["indices"]), _index(parts["indptr"])
    rows, columns = (1, *shape)[-2:] if cls.__name__.startswith("csr") else shape[::-1]
    _check_compressed(len(data), indices, indptr, rows, columns)
    return _filled(cls, shape, data, indices, indptr)


def _blocks_from_plain(cls: Any, shape: tuple[int, ...], parts: dict[str, Any]) -> Any:
    require_keys(parts, "data", "indices", "indptr")
    data = _numbers(parts["data"], 3)
    indices, indptr = _index(parts["indices"]), _index(parts["indptr"])
    height, width = data.shape[1:]
    if not height or not width or shape[0] % height or shape[1] % width:
        raise ValueError("its blocks do not fill its shape")
    _check_compressed(len(data), indices, indptr, shape[0] // height, shape[1] // width)
    return _filled(cls, shape, data, indices, indptr)


def _check_compressed(stored: int, indices: Any, indptr: Any, rows: int, columns: int) -> None:
    """Checks what scipy's compiled code takes for granted."""
    if len(indptr) != rows + 1 or len(indices) != stored:
        raise ValueError("its parts do not fit its shape")
    if indptr[0] != 0 or indptr[-1] != stored or (indptr[1:] < indptr[:-1]).any():
        raise ValueError("its rows do not follow each other")
    _check_within(indices, columns)


def _check_within(indices: Any, length: int) -> None:
    if indices.size and not (indices.min() >= 0 and indices.max() < length):
        raise ValueError("an index lies outside its shape")


def _filled(cls: Any, shape: tuple[int, ...], data: Any, indices: Any, indptr: Any) -> Any:
    """Makes the matrix with exactly these arrays; the constructor would choose its own type of index."""
    matrix = cls((data, indices, indptr), shape=shape, copy=False)
    matrix.indices, matrix.indptr = indices, indptr
    return matrix


def _coordinates_to_plain(matrix: Any) -> dict[str, Any]:
    return {"data": matrix.data, "coords": list(matrix.coords)}


def _coordinates_from_plain(cls: Any, shape: tuple[int, ...], parts: dict[str, Any]) -> Any:
    data, coords = _require_coordinates(shape, parts)
    matrix = cls((data, coords), shape=shape, copy=False)
    matrix.coords = coords
    return matrix


def _require_coordinates(shape: tuple[int, ...], parts: dict[str, Any]) -> tuple[Any, tuple[Any, ...]]:
    require_keys(parts, "data", "coords")
    data = _numbers(parts["data"], 1)
    coords = tuple(_index(indices) for indices in require(list, parts["coords"]))
    if len(coords) != len(shape) or any(len(indices) != len(data) for indices in coords):
        raise ValueError("its parts do not fit its shape")
    for indices, length in zip(coords, shape, strict=True):
        _check_within(indices, length)
    return data, coords


def _diagonals_to_plain(matrix: Any) -> dict[str, Any]:
    return {"data": matrix.data, "offsets": matrix.offsets}


def _diagonals_from_plain(cls: Any, shape: tuple[int, ...], parts: dict[str, Any]) -> Any:
    require_keys(parts, "data", "offsets")
    data, offsets = _numbers(parts["data"], 2), _index(parts["offsets"])
    if len(offsets) != len(data) or len(set(offsets.tolist())) != len(offsets):
        raise ValueError("its diagonals have no offsets of their own")
    if offsets.size and not (-shape[0] < offsets.min() and offsets.max() < shape[1]):
        raise ValueError("a diagonal lies outside its shape")
    matrix = cls((data, offsets), shape=shape, copy=False)
    matrix.offsets = offsets
    return matrix


def _rows_to_plain(matrix: Any) -> dict[str, Any]:
    return _compressed_to_plain(matrix.tocsr())


def _rows_from_plain(cls: Any, shape: tuple[int, ...], parts: dict[str, Any]) -> Any:
    return cls(_compressed_from_plain(importlib.import_module("scipy.sparse").csr_array, shape, parts))


def _keys_to_plain(matrix: Any) -> dict[str, Any]:
    """Gives the elements in their order; its keys are whatever integers someone used."""
    import numpy as np

    count = len(matrix.keys())
    keys = np.array(list(matrix.keys()), np.int64).reshape(count, len(matrix.shape))
    data = np.fromiter(matrix.values(), matrix.dtype, count)
    return {"data": data, "coords": list(np.ascontiguousarray(keys.T))}


def _keys_from_plain(cls: Any, shape: tuple[int, ...], parts: dict[str, Any]) -> Any:
    data, coords = _require_coordinates(shape, parts)
    columns = [indices.tolist() for indices in coords]
    keys = list(zip(*columns, strict=True)) if len(shape) > 1 else columns[0]
    check_hashes(keys)
    matrix = cls(shape, dtype=data.dtype)
    for key, element in zip(keys, data, strict=True):
        # Assignment would leave zeros out.
        matrix.setdefault(key, element)
    if len(matrix.keys()) != len(data):
        raise ValueError("an element comes twice")
    return matrix


def _numbers(plain: Any, dimensions: int) -> Any:
    return require_array(plain, "biufc", dimensions)


def _index(plain: Any) -> Any:
    if require_array(plain, "i", 1).dtype.itemsize not in (4, 8):
        raise TypeError("its indices are neither int32 nor int64")
    return plain


_PARTS: Final[dict[str, tuple[Callable[[Any], dict[str, Any]], Callable[[Any, Any, Any], Any]]]] = {
    "csr": (_compressed_to_plain, _compressed_from_plain),
    "csc": (_compressed_to_plain, _compressed_from_plain),
    "bsr": (_compressed_to_plain, _blocks_from_plain),
    "coo": (_coordinates_to_plain, _coordinates_from_plain),
    "dia": (_diagonals_to_plain, _diagonals_from_plain),
    "lil": (_rows_to_plain, _rows_from_plain),
    "dok": (_keys_to_plain, _keys_from_plain),
}


def _optimize_from_plain(plain: Any) -> Any:
    result = importlib.import_module("scipy.optimize").OptimizeResult
    return result(require(dict, plain))


def _inverse_hessian_from_plain(plain: Any) -> Any:
    require_keys(plain, "sk", "yk")
    pair = [require_array(plain[key], "f", 2) for key in ("sk", "yk")]
    return importlib.import_module("scipy.optimize").LbfgsInvHessProduct(*pair)


TYPES: Final = (
    TaggedType(
        "scipy.sparse",
        tuple(f"scipy.sparse._{form}.{form}_{kind}" for form in _FORMATS for kind in ("matrix", "array")),
        _sparse_to_plain,
        _sparse_from_plain,
    ),
    TaggedType(
        "scipy.OptimizeResult", ("scipy.optimize._optimize.OptimizeResult",), dict, _optimize_from_plain
    ),
    TaggedType(
        "scipy.LbfgsInvHessProduct",
        ("scipy.optimize._lbfgsb_py.LbfgsInvHessProduct",),
        lambda product: {"sk": product.sk, "yk": product.yk},
        _inverse_hessian_from_plain,
    ),
)
