"""Where results stand: the one place that knows the names of folders and files.

Paths are given as text with forward slashes, so that wildcards (`{pack}`) can stand for names.
"""

# Folders under `results` that belong to all studies, so no study may take their names.
SHARED_FOLDERS = (
    "data",
    "store",
    "store_pruned",
    "packs",
    "references",
    "logs",
    "benchmarks",
    "journal",
    "records",
    "drawings",
)


class Layout:
    """The paths under one results folder."""

    def __init__(self, results: str) -> None:
        self.results = results.rstrip("/")

    def data(self, name: str) -> str:
        return f"{self.results}/data/{name}.nc"

    def pack(self, name: str) -> str:
        return f"{self.results}/packs/{name}.nc"

    def reference(self, name: str) -> str:
        return f"{self.results}/references/{name}.nc"

    def dataset(self, study: str) -> str:
        return f"{self.results}/{study}/dataset.nc"

    def figures(self, study: str) -> str:
        return f"{self.results}/{study}/figures"

    def figure(self, study: str, name: str, kind: str) -> str:
        return f"{self.figures(study)}/{name}.{kind}"

    def drawings(self, study: str) -> str:
        return f"{self.results}/drawings/{study}"

    @property
    def claims(self) -> str:
        return f"{self.results}/claims.json"

    @property
    def claims_page(self) -> str:
        return f"{self.results}/claims.md"

    @property
    def report(self) -> str:
        return f"{self.results}/report.html"

    @property
    def provenance(self) -> str:
        return f"{self.results}/provenance.json"

    @property
    def runtimes(self) -> str:
        return f"{self.results}/runtimes.md"

    @property
    def archive(self) -> str:
        return f"{self.results}/archive.zip"

    def log(self, rule: str, name: str = "") -> str:
        return f"{self.results}/logs/{rule}/{name}.log" if name else f"{self.results}/logs/{rule}.log"

    def benchmark(self, rule: str, name: str) -> str:
        return f"{self.results}/benchmarks/{rule}/{name}.tsv"

    @property
    def store(self) -> str:
        return f"{self.results}/store"

    def journal(self, pack: str) -> str:
        return f"{self.results}/journal/{pack}.jsonl"

    @property
    def pruned(self) -> str:
        return f"{self.results}/store_pruned"

    @property
    def records(self) -> str:
        return f"{self.results}/records"

    @property
    def plan(self) -> str:
        return f"{self.results}/plan.json"
