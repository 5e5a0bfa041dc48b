"""docs/access.md is true: its tables are those of the rules, and its session runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from aerlock_gateway.core.access import RULES, Relation, Role, allowed

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/access.md"


def cell(action, relation):
    roles = [role for role in Role if allowed(action, role, relation)]
    return "all" if len(roles) == len(Role) else ", ".join(roles) or "nobody"


def table(title, actions, relations, headings=None):
    lines = [f"| {title} | {' | '.join(headings or relations)} |", "|---" * (len(relations) + 1) + "|"]
    for action in actions:
        cells = " | ".join(cell(action, relation) for relation in relations)
        lines.append(f"| `{action}` | {cells} |")
    return "\n".join(lines)


def of(*kinds):
    return [action for action in RULES if action.partition(".")[0] in kinds]


MAKING = [action for action, rule in RULES.items() if Relation.NONE in rule.relations]
TABLES = {
    "on a program": table("program", [a for a in of("program") if a not in MAKING], list(Relation)),
    "on what is someone's": table(
        "job, account, token",
        [action for action in of("job", "account", "token") if action not in MAKING],
        [Relation.OWNER, Relation.NONE],
        ["one's own", "another's"],
    ),
    "by role alone": table("besides", MAKING, [Relation.NONE], ["who"]),
}


@pytest.mark.parametrize("name", TABLES)
def test_table_of_the_documentation_is_that_of_the_rules(name):
    assert TABLES[name] in DOCUMENT.read_text(), f"docs/access.md should say:\n{TABLES[name]}"


def test_session_of_the_documentation_runs_as_it_stands(make_stack):
    stack = make_stack()
    (session,) = re.findall(r"^```sh\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", session],
        env={**stack.environment, "PATH": f"{Path(sys.executable).parent}:{stack.environment['PATH']}"},
        cwd=stack.folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "alice" in result.stdout
    assert "account.create" in result.stdout
    assert re.search(r"role=author", result.stdout)
    secret = (stack.folder / "alice.token").read_text()
    assert re.fullmatch(r"aerlock_\S{43}\n", secret)
    assert secret.strip() not in result.stdout + result.stderr + stack.stderr
