"""What the system knows of this process: the samples that need no counter."""

from __future__ import annotations

import os
import resource
import time

from rproxy import __version__
from rproxy.form import running_form
from rproxy.metrics.samples import Sample

_STARTED = time.time()
"""When this module was imported, near enough to the start of the process."""


def process_samples() -> list[Sample]:
    """Memory, processor time, descriptors and start of this process, and which rproxy it runs."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft_limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return [
        ("rproxy_build_info", (__version__, running_form()), 1),
        ("rproxy_start_time_seconds", (), _STARTED),
        ("rproxy_resident_memory_bytes", (), _resident_bytes(usage)),
        ("rproxy_cpu_seconds_total", (), usage.ru_utime + usage.ru_stime),
        ("rproxy_open_descriptors", (), _open_descriptors()),
        ("rproxy_descriptor_limit", (), soft_limit),
    ]


def _resident_bytes(usage: resource.struct_rusage) -> int:
    """Resident memory; where the system does not tell (no ``/proc``), the most it has been."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    except OSError:
        return usage.ru_maxrss


def _open_descriptors() -> int:
    return len(os.listdir("/dev/fd"))
