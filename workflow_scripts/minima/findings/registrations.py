"""When the claims of the default config's studies were written: docs/registrations.md, a row per register.

    make registrations

appends a row where what they say is another than all before: before the run that tests it.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from minima.atomic import write_text
from minima.plan.digest import canonical, digest
from minima.plan.layers import CLAIMS, read_yaml

ROOT = Path(__file__).parents[3]
PAGE = Path("docs/registrations.md")


def as_registered(root: Path) -> list[dict[str, Any]]:
    """`as_registered` returns the claims as they stand in the folders of the default config's studies."""
    run = yaml.safe_load((root / "config" / "config.yaml").read_text(encoding="utf-8"))["run"]
    files = {study: root / "workflow_scripts" / "studies" / study / CLAIMS for study in run}
    registers = {study: read_yaml(path)[0]["claims"] for study, path in files.items()}
    return [{"study": study} | claim for study, claims in registers.items() for claim in claims]


def register_digest(claims: list[dict[str, Any]]) -> str:
    """`register_digest` returns the digest of what claims say, whatever their comments and order of keys."""
    return digest(canonical(claims))


def with_row(page: str, claims: list[dict[str, Any]], when: str) -> str:
    """`with_row` returns the page with a row for these claims, or as it is where it has them."""
    name = register_digest(claims)
    if f"`{name}`" in page:
        return page
    parts = sum(len(claim["parts"]) for claim in claims)
    return f"{page.rstrip()}\n| {when} | `{name}` | {len(claims)} | {parts} |\n"


def now() -> str:
    """`now` returns the time as the page writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M")


if __name__ == "__main__":
    page, claims = (ROOT / PAGE).read_text(encoding="utf-8"), as_registered(ROOT)
    write_text(with_row(page, claims, now()), ROOT / PAGE)
    print(f"{PAGE} has the register {register_digest(claims)}")
