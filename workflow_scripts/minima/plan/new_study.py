"""A skeleton of a study that runs as it is: its folder, in an extension.

make new-study NAME=my_question            into the extension my_studies
make new-study NAME=my_question INTO=mine  into another
"""

import argparse
from pathlib import Path

from minima.atomic import write_text
from minima.plan.parts import NAME, STUDIES
from minima.plan.studies import folders

FILES = {
    "study.yaml": """title: Does the size of the initialization matter?
data:
  {name}_digits: {{source: digits, classes: [3, 8], train_size: 20, test_size: 100}}
blocks:
  main: # every value of an axis with every other and every seed
    data: {name}_digits
    axes:
      network.width: [64]
      init.scale: [1, 3]
    seed: {{start: 100, count: 5}}
    stop: {{residual: 0.01, max_steps: 20_000}}
references: {{ntk: {{}}}}
figures:
  {name}_errors: {{}} # of figures/{name}_errors.py
  nearest_minimizer: {{}} # of all studies
""",
    "smoke.yaml": """# Laid over study.yaml where the config says scale: smoke.
blocks:
  main:
    seed: {{count: 2}}
""",
    "claims.yaml": """# Written before the run that tests it.
claims:
  - id: mine-1
    statement: A larger initialization costs test error.
    parts:
      - label: mean squared error at σ = 3 over that at σ = 1
        estimand: {name}.ratio
        arguments: {{block: main, of: 3, over: 1}}
        region: [1, null]
    control: {{reason: a skeleton has none}}
    figures: [{name}_errors]
""",
    "estimands.py": '''"""What the claims of `{name}` ask of its dataset."""

from minima.findings.measures import converged
from minima.findings.samples import node_of, per_seed


def ratio(tree, block, of, over):
    """`ratio` returns the mean squared test error at one scale over that at another, per seed."""
    trained = node_of(tree, "trained", block, None)
    errors = trained.test_mse.squeeze("width")
    usable = converged(trained, "width", "scale")
    return per_seed(errors.sel(scale=of) / errors.sel(scale=over), usable)
''',
    "figures/{name}_errors.py": '''"""Test error of every network."""

from minima.findings.style import panels

CAPTION = "Mean squared test error of every network over its scale; a point is a network."


def tabulate(tree, block):
    """`tabulate` returns a row per network: all that `draw` sees, written beside the picture."""
    return tree[f"trained/{{block}}"].ds.test_mse.rename("error").to_dataframe().reset_index()


def draw(table):
    """`draw` returns the figure."""
    figure, [[axes]] = panels(1, 1)
    axes.plot(table.scale, table.error, "o")
    axes.set(xlabel="initialization scale σ", ylabel="test mean squared error")
    return figure
''',
}
WHAT_NOW = """Beside the folder {given.into}, in a file my_config.yaml:

run: [{given.name}]
extensions: [{given.into}]

and then: snakemake --cores all --configfile my_config.yaml"""


def write_study(name: str, extension: Path) -> Path:
    """`write_study` writes the skeleton of a study into an extension and returns its folder."""
    folder = extension / STUDIES / name
    if not NAME.fullmatch(name):
        raise SystemExit(f"'{name}': names of studies are lower case: a letter, then letters, digits and _")
    if folder.exists() or name in folders():
        raise SystemExit(f"there is a study '{name}': {folders().get(name, folder)}")
    for path, text in FILES.items():
        write_text(text.format(name=name), folder / path.format(name=name))
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m minima.plan.new_study", description=__doc__)
    parser.add_argument("name", help="name of the study")
    parser.add_argument("--into", type=Path, default=Path("my_studies"), help="folder of the extension")
    given = parser.parse_args()
    print(f"wrote {write_study(given.name, given.into)}", WHAT_NOW.format(given=given), sep="\n\n")


if __name__ == "__main__":
    main()
