"""Draw the picture of the README: accuracy along straight lines and along learned curves.

    python book/readme_picture.py        writes book/_static/learned_curves.png

It shows the best recorded study of chapter 13, else that of profile quick, which `make book` has
computed. The ink is a grey that can be read on light and on dark pages.
"""

from pathlib import Path

from matplotlib.figure import Figure

from modeconn_lib.experiments import pages
from modeconn_lib.experiments.neuron_alignment import learned_curves
from modeconn_lib.experiments.parameters import setting
from modeconn_lib.figures.along_path import draw, methods
from modeconn_lib.figures.style import SHAPES, look, method
from modeconn_lib.results.store import open_store
from modeconn_lib.results.study import Study

TARGET = Path(__file__).parent / "_static" / "learned_curves.png"


def picture(study: Study) -> Figure:
    """Draw both shapes side by side; what was computed stands below them."""
    with look():
        figure = Figure(figsize=(7.2, 3.1), layout="constrained")
        for axes, shape in zip(figure.subplots(1, 2), SHAPES, strict=True):
            draw(axes, study, "test_accuracy", (shape,))
            axes.set_title(SHAPES[shape])
        means, _ = axes.get_legend_handles_labels()  # the learned curves come last
        names = [method(name).words for name in methods(study, "curve")]
        figure.legend(means, names, loc="outside upper right", ncols=len(names), frameon=False)
        figure.supxlabel(pages.where(study), size="small")
    return figure


def main(target: Path = TARGET) -> None:
    """Write the picture."""
    wanted, store = setting(profile="quick"), open_store()
    found = learned_curves.recorded(wanted, store) or learned_curves.run(wanted, store)
    study = next(iter(found.values()))
    with look():
        picture(study).savefig(target, dpi=200, transparent=True)


if __name__ == "__main__":
    main()
