import os
import time

from rproxy import __version__
from rproxy.metrics.process import process_samples
from rproxy.metrics.samples import merge


def test_the_samples_describe_this_process() -> None:
    values = {name: value for name, _, value in merge([process_samples()])}
    assert 5e6 < values["rproxy_resident_memory_bytes"] < 1e10
    assert values["rproxy_cpu_seconds_total"] >= time.process_time() * 0.5
    assert time.time() - 3600 < values["rproxy_start_time_seconds"] <= time.time()
    assert 3 <= values["rproxy_open_descriptors"] <= values["rproxy_descriptor_limit"]


def test_open_descriptors_are_counted() -> None:
    def count() -> object:
        return next(value for name, _, value in process_samples() if name == "rproxy_open_descriptors")

    before = count()
    reader, writer = os.pipe()
    try:
        assert count() == before + 2
    finally:
        os.close(reader)
        os.close(writer)


def test_build_info_tells_the_version() -> None:
    [labels] = [labels for name, labels, _ in process_samples() if name == "rproxy_build_info"]
    assert labels[0] == __version__
    assert labels[1] in {"compiled", "pure"}
