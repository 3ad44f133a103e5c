"""One zip of all that a run found, from which verdicts, figures and report rebuild without training."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from minima.atomic import replacing
from minima.plan.studies import files_in, folders
from minima.plan.workplan import Plan

LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same content gives the same bytes
CONFIG, REGISTER = "archive/config.yaml", "archive/claims.yaml"

README = """# An archive of results made with Minima

`results/` has the datasets, figures, verdicts, the report and `provenance.json`, which names the commit of
the code. To judge, draw and report again from the datasets, without training: check out that commit, unpack
this archive into the checkout, and

    snakemake --cores all --replace-workflow-config --configfile {config} \\
        --allowed-rules all judge_study judge_claims draw_figures describe_study write_report --forceall

To train the same networks again: the same command without its second line. The folders of studies and
extensions and the networks of your own are here as that run had them, also where they were of no commit.
"""


def write_archive(plan: Plan, output: Path) -> None:
    """`write_archive` writes the zip of a complete run."""
    extensions = {f"extensions/{n}_{Path(e).name}": Path(e) for n, e in enumerate(plan.config.extensions, 1)}
    config = json.loads(json.dumps(plan.whole))  # of plain mappings
    config |= {
        "results": "results",
        "run": plan.studies,
        "extensions": [*extensions],
        "network_dirs": ["networks"],
    }
    config |= {"claims": REGISTER} if plan.config.claims else {}
    with replacing(output) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "archive/README.md", README.format(config=CONFIG).encode())
        _add(archive, CONFIG, yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode())
        if plan.config.claims:
            _add(archive, REGISTER, Path(plan.config.claims).read_bytes())
        for inside, folder in _sources(plan, extensions).items():
            for path in files_in(folder):
                _add(archive, f"{inside}/{path.relative_to(folder).as_posix()}", path.read_bytes())
        for inside, path in plan.network_files.items():
            _add(archive, f"archive/networks/{inside}", path.read_bytes())
        for path in results_of(plan):
            inside = Path("results") / path.relative_to(plan.paths.results)
            _add(archive, inside.as_posix(), path.read_bytes())


def _sources(plan: Plan, extensions: Mapping[str, Path]) -> dict[str, Path]:
    """`_sources` returns where in the archive → folder of the studies that ran and of the extensions, in
    which some of these stand."""
    used = {study: folders()[study] for study in plan.studies if study in folders()}
    ours = {s: f for s, f in used.items() if not any(f.is_relative_to(e) for e in extensions.values())}
    studies = {f"workflow_scripts/studies/{study}": folder for study, folder in ours.items()}
    return studies | {f"archive/{name}": folder for name, folder in extensions.items()}


def results_of(plan: Plan) -> list[Path]:
    """`results_of` returns the results that an archive holds: what people read, not what jobs hand over."""
    paths = plan.paths
    figures = [paths.figure(*figure, kind) for figure in plan.figures for kind in ("png", "svg", "csv")]
    claims = [paths.claims, paths.claims_page] if plan.claims else []
    datasets = [paths.dataset(study) for study in plan.studies]
    return [
        Path(path) for path in [*datasets, *claims, *figures, paths.report, paths.provenance, paths.runtimes]
    ]


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, LONG_AGO)
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
