"""The charts of a run. The one module that needs matplotlib; it is imported where a chart is to be drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt  # type: ignore[import-not-found,unused-ignore]
from matplotlib.axes import Axes  # type: ignore[import-not-found,unused-ignore]
from matplotlib.figure import Figure  # type: ignore[import-not-found,unused-ignore]
from matplotlib.lines import Line2D  # type: ignore[import-not-found,unused-ignore]
from matplotlib.patches import Patch  # type: ignore[import-not-found,unused-ignore]

from benchmarks.peers import REFERENCE
from benchmarks.results import CaseResult, Results
from benchmarks.tables import CASE_OF, TITLES, peers_of

RATIO_CHART = "performance-ratio.png"
PROCESSOR_CHART = "performance-processor.png"

_COLOURS = {
    "rproxy": "#c0392b",
    "rproxy-pure": "#d98880",
    "envoy": "#7f8c8d",
    "twemproxy": "#5b8db8",
    "predixy": "#8aa35f",
}
_OTHER_COLOUR = "#9b7fb0"
_GOAL: dict[str, Any] = {"color": "black", "linewidth": 2}
_PROCESSOR_CASES = ("get-p1", "get-p16", "get-p64")


def draw(results: Results, folder: Path) -> list[Path]:
    """Write the charts that the results have figures for, and name them."""
    plt.switch_backend("agg")
    charts = ((RATIO_CHART, _ratio_chart), (PROCESSOR_CHART, _processor_chart))
    return [folder / name for name, chart in charts if chart(results, folder / name)]


def _ratio_chart(results: Results, path: Path) -> bool:
    """Bars of processor time per command to the reference's, the range of the rounds, and the goals as ticks."""
    peers = [peer for peer in peers_of(results) if peer != REFERENCE]
    cases = [result for result in results.cases if any(result.ratio(peer, REFERENCE) for peer in peers)]
    if not cases:
        return False
    figure, axes = plt.subplots(figsize=(9.5, 1.4 + 0.62 * len(cases)), layout="constrained")
    for row, result in enumerate(cases):
        _ratio_bars(axes, row, result, [peer for peer in peers if result.ratio(peer, REFERENCE)])
    axes.axvline(1, color="#444", linewidth=1)
    axes.set_yticks(range(len(cases)), [_case_title(result) for result in cases])
    axes.invert_yaxis()
    axes.margins(x=0.08)
    axes.set_xlabel(f"processor time per command ÷ {TITLES[REFERENCE]}: less is better")
    legend = [
        *(Patch(color=_colour(peer), label=TITLES[peer]) for peer in peers),
        Line2D([], [], **_GOAL, label="goal"),
    ]
    axes.legend(handles=legend, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(legend), frameon=False)
    return _finish(figure, path)


def _ratio_bars(axes: Axes, row: int, result: CaseResult, peers: list[str]) -> None:
    """The bars of one case, side by side around ``row``."""
    thickness = 0.8 / len(peers)
    goals = CASE_OF[result.name].goals if result.name in CASE_OF else {}
    for number, peer in enumerate(peers):
        ratio = result.ratio(peer, REFERENCE)
        if ratio is None:
            continue
        middle = row + (number - (len(peers) - 1) / 2) * thickness
        errors = [[ratio.median - ratio.least], [ratio.greatest - ratio.median]]
        axes.barh(middle, ratio.median, thickness, xerr=errors, color=_colour(peer), ecolor="#333")
        axes.text(0.02, middle, f"{ratio.median:.2f}", va="center", fontsize=8, color="white", weight="bold")
        if peer in goals:
            axes.plot([goals[peer]] * 2, [middle - thickness / 2, middle + thickness / 2], **_GOAL)


def _processor_chart(results: Results, path: Path) -> bool:
    """One panel for each depth of pipeline: user and kernel time per command, stacked."""
    cases = [result for result in results.cases if result.name in _PROCESSOR_CASES and result.samples]
    if not cases:
        return False
    figure, panels = plt.subplots(1, len(cases), figsize=(3.4 * len(cases), 3.6), layout="constrained", squeeze=False)
    for axes, result in zip(panels[0], cases, strict=True):
        _processor_bars(axes, result)
    panels[0][0].set_ylabel("µs of processor time per command")
    return _finish(figure, path)


def _processor_bars(axes: Axes, result: CaseResult) -> None:
    for place, peer in enumerate(result.samples):
        user = result.spread(peer, lambda sample: sample.user_us)
        both = result.spread(peer, lambda sample: sample.processor_us)
        if user and both:
            colour = _colour(peer)
            axes.bar(place, both.median, color=colour, alpha=0.45, hatch="//", edgecolor="w")
            axes.bar(place, user.median, color=colour)
            axes.text(place, both.median, f"{both.median:.2f}", ha="center", va="bottom")
    axes.set_title(f"{_case_title(result)}\nsolid: user, hatched: kernel", fontsize=9)
    names = [TITLES[peer].replace(", ", ",\n") for peer in result.samples]
    axes.set_xticks(range(len(names)), names, fontsize=8)
    axes.margins(y=0.12)


def _case_title(result: CaseResult) -> str:
    return CASE_OF[result.name].title if result.name in CASE_OF else result.name


def _colour(peer: str) -> str:
    return _COLOURS.get(peer, _OTHER_COLOUR)


def _finish(figure: Figure, path: Path) -> bool:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return True
