"""openml.org, as far as one table goes: answered from the files of scikit-learn's own tests."""

import gzip
import io
import urllib.request
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from urllib.error import URLError
from urllib.response import addinfourl

import pytest
from sklearn import datasets

FILES = Path(datasets.__file__).parent / "tests" / "data" / "openml" / "id_61"


class Network(urllib.request.HTTPSHandler):
    """openml.org as far as Fisher's irises go, its number 61; it counts what it is asked for."""

    def __init__(self, changes=()):
        super().__init__()
        self.asked, self.changes = [], dict(changes)

    def https_open(self, request):
        path = request.selector
        self.asked.append(path)
        parts = {"/data/features/": "jdf-61.json", "/data/qualities/": "jdq-61.json"}
        name = next((f"api-v1-{file}.gz" for part, file in parts.items() if part in path), None)
        if "data_name" in path:
            name = "api-v1-jdl-dn-iris-l-2-dv-1.json.gz"
        elif "download" in path:
            name = "data-v1-dl-61.arff.gz"
        elif name is None:
            name = "api-v1-jd-61.json.gz"
        content = gzip.decompress((FILES / name).read_bytes())
        for old, new in self.changes.get(name, []):
            assert old in content
            content = content.replace(old, new)
        response = addinfourl(io.BytesIO(content), Message(), request.full_url, 200)
        response.msg = "OK"
        return response


class NoNetwork(urllib.request.HTTPSHandler):
    def https_open(self, request):
        raise URLError("Name or service not known")


@contextmanager
def connected_to(network):
    """All requests of this process go to this network."""
    if not FILES.is_dir():
        pytest.skip("this scikit-learn comes without the files of its own tests")
    urllib.request.install_opener(urllib.request.build_opener(network))
    try:
        yield network
    finally:
        urllib.request.install_opener(None)
