"""Snakemake's events, told to the console of minima: the one place that knows both.

Nothing is to be installed and no profile names it: the Snakefile calls `watch`, which puts a handler where
that of Snakemake's console stands. `--quiet`, `--verbose`, `--dry-run` and `--logger` mean what they mean
elsewhere; jobs that are Snakemake processes of their own, and workflows that use this one as a module, keep
their console.
"""

import logging
import threading
from typing import Any

from snakemake.logging import get_event
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent

from minima.console.console import Console
from minima.console.steps import Job
from minima.plan.workplan import Plan

SECONDS = 1.0  # between two drawings
ERRORS = {LogEvent.JOB_ERROR, LogEvent.GROUP_ERROR, LogEvent.ERROR}
CHATTER = (  # what Snakemake says beside its events in every run that goes well
    "Assuming unrestricted shared filesystem",
    "Building DAG of jobs",
    "Complete log(s):",
    "Conda environments: ignored",
    "Elapsed time:",
    "Execute ",
    "Select jobs to execute",
    "Singularity containers: ignored",
    "Using shell:",
)


def watch(workflow: Any, plan: Plan) -> None:
    """`watch` lets the console of minima tell of this run, where Snakemake's own would tell all."""
    manager = workflow.logger_manager
    asked = manager.settings
    quiet = {Quietness.RULES, Quietness.PROGRESS, Quietness.ALL} & set(asked.quiet or ())
    theirs = [one for one in manager.logger.handlers if one.name == "DefaultStreamHandler"]
    ours = workflow.is_main_process and workflow.modifier.is_main_snakefile()
    if ours and theirs and not (quiet or asked.verbose or asked.debug_dag or asked.dryrun):
        manager.logger.removeHandler(theirs[0])
        manager.logger.addHandler(Handler(workflow, plan, theirs[0]))


class Handler(logging.Handler):
    """`Handler` tells the console of a run's course. To Snakemake's own handler it leaves warnings, errors
    and hints, and everything once the console has failed at anything: no run fails for how it is shown."""

    def __init__(self, workflow: Any, plan: Plan, theirs: logging.StreamHandler) -> None:
        super().__init__()
        self.workflow, self.theirs, self.cores, self.said = workflow, theirs, 1, ""
        self.console, self.works, self.over = Console(plan, theirs.stream), True, threading.Event()
        threading.Thread(target=self._tick, daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        event = get_event(record)
        if self._tries(lambda: self._tell(event, record)) and self._is_told(event, record):
            return
        self._tries(self.console.clears)
        self.theirs.handle(record)
        self._tries(self.console.draw)

    def close(self) -> None:
        self.over.set()
        with self.lock:
            self._tries(lambda: self.console.closes(", ".join(self.workflow.logger_manager.get_logfile())))
        self.theirs.close()
        super().close()

    def _tell(self, event: LogEvent | None, record: Any) -> None:
        match event:
            case LogEvent.RESOURCES_INFO:
                self.cores = getattr(record, "cores", None) or getattr(record, "nodes", None) or self.cores
            case LogEvent.RUN_INFO:
                dag = self.workflow.dag
                jobs = {
                    dag.jobid(job): Job(job.rule.name, job.wildcards_dict, tuple(map(str, job.output)))
                    for job in dag.needrun_jobs()
                }
                self.console.begins(jobs, self.cores)
            case LogEvent.JOB_INFO:
                self.console.starts(record.jobid)
            case LogEvent.JOB_FINISHED:
                self.console.ends(record.job_id)
            case LogEvent.JOB_ERROR:
                self.console.fails(record.jobid)

    def _is_told(self, event: LogEvent | None, record: logging.LogRecord) -> bool:
        """`_is_told` returns whether a person has read all of a record that there is to know."""
        if event is not None:
            return event not in ERRORS
        again, self.said = record.getMessage() == self.said, record.getMessage()
        return record.levelno <= logging.INFO and (again or self.said.startswith(CHATTER))

    def _tries(self, show: Any) -> bool:
        """`_tries` returns whether the console could do something."""
        if self.works:
            try:
                show()
            except Exception as error:
                self.works = False
                said = f"The progress cannot be shown ({type(error).__name__}: {error}): all is said instead."
                self.theirs.handle(logging.LogRecord("minima", logging.WARNING, "", 0, said, (), None))
        return self.works

    def _tick(self) -> None:
        while not self.over.wait(SECONDS):
            with self.lock:
                self._tries(self.console.ticks)
