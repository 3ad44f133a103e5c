"""When each register of claims was written: docs/registrations.md, a row per register.

    make registrations

appends a row where the register is another than all before: before the run that tests it.
"""

from datetime import UTC, datetime
from pathlib import Path

import yaml

from minima.findings.files import write_text
from minima.plan.digest import canonical, digest

ROOT = Path(__file__).parents[3]
REGISTER = Path("config/claims.yaml")
PAGE = Path("docs/registrations.md")


def register_digest(text: str) -> str:
    """`register_digest` returns the digest of what a register says, whatever its comments and its order of
    keys."""
    return digest(canonical(yaml.safe_load(text)["claims"]))


def with_row(page: str, text: str, when: str) -> str:
    """`with_row` returns the page with a row for the register `text`, or as it is where it has that
    register."""
    name = register_digest(text)
    if f"`{name}`" in page:
        return page
    claims = yaml.safe_load(text)["claims"]
    parts = sum(len(claim["parts"]) for claim in claims)
    return f"{page.rstrip()}\n| {when} | `{name}` | {len(claims)} | {parts} |\n"


def now() -> str:
    """`now` returns the time as the page writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M")


if __name__ == "__main__":
    page, text = ((ROOT / path).read_text(encoding="utf-8") for path in (PAGE, REGISTER))
    write_text(with_row(page, text, now()), ROOT / PAGE)
    print(f"{PAGE} has the register {register_digest(text)}")
