"""Curves as SVG files in docs/performance: small, and the same bytes for the same figures."""

import os

from harness.stage import ROOT

FOLDER = os.path.join(ROOT, "docs", "performance")


def pyplot():
    """matplotlib, or the end of the program with what to install."""
    try:
        import matplotlib
    except ImportError:
        raise SystemExit("bench/run: --plot needs matplotlib: apt-get install python3-matplotlib") from None
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "weir", "svg.fonttype": "none", "font.size": 9,
                                "axes.grid": True, "grid.alpha": 0.3, "axes.spines.top": False,
                                "axes.spines.right": False})
    from matplotlib import pyplot as result
    return result


def lines(name, title, x_label, y_label, curves, log=False):
    """Draws curves (name → [(x, y)]) into docs/performance/NAME.svg."""
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    for label, points in curves.items():
        axes.plot([x for x, _ in points], [y for _, y in points], label=label, linewidth=1.4,
                  marker="o" if len(points) < 15 else None, markersize=3)
    if log:
        axes.set_xscale("log")
        axes.set_yscale("log")
    else:
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
    axes.set_title(title)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.legend(frameon=False)
    path = os.path.join(FOLDER, name + ".svg")
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(figure)
    print(f"drew {os.path.relpath(path, ROOT)}")


def bars(name, title, x_label, values):
    """Draws values (label → number) into docs/performance/NAME.svg."""
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(6.4, 0.6 + 0.42 * len(values)), layout="constrained")
    drawn = axes.barh(list(values), list(values.values()), height=0.6)
    axes.bar_label(drawn, fmt="%.2f", padding=3)
    axes.invert_yaxis()
    axes.set_title(title)
    axes.set_xlabel(x_label)
    path = os.path.join(FOLDER, name + ".svg")
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(figure)
    print(f"drew {os.path.relpath(path, ROOT)}")
