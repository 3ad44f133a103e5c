"""docs/troubleshooting.md quotes what the code says: a message that changes changes the page."""

import ast
import re
from pathlib import Path

import pytest
import snakemake

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
# In headings and in the first column of tables, where words of a message stand between backticks.
QUOTED = re.findall(r"^(?:### .*?|\| )`([^`]{6,})`", PAGE, re.MULTILINE)


def messages(folder):
    """Every text of the code, its placeholders as …"""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.sub(r"%[\w.]+", "…", node.value)
            elif isinstance(node, ast.JoinedStr):
                yield "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)


OURS = list(messages(ROOT / "workflow_scripts"))
THEIRS = list(messages(Path(snakemake.__file__).parent))


def said(quote, texts):
    return any(quote in text for text in texts)


@pytest.mark.parametrize("quote", QUOTED)
def test_the_code_says_what_the_page_quotes(quote):
    assert said(quote, OURS + THEIRS)


def test_links_lead_to_pages():
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / link).exists(), link


def test_this_test_can_fail():
    assert len(QUOTED) > 20
    assert not said("no space is left on the moon", OURS)
