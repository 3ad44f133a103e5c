"""A whole SLURM on this machine: munge, slurmctld and slurmd in one folder, with two fake GPUs.

Nothing outside the folder is written, and a SLURM that already runs here is left as it is. There is no
accounting database, as on many small clusters: the state of a job is known from `squeue` alone.
"""

import contextlib
import getpass
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
CLIENTS = ("sbatch", "srun", "squeue", "scancel", "scontrol")
SYSTEM_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])

PATIENCE = 300  # seconds, of a busy machine: what goes well waits for none of them
SLURM_CONF = """
ClusterName=minima
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
# Without cgroups and systemd: what a container or a virtual machine can do.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
# Memory is sampled every second, and a job over its request is killed.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1
KillWait=5
InactiveLimit=0
ReturnToService=2
GresTypes=gpu
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=16000 Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=60 State=UP
"""
# A device must be a character device; these two are everywhere.
GRES_CONF = """
AutoDetect=off
Name=gpu File=/dev/null
Name=gpu File=/dev/zero
"""


def missing() -> list[str]:
    """The programs of SLURM and munge that are not installed."""
    return [name for name in (*DAEMONS, *CLIENTS) if not shutil.which(name, path=SYSTEM_PATH)]


@dataclass(frozen=True)
class Slurm:
    """A running cluster of one node."""

    folder: Path
    environment: dict[str, str]  # what a client needs to find it

    def call(self, *command: str) -> str:
        """The output of a client command."""
        environment = os.environ | self.environment
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True, timeout=PATIENCE
        ).stdout

    def jobs(self, *states: str) -> dict[str, dict[str, str]]:
        """Id → fields of all jobs that SLURM remembers, or of those in these states."""
        fields = {}
        for line in self.call("scontrol", "--oneliner", "--details", "show", "job").splitlines():
            job = dict(word.split("=", 1) for word in line.split() if "=" in word)
            if "JobId" in job and (not states or job["JobState"] in states):
                fields[job["JobId"]] = job
        return fields

    def node(self, **changes: str) -> None:
        words = [f"{name}={value}" for name, value in changes.items()]
        self.call("scontrol", "update", f"NodeName={socket.gethostname()}", *words)


@contextlib.contextmanager
def slurm_in(folder: Path) -> Iterator[Slurm]:
    """Starts a cluster whose files are all in `folder`, and stops it in the end."""
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir()
    folder.chmod(0o755)  # munge refuses a socket whose way others could change
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    ports = _free_ports(2)
    (folder / "slurm.conf").write_text(
        SLURM_CONF.format(
            folder=folder,
            host=socket.gethostname(),
            user=getpass.getuser(),
            controller_port=ports[0],
            node_port=ports[1],
        )
    )
    (folder / "gres.conf").write_text(GRES_CONF)
    # Snakemake's job step hides SLURM_CONF from srun.
    srun = folder / "bin" / "srun"
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
    srun.chmod(0o755)
    environment = {
        "SLURM_CONF": str(folder / "slurm.conf"),
        "PATH": f"{folder}/bin{os.pathsep}{os.environ['PATH']}",
    }
    cluster = Slurm(folder, environment)
    daemons: list[subprocess.Popen] = []

    def start(name: str, *arguments: object) -> None:
        with (folder / f"{name}.out").open("w") as out:
            daemons.append(
                subprocess.Popen(
                    [str(shutil.which(name, path=SYSTEM_PATH)), *map(str, arguments)],
                    env=os.environ | environment,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    try:
        files = {"socket": "munge.socket", "pid-file": "munge.pid", "log-file": "munge.log"}
        places = [f"--{option}={folder / name}" for option, name in files.items()]
        start("munged", "--foreground", "--force", f"--key-file={key}", f"--seed-file={folder}/seed", *places)
        wait_for((folder / "munge.socket").exists, "munge to start")
        start("slurmctld", "-D", "-i", "-f", folder / "slurm.conf")
        start("slurmd", "-D", "-f", folder / "slurm.conf")
        wait_for(lambda: _idle(cluster), f"the node to be idle (logs in {folder})")
        yield cluster
    finally:
        with contextlib.suppress(subprocess.SubprocessError, AssertionError):  # the daemons end in any case
            cluster.call("scancel", "--user", getpass.getuser())
            wait_for(lambda: not cluster.jobs("RUNNING", "COMPLETING"), "the last jobs to end")
        for daemon in reversed(daemons):
            daemon.terminate()
        for daemon in reversed(daemons):
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(daemon.pid, signal.SIGKILL)


def wait_for(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.1)


def _idle(cluster: Slurm) -> bool:
    try:
        return "State=IDLE" in cluster.call("scontrol", "show", "node")
    except subprocess.CalledProcessError:  # the controller is not up yet
        return False


def _free_ports(count: int) -> list[int]:
    """Below those that the system itself hands out, to whatever else runs beside."""
    found: set[int] = set()
    while len(found) < count:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as s:
            s.bind(("127.0.0.1", port))
            found.add(port)
    return [*found]
