"""Metadata in the shapes that sample programs of the original had: all of it arrives, as JSON Schema."""

import json

import pytest

from aerlock import InputValueError, schema_check
from aerlock.program_metadata import read_metadata
from aerlock.program_upload import to_program

BASICS = {"name": "sample", "description": "A sample.", "max_execution_time": 300}

OLD_STYLE = {
    **BASICS,
    "version": "1.0",
    "backend_requirements": {"min_num_qubits": 5},
    "parameters": [
        {"name": "iterations", "description": "How often.", "type": "int", "required": True},
        {
            "name": "circuits",
            "description": "What.",
            "type": "A QuantumCircuit or a list",
            "required": "true",
        },
        {"name": "shots", "description": "How many.", "type": "Optional[int]", "required": False},
        {"name": "mitigate", "description": "Whether.", "type": "boolean"},
        {"name": "anything"},
    ],
    "return_values": [{"name": "-", "description": "What it says.", "type": "string"}],
    "interim_results": [
        {"name": "iteration", "description": "Its number.", "type": "int"},
        {"name": "counts", "description": "Its counts.", "type": "dict"},
    ],
}

# In words of Python, as one program described itself.
PYTHON_TYPES = {
    **BASICS,
    "spec": {
        "parameters": {
            "$schema": "https://json-schema.org/draft/2019-09/schema",
            "properties": {
                "operator": {"description": "What to minimise.", "type": "PauliSumOp"},
                "initial_point": {"description": "Where to begin.", "type": "Union[numpy.ndarray, str]"},
                "reps": {"description": "Depth.", "type": "int"},
                "alpha": {"type": "float"},
                "flags": {"type": "List[bool]"},
                "note": {"type": "Union[str, None]"},
            },
            "required": ["operator"],
        },
        "return_values": {
            "properties": {"eigenstate": {"type": "Dict[str, Any]"}, "none": {"type": "NoneType"}}
        },
    },
}

# As the service itself showed circuit-runner.
DEPLOYED = {
    **BASICS,
    "is_public": True,
    "spec": {
        "backend_requirements": {"input_allowed": "runtime"},
        "parameters": {
            "type": "object",
            "properties": {
                "circuits": {"type": ["object", "array"], "description": "One or more."},
                "layout_method": {"type": "string", "enum": ["trivial", "dense"]},
                "optimization_level": {"type": "integer", "min": 0, "max": 3, "default": 1},
                "min": {"type": "integer", "description": "A parameter of that name."},
                "delays": {"type": "array", "items": {"type": "number", "min": 0.5}},
            },
            "required": ["circuits"],
        },
    },
}


def converted(metadata):
    with pytest.warns(UserWarning, match="was taken as JSON Schema has it") as warned:
        result = read_metadata(metadata)
    assert len(warned) == 1
    for schema in ("parameters", "return_values", "interim_results"):
        if result["spec"].get(schema):
            schema_check.compile_schema(result["spec"][schema])  # or it would be refused
    return result, str(warned[0].message)


def test_older_style_becomes_schemas_and_loses_nothing():
    result, message = converted(OLD_STYLE)
    assert result["spec"] == {
        "backend_requirements": {"min_num_qubits": 5},
        "parameters": {
            "type": "object",
            "properties": {
                "iterations": {"description": "How often.", "type": "integer"},
                "circuits": {"description": "What. (type: A QuantumCircuit or a list)"},
                "shots": {"description": "How many.", "type": ["integer", "null"]},
                "mitigate": {"description": "Whether.", "type": "boolean"},
                "anything": {},
            },
            "required": ["iterations", "circuits"],
        },
        "return_values": {"description": "What it says.", "type": "string"},
        "interim_results": {
            "properties": {
                "iteration": {"description": "Its number.", "type": "integer"},
                "counts": {"description": "Its counts.", "type": "object"},
            }
        },
    }
    assert "version" not in result
    for word in ("version", "parameters is a list", "backend_requirements belongs into spec"):
        assert word in message


def test_types_in_words_of_python_become_those_of_json():
    result, message = converted(PYTHON_TYPES)
    properties = result["spec"]["parameters"]["properties"]
    assert properties["operator"] == {"description": "What to minimise. (type: PauliSumOp)"}
    assert properties["initial_point"] == {"description": "Where to begin. (type: Union[numpy.ndarray, str])"}
    assert [properties[name]["type"] for name in ("reps", "alpha", "flags", "note")] == [
        "integer",
        "number",
        "array",
        ["string", "null"],
    ]
    assert properties["flags"]["description"] == "Type: List[bool]"
    assert result["spec"]["parameters"]["required"] == ["operator"]
    returned = result["spec"]["return_values"]["properties"]
    assert (returned["eigenstate"]["type"], returned["none"]["type"]) == ("object", "null")
    assert "parameters.properties.operator: the type 'PauliSumOp' is only described" in message


def test_min_and_max_become_bounds_and_parameters_of_that_name_stay():
    result, message = converted(DEPLOYED)
    properties = result["spec"]["parameters"]["properties"]
    assert properties["optimization_level"] == {"type": "integer", "minimum": 0, "maximum": 3, "default": 1}
    assert properties["delays"]["items"] == {"type": "number", "minimum": 0.5}
    assert properties["min"] == DEPLOYED["spec"]["parameters"]["properties"]["min"]
    assert "optimization_level: min became minimum" in message
    program, paths = to_program(result)
    assert json.loads(program.parameters_schema)["properties"] == properties
    assert "visibility" in paths


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"parameters": {}, "return_values": {}, "interim_results": {}, "backend_requirements": {}},
        {"parameters": {"properties": {"a": {"type": ["string", "null"], "minimum": 1, "default": None}}}},
        {"return_values": {"$schema": "https://json-schema.org/draft/2019-09/schema", "type": "string"}},
        {"interim_results": {"anyOf": [{"type": "array"}, {"const": {"min": 1, "type": "x"}}]}},
        {"parameters": {"properties": {"type": {"enum": [{"type": "int"}]}, "max": {}}}},
    ],
)
def test_json_schema_is_left_as_it_is(spec):
    assert read_metadata({**BASICS, "spec": spec})["spec"] == spec


def test_metadata_of_three_fields_is_enough(tmp_path):
    file = tmp_path / "metadata.json"
    file.write_text(json.dumps(BASICS))
    assert read_metadata(file) == read_metadata(str(file)) == {**BASICS, "spec": {}}
    assert read_metadata({**BASICS, "spec": None}) == {**BASICS, "spec": {}}


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"parameters": ["x"]}, r"parameters\[0\] must be a dict with a name"),
        ({"parameters": [{"description": "x"}]}, r"parameters\[0\] must be a dict with a name"),
        ({"parameters": [{"name": "a"}, {"name": "a"}]}, "for the second time"),
        ({"parameters": [], "spec": {"parameters": {}}}, "both in metadata and in its spec"),
        ({"spec": []}, None),
        ({"spec": ["x"]}, "spec must be a dict"),
        ({"nmae": "x"}, r"unknown key 'nmae': did you mean name\? There are name, description, "),
        ({"timeout": 5}, r"unknown key 'timeout': that is max_execution_time\. There are "),
        ({"memory_bytes": 5}, r"unknown key 'memory_bytes': it belongs into limits\. There are "),
        ({"colour": 5}, "unknown key 'colour': there are name, description, "),
        ({"spec": {"limits": {}}}, r"unknown key 'limits': it belongs beside spec, not in it\. There are b"),
        ({"spec": {"params": {}}}, r"spec has the unknown key 'params': did you mean parameters\? There are"),
    ],
)
def test_metadata_of_no_shape_is_refused(metadata, words):
    if words is None:
        assert read_metadata(metadata) == {"spec": {}}
        return
    with pytest.raises(InputValueError, match=words):
        read_metadata(metadata)


def test_schema_that_nests_without_end_is_left_to_the_server():
    schema: dict[str, object] = {}
    inner = schema
    for _ in range(500):
        inner["not"] = inner = {}
    inner["type"] = "int"
    assert read_metadata({"spec": {"parameters": schema}})["spec"]["parameters"] == schema
