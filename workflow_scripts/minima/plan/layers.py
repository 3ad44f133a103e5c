"""What a config is made of: each study's own file, over it the overlay of the scale, over both the config.

Mappings merge and all else replaces, as where Snakemake lays config files over each other; null in the place
of a mapping takes it away. A mistake is told under the file that holds the last word on it.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from minima.plan.mistakes import Mistake, unknown
from minima.plan.studies import folders, own_files

# libyaml's where PyYAML was built with it: ten times as fast
SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
STUDY, CLAIMS = "study.yaml", "claims.yaml"  # other YAML files of a study are its overlays


class Layer(NamedTuple):
    """`Layer` is one file of a study, or the config (no file), with its content where a config has it."""

    file: str
    study: str
    content: Mapping[str, Any]


class Laid(NamedTuple):
    """`Laid` is a whole config, the layers that it is made of, the uppermost first, and what is wrong."""

    config: dict[str, Any]
    layers: list[Layer]
    mistakes: list[Mistake]

    def placed(self, mistake: Mistake) -> Mistake:
        """`placed` returns a mistake with the file that it stands in, where that is not the config."""
        path, reason = mistake
        file, study, _ = max(self.layers, key=lambda layer: _reach(layer.content, path))
        return Mistake(f"{file}: {path.removeprefix(f'studies.{study}.')}", reason) if file else mistake


def lay(raw: Any) -> Laid:
    """`lay` returns the config with all that the folders of its studies say, of those that it names in `run`
    and `studies` alone; one that is whole already, as jobs get it, as it is."""
    raw = mapping(raw)
    if raw.get("whole") is True:
        return Laid(raw, [Layer("", "", raw)], [])
    said, scale, run = mapping(raw.get("studies")), raw.get("scale"), listed(raw.get("run"))
    layers, mistakes = [Layer("", "", raw)], [*_wrong_scale(scale)]
    studies: dict[str, Any] = {}
    data: dict[str, Any] = {}
    owners: dict[str, str] = {}
    for study in dict.fromkeys(name for name in (*run, *said) if isinstance(name, str)):
        own: Any = {}
        for path in _files(study, scale):
            content, wrong = read_yaml(path)
            mistakes += wrong
            own = laid_over(own, content)
            as_config = {"studies": {study: content}, "data": mapping(content.get("data"))}
            layers.insert(1, Layer(shown(path), study, as_config))
        if study not in said and study not in folders():
            continue
        entry = laid_over(own, said.get(study) or {}) if study in folders() else said[study]
        for name, recipe in mapping(mapping(entry).get("data")).items():
            if data.setdefault(name, recipe) != recipe:
                reason = f"is another recipe in the study {owners[name]} than in {study}: rename one"
                mistakes.append(Mistake(f"data.{name}", reason))
            owners.setdefault(name, study)
        studies[study] = {k: v for k, v in entry.items() if k != "data"} if isinstance(entry, dict) else entry
    over, wrong = raw.get("data"), raw.get("studies")
    whole = {
        "data": data if over is None else laid_over(data, over),
        "studies": studies if wrong is None or isinstance(wrong, dict) else wrong,
    }
    return Laid(raw | whole, layers, mistakes)


def scales_of_blocks(study: str) -> dict[str, str]:
    """`scales_of_blocks` returns block → scale of the blocks of a study's overlays."""
    overlays = (path for path in own_files(study, "*.yaml") if path.name not in (STUDY, CLAIMS))
    return {block: path.stem for path in overlays for block in mapping(read_yaml(path)[0].get("blocks"))}


def laid_over(below: Any, above: Any) -> Any:
    """`laid_over` returns a value with another one laid over it."""
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)):
        return above
    merged = {k: v for k, v in below.items() if not (isinstance(v, Mapping) and above.get(k, v) is None)}
    kept = {k: v for k, v in above.items() if v is not None or not isinstance(below.get(k), Mapping)}
    return merged | {key: laid_over(below.get(key), value) for key, value in kept.items()}


def read_yaml(path: Path) -> tuple[dict[str, Any], list[Mistake]]:
    """`read_yaml` returns the mapping that a file holds, and why it cannot be read where it cannot."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=SAFE_LOADER)
    except FileNotFoundError:
        return {}, [Mistake(shown(path), "there is no such file")]
    except (OSError, UnicodeDecodeError) as error:
        return {}, [Mistake(shown(path), f"cannot be read: {error}")]
    except yaml.YAMLError as error:
        return {}, [Mistake(shown(path), f"is no YAML: {' '.join(str(error).split())}")]
    if not isinstance(content, dict | None):
        return {}, [Mistake(shown(path), "should be a mapping")]
    return content or {}, []


def shown(path: Path) -> str:
    """`shown` returns a path as messages have it: from the working directory where it is within."""
    return os.path.relpath(path) if path.absolute().is_relative_to(Path.cwd()) else str(path)


def mapping(value: Any) -> dict:
    """`mapping` returns a value that is a mapping, and {} in place of anything else, which the validation of
    the whole config refuses."""
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list:
    """`listed` returns a list as it is, and a text as a list of one."""
    return [value] if isinstance(value, str) else value if isinstance(value, list) else []


def _files(study: str, scale: Any) -> Iterator[Path]:
    """`_files` yields the files of a study from the lowest layer up."""
    if folder := folders().get(study):
        yield folder / STUDY
        if isinstance(scale, str) and (overlay := folder / f"{scale}.yaml").exists():
            yield overlay


def _wrong_scale(scale: Any) -> Iterator[Mistake]:
    known = {path.stem for folder in folders().values() for path in folder.glob("*.yaml")}
    if isinstance(scale, str) and scale not in (known := sorted(known - {"study", "claims"})):
        yield Mistake("scale", unknown(scale, known, "no overlay of any study"))


def _reach(content: Any, path: str) -> int:
    """`_reach` returns how much of a path a layer holds; keys may have points in them."""
    held = [(f"{key}.", value) for key, value in mapping(content).items() if f"{path}.".startswith(f"{key}.")]
    return max((len(key) + _reach(value, path[len(key) :]) for key, value in held), default=0)
