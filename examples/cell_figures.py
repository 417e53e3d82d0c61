"""What the figures of the cell examples share: reading documents, colours for light and dark pages."""

import json
import re
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

# Colours as drawn, and what they become on a dark page.
PAPER, INK, GRID = "#fdfcfa", "#1d1f21", "#d9d5cc"
SERIES = ["#1f5c99", "#b3541e", "#3d7a4b", "#7a4b94", "#8a6d1d", "#a23b5c"]
DARK = {PAPER: "#16181b", INK: "#e4e2dd", GRID: "#3a3d42", **dict(zip(SERIES, ["#7db4e8", "#e8955f", "#86c794", "#c09ad8", "#d3b45c", "#e58aa8"]))}

plt.rcParams.update({
    "svg.fonttype": "none", "svg.hashsalt": "scalade", "font.size": 9.5, "figure.facecolor": PAPER, "axes.facecolor": PAPER, "savefig.facecolor": PAPER, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK,
    "xtick.color": INK, "ytick.color": INK, "axes.grid": True, "grid.color": GRID, "grid.linewidth": 0.6, "axes.spines.top": False, "axes.spines.right": False,
    "axes.prop_cycle": matplotlib.cycler(color=SERIES), "legend.frameon": False, "lines.linewidth": 1.6,
})


def document(path):
    """A document that `scalade ... --json` wrote."""
    return json.loads(Path(path).read_text())


def save(figure, path):
    """Writes the figure as SVG whose colours follow the page."""
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", Path(path).read_text(), flags=re.S)
    text = text.replace("'DejaVu Sans'", "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial")
    names = {colour: f"--c{i}" for i, colour in enumerate(DARK)}
    for colour, name in names.items():
        text = text.replace(colour, f"var({name})")
    light = "".join(f"{name}:{colour};" for colour, name in names.items())
    dark = "".join(f"{names[colour]}:{DARK[colour]};" for colour in DARK)
    style = f"<style>svg{{{light}}}text{{fill:var({names[INK]})}}@media (prefers-color-scheme:dark){{svg{{{dark}}}}}</style>"
    text = re.sub(r"(<svg[^>]*>)", lambda m: m.group(1) + style, text, count=1)
    Path(path).write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n")
