"""Pages that need nothing else, not even a network: what their templates share."""

import base64
import re
import struct
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from minima.findings import words
from minima.findings.maps import drawn
from minima.findings.words import is_known

PNG = b"\x89PNG\r\n\x1a\n"
DOTS_PER_PIXEL = 150 / 96  # figures are drawn at 150 dots per inch; a page has 96


def rendered(template: str, **values: Any) -> str:
    """`rendered` returns a page as text, the same for the same values, all of them escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": words.number,
        "estimate": words.estimate,
        "minus": words.minus,
        "units": words.units,
        "survival": words.survival,
        "beside": words.beside,
        "cite": cite,
        "picture": picture,
        "drawn": drawn,
    }
    environment.tests["known"] = is_known
    return environment.get_template(template).render(**values)


def cite(text: str) -> Markup:
    """`cite` returns the citation, escaped, its arXiv number a link; the number alone will do."""
    linked = r'<a href="https://arxiv.org/abs/\1">arXiv:\1</a>'
    return Markup(re.sub(r"(?:arXiv:\s*|^)(\d{4}\.\d{4,5})\b", linked, str(Markup.escape(text))))


def picture(png: Path) -> Markup:
    """`picture` returns the attributes of an image that holds the picture itself, at the size it was drawn
    for."""
    content = png.read_bytes()
    if not content.startswith(PNG) or len(content) < 24:
        raise ValueError(f"{png}: not a PNG picture; delete it and run snakemake again to draw it anew")
    width, height = (round(dots / DOTS_PER_PIXEL) for dots in struct.unpack(">II", content[16:24]))
    data = base64.b64encode(content).decode("ascii")
    return Markup(f'src="data:image/png;base64,{data}" width="{width}" height="{height}"')
