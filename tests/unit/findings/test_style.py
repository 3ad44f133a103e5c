"""The look of figures: what `save` writes is small and looks like what was drawn."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from minima.findings.style import LOOKS, panels, save, shades, styled

COLOURS = sorted({look.colour for look in LOOKS.values()})
SEEN = 8  # of 255: a difference that nobody sees between two colours side by side


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """The same figure as Matplotlib writes it and as `save` does: lines and bands in every colour of ours,
    beside a map of all shades."""
    path = tmp_path_factory.mktemp("figures") / "small.png"
    with styled():
        figure, [[curves, shaded]] = panels(1, 2, share=False)
        x = np.linspace(0, 1, 50)
        for at, colour in enumerate(COLOURS):
            y = at + np.sin(9 * x + at)
            curves.plot(x, y, color=colour, linewidth=3, label=colour)
            curves.fill_between(x, y - 0.5, y + 0.5, color=colour, alpha=0.18, linewidth=0)
        curves.legend()
        shaded.bar(range(40), 1, width=1, color=shades(40))
        drawn = BytesIO()
        figure.savefig(drawn, format="png", metadata={"Software": None})
        save(figure, path)
    return drawn.getvalue(), path.read_bytes()


def pixels(png):
    return np.asarray(Image.open(BytesIO(png)).convert("RGB")).astype(int)


def test_a_saved_picture_has_half_the_bytes_and_as_many_pixels(pictures):
    plain, small = pictures
    assert len(small) < len(plain) / 2
    assert pixels(small).shape == pixels(plain).shape


def test_a_saved_picture_keeps_the_colours_of_lines_and_shades(pictures):
    plain, small = map(pixels, pictures)
    wanted = [tuple(bytes.fromhex(colour[1:])) for colour in COLOURS]
    wanted += [tuple(round(255 * part) for part in shade[:3]) for shade in shades(40)]
    for colour in wanted:
        here = (abs(plain - colour) <= 1).all(axis=2)
        assert here.sum() > 100, f"{colour} is drawn"
        assert abs(small[here] - colour).max() <= SEEN, colour


def test_letters_stay_as_dark_as_they_were(pictures):
    """Of what is grey: ink, axes and their edges."""
    plain, small = map(pixels, pictures)
    grey = np.ptp(plain, axis=2) == 0
    assert abs(small[grey] - plain[grey]).mean() < 1
    assert abs(small[grey] - plain[grey]).max() < 64
