"""Fuzzing one target guided by coverage of the Python twins, with atheris (libFuzzer).

``python -m tests.fuzz.guided TARGET SECONDS SEED``. The twins show which inputs reach something new; each input runs
through both forms. What is new is kept in ``build/fuzz/corpus``.
"""

from __future__ import annotations

import inspect
import sys
from types import FunctionType, ModuleType

import atheris

from tests.fuzz.targets import CORPUS, FOUND, TARGETS, WORDS
from tests.support.forms import load_source

TWINS = (
    *("resp.wire", "resp.hash_slot", "resp.name_index", "transport.outbox", "upstream.in_flight"),
    *("downstream.reply_queue", "dispatch.fragments", "dispatch.split_reply"),
)
BESIDE = ("resp.lengths", "resp.inline", "resp.reply_scanner", "routing.assembler")
"""Modules of Python alone that the twins are made of."""


def watch(module: ModuleType) -> None:
    """Have coverage of every function of a module counted."""
    for member in [module, *(item for _, item in inspect.getmembers(module, inspect.isclass))]:
        for function in vars(member).values():
            if isinstance(function, FunctionType) and function.__module__ == module.__name__:
                atheris.instrument_func(function)


def main(target: str, seconds: int, seed: int) -> None:
    """Fuzz; ends the process, with a status that is not 0 after a finding."""
    for name in TWINS:
        watch(load_source(name))
    for name in BESIDE:
        watch(sys.modules[f"rproxy.{name}"])
    found = FOUND / target
    found.mkdir(parents=True, exist_ok=True)
    words = found.parent / "words"
    words.write_text("".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in WORDS))
    options = [f"-max_total_time={seconds}", f"-seed={seed}", "-max_len=1000", "-print_final_stats=0", "-verbosity=0"]
    folders = [str(found), *(str(folder) for folder in [CORPUS / target] if folder.is_dir())]
    atheris.Setup(
        [sys.argv[0], *options, f"-dict={words}", f"-artifact_prefix={FOUND.parent}/", *folders], TARGETS[target]
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
