"""What the repository shows of a default run and its replications: docs/verdicts.*, docs/replications.*,
docs/gallery.md, the tables of README.md and docs/limits.md.

    make verdicts

copies verdicts and pictures from `results/`; every page is rendered from those copies and the config alone.
What `snakemake replications` has not written there stays as it was copied before.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import yaml
from PIL import Image

from minima.atomic import write_text
from minima.findings import replications, words
from minima.findings.files import write_json
from minima.findings.forest import drawn as forests_of
from minima.findings.reach import elsewhere
from minima.findings.style import with_palette
from minima.findings.words import NOT_ASKED, REFUTED, SUPPORTED, VERDICTS, as_markdown, minus, row
from minima.plan.workplan import Plan

ROOT = Path(__file__).parents[3]
SHOWN = Path("docs/verdicts.json")
ELSEWHERE = Path("docs/replications.json")
NOTHING: dict[str, Any] = {"data_sets": [], "claims": []}  # before any replication
ARXIV = re.compile(r"\d{4}\.\d{4,5}")
PICTURES = "figures"  # beside the gallery
WIDEST, COLOURS = 1000, 64  # pixels, palette: 28 pictures in about a megabyte
WRITTEN = ("README.md", "docs/limits.md")  # by hand, with places for tables
HOW_TO_READ = """\
*Found*: the estimate, its interval by name, what it is and the region in which it must lie; n units of
replication. Where one part decides, it is that part. *Holds on 5 of 6 data sets*: of those of which the
claim was asked, the registered one among them; [replications](replications.md) has each, with
estimates, and what was not asked and why. A published claim's verdict rests on the parts that the paper
says; ours stand beside it. What intervals mean, and what a verdict survives:
[statistics](science/statistics.md). When each register was written: [registrations](registrations.md).
These verdicts as data, with the digest of their config: [verdicts.json](verdicts.json)."""
HEAD = "| claim | what is claimed | published | found | n | verdict | Holm |\n|---|---|---|---|---|---|---|"


def pages(
    shown: Mapping[str, Any], comparison: Mapping[str, Any], plan: Plan, written: Mapping[str, str]
) -> dict[str, str]:
    """Path → text of every page, from what docs/verdicts.json and docs/replications.json hold and the config;
    `written` are the pages by hand in which a table has its place."""
    verdicts = shown["claims"]
    parts = {
        "README.md": {"studies": studies(plan, verdicts, comparison)},
        "docs/limits.md": {"nulls": nulls(verdicts)},
    }
    drawn = {study: forest_picture(study) for study in forests_of(comparison)}
    return {
        "docs/verdicts.md": verdicts_page(verdicts, comparison),
        "docs/replications.md": replications.as_markdown(comparison, drawn),
        "docs/gallery.md": gallery(plan, verdicts),
        **{path: filled(written[path], tables) for path, tables in parts.items()},
    }


def filled(page: str, parts: Mapping[str, str]) -> str:
    """The page with the text between each part's two comments replaced."""
    for name, text in parts.items():
        begin, end = f"<!-- {name}: written by `make verdicts` -->", f"<!-- end of {name} -->"
        head, found, rest = page.partition(begin)
        _, closed, tail = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"the page has no place for {name}, between '{begin}' and '{end}'")
        page = f"{head}{begin}\n\n{text}\n\n{end}{tail}"
    return page


def verdicts_page(verdicts: Sequence[Mapping[str, Any]], comparison: Mapping[str, Any]) -> str:
    """A row per claim, how it is read, then every part of each."""
    title, _, parts = as_markdown(verdicts).partition("\n")
    return f"{title}\n\n{table(verdicts, comparison)}\n\n{HOW_TO_READ}\n\n## Every part\n{parts}"


def table(verdicts: Sequence[Mapping[str, Any]], comparison: Mapping[str, Any] = NOTHING) -> str:
    """A row per claim, its reach beside its verdict; supported ones without a control are folded."""
    reach = {claim["id"]: _reach(claim) for claim in comparison["claims"]}
    rows = {v["id"]: _claim(v, reach.get(v["id"], "")) for v in verdicts}
    shown = [v for v in verdicts if v["headline"] or v["verdict"] != SUPPORTED]
    folded = [v for v in verdicts if v not in shown]
    counts = ", ".join(f"{_count(verdicts, verdict)} {verdict}" for verdict in VERDICTS)
    lines = [
        f"**{words.tested(verdicts)} {counts[0].upper()}{counts[1:]}.** "
        f"{replications.summed_up(comparison)} "
        "Shown: those with a control, and all that are not supported.",
        "",
        _wrapped(f"{words.READING} [More](science/statistics.md)."),
        "",
        HEAD,
        *(rows[v["id"]] for v in shown),
        "",
        f"<details><summary>The other {len(folded)}, all supported</summary>",
        "",
        HEAD,
        *(rows[v["id"]] for v in folded),
        "",
        "</details>",
    ]
    return "\n".join(lines)


def _reach(claim: Mapping[str, Any]) -> str:
    """On how many data sets a claim holds, for a cell; nothing where it was not asked of two."""
    asked = [on["verdict"] for on in claim["on"].values() if on["verdict"] != NOT_ASKED]
    held = f"[{asked.count(SUPPORTED)} of {len(asked)}](replications.md#{claim['id']})"
    return f"<br>holds on {held} data sets" if len(asked) > 1 else ""


def _claim(verdict: Mapping[str, Any], reach: str) -> str:
    """The number is that of the first part, or of the first that is not supported where it decides."""
    deciding = [part for part in verdict["parts"] if part["source"] == verdict["source"]]
    part = next((p for p in deciding if p["verdict"] == verdict["verdict"]), deciding[0])
    strong, interval = words.estimate(part)
    outcome = f"**{verdict['verdict']}**" if verdict["verdict"] == REFUTED else verdict["verdict"]
    ours = words.beside(verdict)
    many = len(verdict["parts"])
    which = f"{part['label']}, {minus(part['region'])}" + (f"; one of {many} parts" if many > 1 else "")
    return row(
        f"[{verdict['id']}](#{verdict['id']})",
        verdict["statement"],
        verdict["published"],
        " ".join(filter(None, [f"**{strong}**", interval])) + f"<br>{which}",
        words.units(part),
        outcome + reach + (f"<br>ours beside it: {ours}" if ours else ""),
        words.survival(verdict) + (f"<br>ours: {words.survival(verdict, '_ours')}" if ours else ""),
    )


def studies(
    plan: Plan, verdicts: Sequence[Mapping[str, Any]], comparison: Mapping[str, Any] = NOTHING
) -> str:
    """A row per study: its paper, if it has one, its question, its verdicts by kind, and how many of those
    that are supported hold on other data."""
    lines = [row("study", "paper", "asks", *VERDICTS, "supported claims on other data"), "|" + "---|" * 7]
    for study in plan.studies:
        mine = [v for v in verdicts if v["study"] == study]
        papers = ", ".join(_cited(p) for p in dict.fromkeys(v["paper"] for v in mine) if p)
        counts = [str(_count(mine, verdict)) for verdict in VERDICTS]
        name = f"[`{study}`](workflow_scripts/studies/{study}/page.md)"
        reach = _on_other_data([c for c in comparison["claims"] if c["study"] == study], comparison)
        lines.append(row(name, papers or "ours", plan.config.studies[study].title, *counts, reach))
    return "\n".join(lines)


def _cited(paper: str) -> str:
    """`_cited` returns a paper's name, a link where that is its arXiv number."""
    return f"[{paper}](https://arxiv.org/abs/{paper})" if ARXIV.fullmatch(paper) else paper


def _on_other_data(claims: Sequence[Mapping[str, Any]], comparison: Mapping[str, Any]) -> str:
    _, asked, everywhere = elsewhere(claims, comparison["data_sets"])
    hold = "holds" if everywhere == 1 else "hold"
    return f"{asked} asked, {everywhere} {hold} on all" if asked else "none asked"


def nulls(verdicts: Sequence[Mapping[str, Any]]) -> str:
    """A line per claim, and per statement of ours beside one, that is not supported, and why."""
    lines = []
    for v in verdicts:
        if v["verdict"] != SUPPORTED:
            said = f"{v['id']} is {v['verdict']}: {v['statement'].rstrip('.')}"
            lines.append(f"- {said}. Why: {_why(v, v['verdict'], v['source'], v['reason'])}.")
        if words.beside(v) not in ("", SUPPORTED):
            said = f"What is ours beside {v['id']} is {v['verdict_ours']}"
            lines.append(f"- {said}. Why: {_why(v, v['verdict_ours'], 'ours', v['reason_ours'])}.")
    return "\n".join(_wrapped(line, "  ") for line in lines) or "Every claim is supported."


def _why(claim: Mapping[str, Any], verdict: str, source: str, reason: str) -> str:
    """`_why` returns the reason of a verdict; of a refuted statement, what was found of it."""
    if verdict != REFUTED:
        return reason.removeprefix(f"{verdict}: ")
    parts = [part for part in claim["parts"] if (part["source"], part["verdict"]) == (source, REFUTED)]
    found = [f"{part['label']}, {' '.join(words.estimate(part))}, not {part['region']}" for part in parts]
    return minus("; ".join(found))


def gallery(plan: Plan, verdicts: Sequence[Mapping[str, Any]]) -> str:
    """Every figure with its caption, its claims and what it was made of."""
    of = {verdict["id"]: verdict["verdict"] for verdict in verdicts}
    lines = [
        "# Gallery",
        "",
        "Every figure of the default run, copied by `make verdicts`. A run writes each as PNG and SVG,",
        "and the numbers it was drawn from as CSV, beside the dataset `results/<study>/dataset.nc`.",
    ]
    for study in plan.studies:
        lines += ["", f"## {plan.config.studies[study].title}"]
        for name in plan.config.studies[study].figures:
            claims = plan.claims_shown(study, name)
            linked = ", ".join(f"[{id}](verdicts.md#{id}) ({of[id]})" for id in claims if id in of)
            script = plan.figure_module(study, name).replace(".", "/") + ".py"
            lines += [
                "",
                f"### {study}: {name}",
                "",
                f"![{name}]({picture(study, name)})",
                "",
                _wrapped(plan.caption(study, name)),
                "",
                *([f"Claims: {linked}.  "] if linked else []),
                f"Data: `results/{study}/figures/{name}.csv`. "
                f"Script: [{script}](../workflow_scripts/{script}).",
            ]
    return "\n".join(lines) + "\n"


def picture(study: str, name: str) -> str:
    """Where a figure's picture stands, from the gallery."""
    return f"{PICTURES}/{study}_{name}.png"


def forest_picture(study: str) -> str:
    """Where a study's forest plot stands, from its page."""
    return f"{PICTURES}/replications_{study}.png"


def read_comparison(root: Path) -> Mapping[str, Any]:
    """What is shown of replications; nothing where none was ever copied."""
    path = root / ELSEWHERE
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else NOTHING


def copy_results(plan: Plan, root: Path) -> None:
    """Verdicts with the digest of the config they were made with, and small pictures."""
    claims = json.loads((root / plan.paths.claims).read_text(encoding="utf-8"))
    digest = json.loads((root / plan.paths.provenance).read_text(encoding="utf-8"))["config_digest"]
    if digest != plan.config_digest:
        raise SystemExit(
            "results/ are not of the default config as it is now; run snakemake, then this again"
        )
    write_json({"config_digest": digest, "claims": claims}, root / SHOWN)
    copy_comparison(plan, root, claims)
    kept = {root / SHOWN.parent / picture(*figure) for figure in plan.figures}
    kept |= {root / SHOWN.parent / forest_picture(study) for study in forests_of(read_comparison(root))}
    for old in set((root / SHOWN.parent / PICTURES).glob("*.png")) - kept:
        old.unlink()
    for study, name in plan.figures:
        shrink(root / plan.paths.figure(study, name, "png"), root / SHOWN.parent / picture(study, name))


def copy_comparison(plan: Plan, root: Path, claims: Sequence[Mapping[str, Any]]) -> None:
    """The table of all data sets, where there is one, with the digits that are shown, and small forest
    plots."""
    path = root / plan.paths.comparison["json"]
    if not path.exists():
        return
    comparison = json.loads(path.read_text(encoding="utf-8"), parse_float=lambda n: float(f"{float(n):.6g}"))
    if unlike := differing(comparison, claims):
        raise SystemExit(
            f"{path} has other verdicts than {plan.paths.claims} ({', '.join(unlike)}); "
            "run snakemake replications, then this again"
        )
    write_json(comparison, root / ELSEWHERE)
    for study in forests_of(comparison):
        shrink(Path(f"{root / plan.paths.forests}/{study}.png"), root / SHOWN.parent / forest_picture(study))


def differing(comparison: Mapping[str, Any], claims: Sequence[Mapping[str, Any]]) -> list[str]:
    """The claims whose verdict on the first data set is not the one that the default run has."""
    first = comparison["data_sets"][0]["name"] if comparison["data_sets"] else None
    found = {claim["id"]: claim["on"][first]["verdict"] for claim in comparison["claims"]}
    wanted = {claim["id"]: claim["verdict"] for claim in claims} if found else {}
    return sorted(id for id in found.keys() | wanted.keys() if found.get(id) != wanted.get(id))


def shrink(source: Path, output: Path) -> None:
    """The picture with a palette, and no wider than a page shows it."""
    with Image.open(source) as full:
        small = full.convert("RGB")
    small.thumbnail((WIDEST, 10 * WIDEST), Image.Resampling.LANCZOS)
    output.parent.mkdir(parents=True, exist_ok=True)
    with_palette(small, COLOURS).save(output, optimize=True)


def default_plan(root: Path) -> Plan:
    """The plan of the committed config."""
    return Plan(yaml.safe_load((root / "config" / "config.yaml").read_text(encoding="utf-8")))


def _wrapped(text: str, indent: str = "") -> str:
    return fill(text, 118, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _count(verdicts: Iterable[Mapping[str, Any]], verdict: str) -> int:
    return sum(v["verdict"] == verdict for v in verdicts)


if __name__ == "__main__":
    plan = default_plan(ROOT)
    copy_results(plan, ROOT)
    shown = json.loads((ROOT / SHOWN).read_text(encoding="utf-8"))
    written = {path: (ROOT / path).read_text(encoding="utf-8") for path in WRITTEN}
    for path, text in pages(shown, read_comparison(ROOT), plan, written).items():
        write_text(text, ROOT / path)
        print(f"wrote {path}")
