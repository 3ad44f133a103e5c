"""What makes a site of the repository's own files (mkdocs.yml; `make docs`).

Pages are the Markdown files where they stand, with the links that work in a checkout. A link to a file
of code, or to a folder, leads to a page that shows it (sources.py); formulas become MathML, which browsers
draw by themselves; the pages of the API and of the rules are made of what they describe (reference.py).
"""

import html
import re
import unicodedata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page
from pymdownx.superfences import fence_code_format
from reference import api_pages, rules_page
from sources import ROOT, name, page_of, relinked, shown, targets

PAGES = (
    "*.md",
    "config/*.md",
    "docs/*.md",
    "docs/science/*.md",
    "results/README.md",
    "workflow_scripts/studies/*/page.md",
)
COPIED = {".png", ".svg", ".gz", ".npz"}  # by suffix: what is no text
ASSETS = ("docs/site/*.css", "docs/site/*.js")
FONT = Path(find_spec("ziamath").origin).with_name("fonts") / "STIXTwoMath-Regular.ttf"  # of formulas
BAR = re.compile("<mo>(?=&#x0(2016|2225|007C);)")
CAPITAL = re.compile("<mi>(?=&#x003(9|A).;)")
FORMULA = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    config.nav = [filled(entry) for entry in config.nav]
    config.mdx_configs["toc"]["slugify"] = anchor
    config.mdx_configs["pymdownx.superfences"] = {
        "custom_fences": [
            {"name": "math", "class": "math", "format": block_formula},
            {"name": "mermaid", "class": "mermaid", "format": fence_code_format},
        ]
    }
    return config


def filled(entry: Any) -> Any:
    """`filled` returns an entry of the navigation with the pages that a star stands for, by the name of their
    folder or module."""
    if isinstance(entry, str):
        return entry
    [(title, inside)] = entry.items()
    if isinstance(inside, list):
        return {title: [filled(below) for below in inside]}
    if "*" not in inside:
        return entry
    found = [{path.parent.name: name(path)} for path in sorted(ROOT.glob(inside))]
    return {title: found or [{Path(path).stem: path} for path in api_pages() if Path(path).match(inside)]}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The files of the theme, and ours from all over the repository in the place of those in docs_dir."""
    for file in [file for file in files if file.src_dir == config.docs_dir]:
        files.remove(file)
    pages = {path for pattern in PAGES for path in ROOT.glob(pattern)}
    linked = {path for page in pages for path in targets(page)} - pages
    folders = {path for path in linked if path.is_dir()}
    linked |= {path for folder in folders for path in folder.iterdir() if path.is_file()} - pages
    copied = {path for path in linked if path.suffix in COPIED}
    copied |= {path for pattern in ASSETS for path in ROOT.glob(pattern)}
    for path in sorted(pages | copied):
        files.append(File.generated(config, name(path), abs_src_path=str(path)))
    for path in sorted(linked - copied):
        content = shown(path, pages | linked - copied)
        files.append(
            File.generated(config, page_of(path), content=content, inclusion=InclusionLevel.NOT_IN_NAV)
        )
    files.append(File.generated(config, f"docs/site/{FONT.name}", abs_src_path=str(FONT)))
    for path, content in {**api_pages(), "rules.md": rules_page()}.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    here = page.file.src_uri
    if page.file.abs_src_path:  # a page that stands in the repository
        markdown = relinked(markdown, here, files.src_uris)
    return markdown.replace("<details>", '<details markdown="1">')


def on_page_content(text: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    return FORMULA.sub(lambda found: formula(html.unescape(found[1])), text)


def block_formula(source: str, *_: Any, **__: Any) -> str:
    return formula(source, "block")


def formula(source: str, display: str = "inline") -> str:
    """`formula` returns TeX as MathML. As in TeX, bars do not grow, and Greek capitals stand upright."""
    found = BAR.sub('<mo stretchy="false">', convert(source, display=display))
    return CAPITAL.sub('<mi mathvariant="normal">', found)


def anchor(heading: str, separator: str) -> str:
    """`anchor` returns the name of a heading as GitHub makes it, so that links to it work in both places."""
    kept = re.sub(r"[^\w\- ]", "", unicodedata.normalize("NFC", heading).strip().lower())
    return kept.replace(" ", separator)
