"""Pages that are made of what they describe: the API of its packages, the rules of their files."""

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from sources import ROOT, fenced

SCRIPTS = ROOT / "workflow_scripts"
sys.path.insert(0, str(SCRIPTS))
from minima.plan.layout import Layout  # noqa: E402  imports nothing itself

FIRST = "What a notebook calls, `which_minimizer` and `predict_minimizer`: [minima.which](minima.which.md).\n"
LAYOUT = Layout("results")
RULE = re.compile(r"((?:^#.*\n)*)^rule (\w+):\n((?:^(?:    .*)?\n)+)", re.MULTILINE)
SECTION = re.compile(r"^    (\w+):(.*\n(?:(?:        .*)?\n)*)", re.MULTILINE)
PLACE = re.compile(r"(?:PATHS|paths|layout_of\(\w+\))\.(\w+)")
FINDINGS = re.compile(r"^FINDINGS = \[.*?^\]", re.MULTILINE | re.DOTALL)


def api_pages() -> dict[str, str]:
    """`api_pages` returns the text of the API's pages by path: one for each package of minima."""
    package = SCRIPTS / "minima"
    folders = sorted(init.parent for init in package.rglob("__init__.py"))
    return {f"api/{dotted(folder)}.md": api_page(folder) for folder in folders}


def dotted(path: Path) -> str:
    """`dotted` returns the name by which a file or folder is imported."""
    parts = path.relative_to(SCRIPTS).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def api_page(folder: Path) -> str:
    """`api_page` returns the Markdown that mkdocstrings fills: a package's own words, then its modules."""
    options = "\n    options: {members: false, show_root_heading: false, show_root_toc_entry: false}"
    modules = [path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]
    blocks = [
        f"# {dotted(folder)}\n",
        *([FIRST] if folder.parent == SCRIPTS else []),
        f"::: {dotted(folder)}{options}\n",
    ]
    return "\n".join([*blocks, *(f"::: {dotted(path)}\n" for path in modules)])


def rules_page() -> str:
    """`rules_page` returns the Markdown of a table of all rules, and what each looks like."""
    files = [ROOT / "Snakefile", *sorted(ROOT.glob("rules/*.smk"))]
    rules = [(path, rule) for path in files for rule in RULE.finditer(path.read_text(encoding="utf-8"))]
    rows = [
        f"| [{rule[2]}](#{rule[2]}) | {what(rule)} | {places(rule, 'input')} | {places(rule, 'output')} |"
        for _, rule in rules
    ]
    return "\n".join(
        [
            "# Rules\n",
            "What a replication finds stands in `results/replications/<name>/`, laid out as `results/` is.",
            "`snakemake --list` names the rules too.\n",
            "| rule | what it does | reads | writes |",
            "|---|---|---|---|",
            *rows,
            "",
            *(part for path, rule in rules for part in detail(path, rule)),
        ]
    )


def what(rule: re.Match[str]) -> str:
    """`what` returns what a rule says of itself."""
    said = re.match(r'\s*"""(.*?)"""', rule[3], re.DOTALL)
    return " ".join(said[1].split()) if said else ""


def detail(path: Path, rule: re.Match[str]) -> Iterator[str]:
    yield f"## {rule[2]}\n"
    yield f"{what(rule)} In `{path.relative_to(ROOT).as_posix()}`.\n"
    yield fenced(f"{rule[1]}rule {rule[2]}:\n{rule[3]}", "python")


def places(rule: re.Match[str], section: str) -> str:
    """`places` returns the files that a section of a rule names, with wildcards for names."""
    text = next((found[2] for found in SECTION.finditer(rule[3]) if found[1] == section), "")
    common = FINDINGS.search((ROOT / "rules" / "common.smk").read_text(encoding="utf-8"))
    text = text.replace("FINDINGS", common[0]) if common else text
    found = [place for word in PLACE.findall(text) for place in written(word)]
    found += ["files of your own"] if "own_files" in text else []
    return "<br>".join(dict.fromkeys(f"`{place}`" if "/" in place else place for place in found))


def written(word: str) -> list[str]:
    """`written` returns the paths that the layout has under a word."""
    found = getattr(LAYOUT, word)
    if callable(found):
        names = [word if name == "name" else name for name in inspect.signature(found).parameters]
        found = found(*(f"{{{name}}}" for name in names))
    return [*found.values()] if isinstance(found, dict) else [found]
