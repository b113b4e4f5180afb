"""The configuration in docs/tls.md is accepted where its certificates are."""

from pathlib import Path

from rproxy.config.loader import parse
from tests.support.certificates import Authority
from tests.support.markdown import ROOT, examples


def test_the_example_is_accepted(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    for name in ("server", "client"):
        authority.sign(name)
    (example,) = examples((ROOT / "docs/tls.md").read_text(), "yaml")
    config = parse(example, str(tmp_path / "rproxy.yaml"))
    assert config.clusters[0].tls is not None
    assert config.clusters[0].tls.ca_cert_file == authority.cert_file
