"""The examples and the picture, at a small size."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SIZES: dict[str, dict[str, Any]] = {
    "examples/01_mixture.py": {"n": 150},
    "examples/02_three_engines.py": {"n": 60, "num_samples": 120},
    "examples/03_flow.py": {"n": 400, "budget": "6s"},
    "examples/04_study.py": {"seeds": 1, "budget": "5s"},
    "examples/05_schema.py": {"n": 200},
    "examples/06_denoising.py": {"n": 600, "budget": "3s"},
    "examples/07_digits_two_and_five.py": {"n": 400, "budget": "3s"},
    "examples/08_beta_traversals.py": {"n": 400, "budget": "3s"},
    "examples/09_faces_debiased.py": {"n": 300, "seeds": 2, "epochs": 3},
    "examples/10_few_labels.py": {"labels": 100, "budget": "3s"},
    "examples/11_asia.py": {},
    "examples/12_alarm_learnt.py": {"n": 2000},
    "examples/13_sachs_interventions.py": {"n": 600},
    "examples/14_penguins_gaps.py": {"n": 200},
    "examples/15_explaining_away.py": {},
    "examples/16_grid.py": {"budget": "5s", "n": 500},
    "examples/17_digits_by_label.py": {"budget": "8s", "each": 5, "hidden": (16,)},
    "examples/18_faces_grown.py": {"budget": "6s", "n": 120, "channels": (8, 8, 8)},
    "examples/19_mnist_usps.py": {"n": 200, "budget": "3s"},
    "examples/20_edges_to_faces.py": {"n": 100, "size": 32, "budget": "3s"},
    "examples/21_speaker_to_speaker.py": {"n": 60, "budget": "3s"},
    "examples/23_shapes_of_noise.py": {"n": 500, "budget": "5s", "width": 16, "depth": 1},
    "examples/24_digits_diffused.py": {"budget": "8s", "each": 5, "width": 32},
    "examples/25_a_thin_seven.py": {"budget": "8s", "each": 5, "width": 32},
    "examples/26_half_a_digit.py": {"budget": "8s", "n": 4, "draws": 2, "width": 32},
    "examples/27_gaps_by_diffusion.py": {"budget": "5s", "n": 40, "draws": 5, "width": 16},
    "examples/28_tomography.py": {"n": 300, "budget": "3s", "shown": 2},
    "examples/29_which_inputs_matter.py": {"n": 60, "num_samples": 60},
    "examples/30_eight_schools.py": {"num_samples": 60},
    "examples/31_slopes_by_species.py": {"n": 60, "num_samples": 60},
    "examples/32_gaussian_process.py": {"n": 30, "num_samples": 60},
    "examples/33_old_faithful.py": {"n": 40, "num_samples": 60},
    "examples/34_how_many_components.py": {"n": 60, "num_steps": 300},
    "examples/35_a_network_that_doubts.py": {"n": 60, "num_samples": 60, "width": 3},
    "examples/36_learnt_prior.py": {"n": 200, "read": 5, "num_samples": 60},
}


def main_of(path: str) -> Any:
    found = importlib.util.spec_from_file_location("example", ROOT / path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module.main


def test_every_example_is_run() -> None:
    assert {f"examples/{file.name}" for file in (ROOT / "examples").glob("*.py")} == set(SIZES)


@pytest.mark.slow
# So few draws of so few rows: ArviZ says how far LOO can be trusted.
@pytest.mark.filterwarnings(
    "ignore:Estimated shape parameter of Pareto",
    "ignore:The inplace keyword",  # ArviZ on pandas 3.1
)
@pytest.mark.filterwarnings("ignore:of .* effective particles")  # of fits of seconds
@pytest.mark.parametrize("path", SIZES)
def test_examples_run(path: str, tmp_path: Path) -> None:
    assert main_of(path)(str(tmp_path / "out"), **SIZES[path]) is not None
    assert any((tmp_path / "out").iterdir())


@pytest.mark.slow
def test_the_picture_is_made(tmp_path: Path) -> None:
    main_of("docs/images/make.py")(str(tmp_path / "samples.png"), budget="3s")
    assert (tmp_path / "samples.png").stat().st_size > 10_000
