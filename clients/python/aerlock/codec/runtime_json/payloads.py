"""The binary payloads inside tagged JSON: base64, zlib, npy and npz, read within bounds, without pickle."""

import base64
import io
import math
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, Final

from aerlock.codec.registry import BY_TAG
from aerlock.codec.runtime_json.document import current_document

if TYPE_CHECKING:
    import numpy as np

_MAX_NPZ_FILES: Final = 8


def to_base64(data: bytes) -> str:
    """Writes bytes as text."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str) -> bytes:
    """Reads what `to_base64` wrote; raises ValueError for anything else."""
    return base64.b64decode(text, validate=True)


def pack(data: bytes) -> str:
    """Compresses ``data`` and writes it as text."""
    return to_base64(zlib.compress(data))


def unpack(text: str) -> bytes:
    """Reads what `pack` wrote; raises ValueError where it expands beyond the bounds of the document."""
    document = current_document()
    engine = zlib.decompressobj()
    try:
        data = engine.decompress(from_base64(text), document.bytes_left + 1)
    except zlib.error as error:
        raise ValueError(f"the payload is not zlib data: {error}") from error
    document.take(len(data))
    if not engine.eof or engine.unused_data:
        raise ValueError("the payload is cut short, or followed by something else")
    return data


def write_npy(array: "np.ndarray[Any, Any]") -> bytes:
    """Writes an array in numpy's file format; raises ValueError where that would need pickle."""
    import numpy as np

    buffer = io.BytesIO()
    # numpy warns where it has to choose version 3 by itself, for the names of fields.
    version = (3, 0) if array.dtype.names else None
    np.lib.format.write_array(buffer, np.asarray(array), version, allow_pickle=False)
    return buffer.getvalue()


def read_npy(data: bytes) -> "np.ndarray[Any, Any]":
    """Reads numpy's file format, after its header has been checked against its size."""
    import numpy as np

    file = io.BytesIO(data)
    try:
        _check_npy(file, len(data))
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:
        raise ValueError(f"the payload is no sound npy file: {error}") from error


def _check_npy(file: io.BytesIO, size: int) -> None:
    import numpy as np

    version = np.lib.format.read_magic(file)
    # Versions 2 and 3 differ in the encoding of field names only.
    read_header = np.lib.format.read_array_header_1_0
    if version > (1, 0):
        read_header = np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError("its elements are pickled")
    count = math.prod(shape)
    # numpy makes room for what the header says before it reads.
    if min(shape, default=0) < 0 or count > size or count * dtype.itemsize != size - file.tell():
        raise ValueError(f"its shape {shape} does not fit its size")


def write_sparse(matrix: Any) -> str:  # noqa: ANN401
    """Writes a scipy matrix in scipy's npz format."""
    from scipy.sparse import save_npz

    buffer = io.BytesIO()
    save_npz(buffer, matrix)
    return to_base64(buffer.getvalue())


def read_sparse(text: str) -> Any:  # noqa: ANN401
    """Reads scipy's npz format; raises ValueError where its parts do not fit each other."""
    parts: dict[str, Any] = _read_npz(from_base64(text))
    layout = parts.pop("format").item().decode("ascii")
    kind = "array" if parts.pop("_is_array", False) else "matrix"
    shape = parts.pop("shape").tolist()
    if "row" in parts:
        parts["coords"] = [parts.pop("row"), parts.pop("col")]
    elif "coords" in parts:
        parts["coords"] = list(parts["coords"])
    # The codec's reader checks what scipy's compiled code takes for granted.
    return BY_TAG["scipy.sparse"].from_plain({"class": f"{layout}_{kind}", "shape": shape, **parts})


def _read_npz(data: bytes) -> "dict[str, np.ndarray[Any, Any]]":
    document = current_document()
    parts = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > _MAX_NPZ_FILES:
                raise ValueError(f"it has {len(members):,} files")
            for member in members:
                # zipfile does not bound what the other compressions expand to.
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise ValueError("it is neither stored nor deflated")
                document.take(member.file_size)
                with archive.open(member) as file:
                    parts[member.filename.removesuffix(".npy")] = read_npy(file.read(member.file_size))
    except Exception as error:
        raise ValueError(f"the payload is no sound npz file: {error}") from error
    return parts
