"""A figure to point at: accuracy along every path of a study.

Study  ->  explore  ->  plotly figure

For readers with a pointer; the same numbers stand still in `along_path`.
"""

import plotly.graph_objects as go

from modeconn_lib.figures.along_path import methods, paths
from modeconn_lib.figures.style import SHAPES, method
from modeconn_lib.results.study import Study

_CLEAR = "rgba(0,0,0,0)"
_GRID = "rgba(128,128,128,0.25)"
_HOVER = "%{y:.1f} %, loss %{customdata:.3f}<extra>%{fullData.name}, pair %{meta}</extra>"


def explore(study: Study) -> go.Figure:
    """Return test accuracy along t for every pair; the legend shows and hides a kind of path.

    Straight lines begin hidden: beside them the learned curves would all look flat.
    """
    figure = go.Figure()
    for shape, dash in (("curve", "solid"), ("line", "dash")):
        for name in methods(study, shape):
            for pair, record in enumerate(paths(study, name, shape), 1):
                words = f"{SHAPES[shape]}, {method(name).words}"
                figure.add_scatter(
                    x=record.series["t"],
                    y=[100 * value for value in record.series["test_accuracy"]],
                    customdata=record.series["test_loss"],
                    line={"color": method(name).colour, "dash": dash, "width": 2},
                    mode="lines+markers",
                    marker={"size": 5},
                    meta=pair,
                    name=words,
                    legendgroup=words,
                    showlegend=pair == 1,
                    visible=True if shape == "curve" else "legendonly",
                    hovertemplate=_HOVER,
                )
    return figure.update_layout(**_layout())


def _layout() -> dict[str, object]:
    """Return the look: nothing behind, grey lines, words that any page can bear."""
    axis = {"gridcolor": _GRID, "zeroline": False, "linecolor": _GRID}
    return {
        "template": "none",
        "paper_bgcolor": _CLEAR,
        "plot_bgcolor": _CLEAR,
        "height": 460,
        "margin": {"l": 58, "r": 12, "t": 12, "b": 110},
        "xaxis": {**axis, "title": "t", "range": [-0.02, 1.02]},
        "yaxis": {**axis, "title": "test accuracy, %"},
        "legend": {"orientation": "h", "y": -0.2, "groupclick": "togglegroup"},
        "hoverlabel": {"bgcolor": "#30353b", "font": {"color": "#f4f4f2"}},
        "dragmode": False,
    }
