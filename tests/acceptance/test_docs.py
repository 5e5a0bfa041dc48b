"""The documentation is true: its sessions run, and every setting and command is in it."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from acceptance.sessions import run_session

from aerlock.codec.registry import TAGGED_TYPES
from aerlock.program_metadata import read_metadata
from aerlock_executor.settings import ExecutorSettings
from aerlock_gateway.settings import GatewaySettings

ROOT = Path(__file__).resolve().parents[2]


def code_blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL)


def test_readme_session_runs_as_it_stands(stack):
    (session,) = code_blocks("README.md", "python")
    lines = run_session(session, stack.environment)
    assert next(line for line in lines if line.startswith("{'round':")).startswith("{'round': 0, 'counts':")
    assert sum(line.startswith("{'round':") for line in lines) == 3
    assert "entangled" in lines
    assert "JobStatus.DONE" in lines


def test_session_of_programs_runs_as_it_stands(make_stack):
    stack = make_stack()
    (session,) = code_blocks("docs/programs.md", "python")
    lines = run_session(session, stack.environment)
    assert "    Minimum number of qubits: 5" in lines
    assert lines[-5:] == ["haha", "[3, 2, 1]", "haha", "['echo']", "haha"]


def test_metadata_of_the_documentation_is_metadata():
    (text,) = code_blocks("docs/programs.md", "json")
    metadata = json.loads(text)
    assert read_metadata(metadata) == metadata


def settings_table(settings_class) -> list[str]:
    rows = ["| setting | default | |", "|---|---|---|"]
    for name, field in settings_class.model_fields.items():
        default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        default = "" if default in (None, "") else f"`{default}`"
        rows.append(f"| `--{name.replace('_', '-')}` | {default} | {field.description} |")
    return rows


@pytest.mark.parametrize(
    ("heading", "settings_class"), [("Gateway", GatewaySettings), ("Executor", ExecutorSettings)]
)
def test_every_setting_is_documented_as_it_is(heading, settings_class):
    text = (ROOT / "docs/operations.md").read_text()
    table = "\n".join(settings_table(settings_class))
    assert f"### {heading}\n{table}\n" in text, f"docs/operations.md should say under ### {heading}:\n{table}"


@pytest.mark.parametrize("block", code_blocks("docs/operations.md", "toml"))
def test_every_configuration_in_the_documentation_is_taken(block, tmp_path, monkeypatch):
    (tmp_path / "aerlock.toml").write_text(block)
    monkeypatch.setenv("AERLOCK_CONFIG", str(tmp_path / "aerlock.toml"))
    for table, settings_class in (("gateway", GatewaySettings), ("executor", ExecutorSettings)):
        given = tomllib.loads(block).get(table, {})
        assert settings_class.from_command_line([], table).model_fields_set >= given.keys()


def test_every_command_is_in_the_documentation():
    from aerlock.cli.app import app

    documents = ("README.md", "docs/operations.md", "docs/access.md", "docs/jobs.md")
    text = "".join((ROOT / document).read_text() for document in documents)
    names = [command.name or command.callback.__name__ for command in app.registered_commands]
    for group in app.registered_groups:
        names += [f"{group.name} {command.name}" for command in group.typer_instance.registered_commands]
    for name in names:
        assert f"aerlock {name}" in text


def test_every_make_target_in_the_documentation_exists():
    makefile = (ROOT / "Makefile").read_text()
    for document in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"make ([a-z-]+)", "".join(code_blocks(document, "sh"))):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{document}: make {target}"


def test_relative_links_lead_somewhere():
    for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
            assert (document.parent / link).exists(), f"{document.name}: {link}"


def test_every_tag_is_in_the_registry_of_the_documentation():
    text = (ROOT / "docs/values.md").read_text()
    for tag in (tagged.tag for tagged in TAGGED_TYPES):
        assert f"`{tag}`" in text
