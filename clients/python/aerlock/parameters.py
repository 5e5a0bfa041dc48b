"""The inputs of a program as attributes, filled in one by one."""

from typing import Any

from aerlock.exceptions import InputValueError


class ParameterNamespace:
    """One attribute per parameter of a program, None until it is set.

    Only what is set is sent. Further attributes may be set; a parameter that has
    the name of a method is set and read by ``namespace["name"]``.
    """

    def __init__(self, parameters: dict[str, Any]) -> None:
        names = parameters.get("properties", {})
        object.__setattr__(self, "_schema", parameters)
        object.__setattr__(self, "_values", dict.fromkeys(names))

    _schema: dict[str, Any]
    _values: dict[str, Any]

    @property
    def metadata(self) -> dict[str, Any]:
        """The JSON Schema of the parameters."""
        return self._schema

    def validate(self) -> None:
        """Raises `InputValueError` that names a required parameter that is not set."""
        for name in self._schema.get("required", ()):
            if self._values.get(name) is None:
                raise InputValueError(f"Param ({name}) missing required value!")

    def to_dict(self) -> dict[str, Any]:
        """The parameters that are set."""
        return {name: value for name, value in self._values.items() if value is not None}

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"there is no parameter {name!r}") from None

    def __setattr__(self, name: str, value: object) -> None:
        self._values[name] = value

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401
        return self._values[name]

    def __setitem__(self, name: str, value: object) -> None:
        self._values[name] = value

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._values]

    def __repr__(self) -> str:
        return f"ParameterNamespace({', '.join(f'{name}={value!r}' for name, value in self._values.items())})"

    def __str__(self) -> str:
        required = self._schema.get("required", ())
        rows = [("Name", "Value", "Type", "Required", "Description")]
        for name, value in self._values.items():
            schema = self._schema.get("properties", {}).get(name, {})
            rows.append(
                (
                    name,
                    str(value),
                    str(schema.get("type", "")),
                    str(name in required),
                    schema.get("description", ""),
                )
            )
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        return "\n".join(
            " | ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]])
            for row in rows
        )
