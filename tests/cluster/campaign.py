"""Two packs of four cells, run through `profiles/slurm`, and the moments when something happens to them."""

import subprocess
import sys
from pathlib import Path

import yaml
from tests.cluster.slurm import Slurm, wait_for
from tests.workflow.harness import Workflow

CONFIG = yaml.safe_load("""
data:
  digits: {source: digits, classes: [3, 8], train_size: 20, test_size: 20}
execution: {pack_minutes: 0.0025}
studies:
  question:
    blocks:
      main:
        data: digits
        network: {width: 8}
        axes:
          optimizer: {plain: {name: gd}, heavy: {name: heavy_ball, momentum: 0.8}}
          optimizer.lr: [0.1, 0.05]
        seed: {start: 0, count: 2}
        stop: {residual: 0.1, max_steps: 200}
""")
PACK_COUNT, CELLS = 2, 4  # and cells of a pack
PACKS = "packs/*.nc"
DATASET = "results/question/dataset.nc"
QUICK = Path(__file__).with_name("snakemake_quick.py")


class Campaign(Workflow):
    """A workflow that is run on a cluster."""

    slurm: Slurm | None = None

    def copied_to(self, folder: Path) -> "Campaign":
        copied = super().copied_to(folder)
        campaign = Campaign(copied.folder)
        campaign.config = self.config
        return campaign

    def submit(self, *arguments: str) -> "subprocess.Popen[str]":
        """Starts `snakemake --profile profiles/slurm`."""
        assert self.slurm is not None
        return self.start(
            "--profile", "profiles/slurm", *arguments,
            command=[sys.executable, str(QUICK)], environment=self.slurm.environment,
        )  # fmt: skip

    def hold(self) -> None:
        """Makes every pack wait in its middle, two of its cells in the store, for `release`, and say so."""
        self.after_two_cells(
            "Path('held_' + cells[0]['optimizer']['name']).touch(); wait_for('go')", written=True
        )

    def release(self) -> None:
        (self.folder / "go").touch()

    @property
    def held(self) -> int:
        """How many packs wait in their middle, two of their cells in the store."""
        return len(list(self.folder.glob("held_*")))

    def wait_until_held(self, packs: int, process: "subprocess.Popen[str]") -> None:
        def held() -> bool:
            assert process.poll() is None, process.communicate()[0]
            return self.held == packs

        wait_for(held, f"{packs} packs to be in their middle")

    def my_jobs(self) -> dict[str, dict[str, str]]:
        """Id → fields of the jobs that SLURM knows of this folder."""
        assert self.slurm is not None
        return {i: job for i, job in self.slurm.jobs().items() if job["WorkDir"] == str(self.folder)}

    def training_jobs(self, *states: str) -> dict[str, dict[str, str]]:
        return {
            i: job
            for i, job in self.my_jobs().items()
            if job["Comment"].startswith("rule_train_pack") and (not states or job["JobState"] in states)
        }
