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
    "replications",
    "forests",
    "again",
)


def folder_of(replication: str) -> str:
    """`folder_of` returns what stands between the results folder and the results of a replication."""
    return f"replications/{replication}/" if replication else ""


class Layout:
    """The paths under one results folder. What a replication finds stands `within` a folder of its own there,
    as what the studies themselves find stands in the results folder (""); the store, and what is known of its
    use, is of all of them."""

    def __init__(self, results: str, within: str = "") -> None:
        self.results = results.rstrip("/")
        self.own = f"{self.results}/{within}"

    def data(self, name: str) -> str:
        return f"{self.own}data/{name}.nc"

    def pack(self, name: str) -> str:
        return f"{self.own}packs/{name}.nc"

    def again(self, network: str) -> str:
        return f"{self.own}again/{network}"

    def reference(self, name: str) -> str:
        return f"{self.own}references/{name}.nc"

    def dataset(self, study: str) -> str:
        return f"{self.own}{study}/dataset.nc"

    def verdicts(self, study: str) -> str:
        return f"{self.own}{study}/claims.json"

    def section(self, study: str) -> str:
        return f"{self.own}{study}/section.json"

    def figures(self, study: str) -> str:
        return f"{self.own}{study}/figures"

    def figure(self, study: str, name: str, kind: str) -> str:
        return f"{self.figures(study)}/{name}.{kind}"

    def drawings(self, study: str) -> str:
        return f"{self.own}drawings/{study}"

    @property
    def claims(self) -> str:
        return f"{self.own}claims.json"

    @property
    def claims_page(self) -> str:
        return f"{self.own}claims.md"

    @property
    def report(self) -> str:
        return f"{self.own}report.html"

    @property
    def provenance(self) -> str:
        return f"{self.own}provenance.json"

    @property
    def runtimes(self) -> str:
        return f"{self.own}runtimes.md"

    @property
    def archive(self) -> str:
        return f"{self.own}archive.zip"

    def log(self, rule: str, name: str = "") -> str:
        return f"{self.own}logs/{rule}/{name}.log" if name else f"{self.own}logs/{rule}.log"

    def benchmark(self, rule: str, name: str) -> str:
        return f"{self.own}benchmarks/{rule}/{name}.tsv"

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

    @property
    def comparison(self) -> dict[str, str]:
        """`comparison` returns the files that say how far the verdicts reach, by kind."""
        kinds = ("json", "md", "html")
        return {kind: f"{self.results}/replications.{kind}" for kind in kinds}

    @property
    def forests(self) -> str:
        return f"{self.results}/forests"
