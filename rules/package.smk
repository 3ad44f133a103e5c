"""The folder from which Snakefile and scripts import minima: a checkout's own, or one unpacked from the clone
that Snakemake keeps of a repository named by `github(…)`, for it reads single files there and Python a folder.
"""

import io
import os
import shutil
import sys
import tempfile
import zipfile

package = workflow.current_basedir.join("../workflow_scripts")
package_folder = os.path.normpath(package.get_path_or_uri(secret_free=True))
if hasattr(package, "hosted_repo"):
    repository, zipped = package.hosted_repo.repo, io.BytesIO()
    commit = repository.commit(package.ref).hexsha
    unpacked = workflow.source_cache_path / "minima" / commit
    if not unpacked.exists():
        repository.archive(zipped, commit, path=package.path, format="zip")
        unpacked.parent.mkdir(parents=True, exist_ok=True)
        half = tempfile.mkdtemp(dir=unpacked.parent)
        zipfile.ZipFile(zipped).extractall(half)
        try:
            os.rename(half, unpacked)
        except OSError:  # another process was first
            shutil.rmtree(half)
    package_folder = str(unpacked / package.path)
sys.path.insert(0, package_folder)
