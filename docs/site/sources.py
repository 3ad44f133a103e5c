"""Pages that show files of the repository: code, data as text, notebooks, folders."""

import json
import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"(?<=\]\()([^)#\s]+)(#[^)\s]*)?(?=\))")
# "[1, 2] [8]" is no link here, as it is none on GitHub.
BRACKETS = re.compile(r"\](\s?)\[(?=[^\]\n]*\](?!\())")
SKIPPED = re.compile(r"^(```+).*?^\1\s*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)  # code holds no links
LANGUAGES = {".py": "python", ".smk": "python", ".yaml": "yaml", ".cff": "yaml", ".json": "json", ".sh": "sh"}
LONG = 200_000  # characters that no page should have


def name(path: Path) -> str:
    """`name` returns a path in the repository as text."""
    return path.relative_to(ROOT).as_posix()


def page_of(path: Path) -> str:
    """`page_of` returns where the page stands that shows a file or a folder."""
    return f"source/{name(path)}" + ("/index.md" if path.is_dir() else ".md")


def target(link: str, folder: Path) -> Path | None:
    """`target` returns what of the repository a link leads to; None for an address."""
    path = (folder / link).resolve()
    return path if "://" not in link and path.exists() and path.is_relative_to(ROOT) else None


def targets(page: Path) -> Iterator[Path]:
    """`targets` yields the files and folders of the repository that a page links to."""
    for link in LINK.finditer(SKIPPED.sub("", page.read_text(encoding="utf-8"))):
        if (path := target(link[1], page.parent)) is not None:
            yield path


def relinked(text: str, here: str, pages: Iterable[str]) -> str:
    """`relinked` returns the text of the page `here`, with links to what is no page led to the one that shows
    it. What leads nowhere stays, so that a strict build fails on it."""
    pages = {*pages}

    def led(link: re.Match[str]) -> str:
        path = target(link[1], (ROOT / here).parent)
        if path is None or name(path) in pages or page_of(path) not in pages:
            return link[0]
        return posixpath.relpath(page_of(path), posixpath.dirname(here))

    def prose(part: str) -> str:
        return BRACKETS.sub(r"]\1&#91;", LINK.sub(led, part))

    parts, end = [], 0
    for code in SKIPPED.finditer(text):
        parts += [prose(text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*parts, prose(text[end:])])


def fenced(text: str, language: str = "") -> str:
    """`fenced` returns text as a block of code, whatever fences it holds itself."""
    fence = "`" * (2 + max(1, *(len(ticks) for ticks in re.findall("`+", text)), 1))
    return f"{fence}{language}\n{text.rstrip()}\n{fence}\n"


def shown(path: Path, pages: set[Path]) -> str:
    """`shown` returns the Markdown that shows a file or a folder; `pages` are those that have a page."""
    title = f"---\nsearch: {{exclude: true}}\n---\n\n# {name(path)}\n\n"
    if path.is_dir():
        return title + "".join(
            f"- {entry(below, path, pages)}\n" for below in sorted(path.iterdir()) if listed(below)
        )
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        return title + "\n".join(cells(json.loads(text)))
    cut = text[:LONG] + ("\n…" if len(text) > LONG else "")
    return title + fenced(cut, LANGUAGES.get(path.suffix, "text"))


def listed(path: Path) -> bool:
    return path.name[0] not in "._" or path.name == "__init__.py"


def entry(path: Path, folder: Path, pages: set[Path]) -> str:
    """`entry` returns a line of a folder's page, a link where it leads somewhere."""
    shown_as = path.name + ("/" if path.is_dir() else "")
    study = path / "page.md"
    there = study if study in pages else path
    if there not in pages:
        return f"`{shown_as}`"
    to = name(there) if there.suffix == ".md" else page_of(there)
    return f"[{shown_as}]({posixpath.relpath(to, posixpath.dirname(page_of(folder)))})"


def cells(notebook: dict) -> Iterator[str]:
    """`cells` yields the cells of a notebook as Markdown, without outputs."""
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        yield fenced(text, "python") if cell["cell_type"] == "code" else f"{text}\n"
