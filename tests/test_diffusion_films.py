"""What a diffusion model shows of its process, and the page of its fit."""

from pathlib import Path

import numpy as np
import pytest

import ppgen
from ppgen.errors import InputError
from ppgen.plotting.films import film_strip, quality_curves
from ppgen.study.run_page import run_page

from .zoo import fitted, mixed, numbers

SMALL = {"width": 8, "depth": 1, "max_epochs": 2, "random_state": 0}


@pytest.fixture(scope="module")
def images():
    pictures = np.random.default_rng(0).integers(0, 256, (60, 4, 4)).astype(np.uint8)
    return ppgen.Diffusion(conditional=True, **SMALL).fit(pictures, np.arange(60) % 2), pictures


def values(frame):
    return np.column_stack(list(frame.columns.values()))


def test_rows_go_from_themselves_to_noise_of_their_scale():
    model, rows = fitted("diffusion"), numbers(100)
    film = model.forward_film(rows, shares=(0.0, 0.5, 1.0))
    assert film.shares == pytest.approx([0.001, 0.5, 1.0], abs=1e-4)
    first, half, last = (values(frame) for frame in film.noisy)
    spread = rows.std(0)
    assert (np.abs(first - rows) < 0.01 * spread).all()
    assert (np.abs(values(film.denoised[0]) - rows) < 0.01 * spread).all()
    # On the straight path half of the noise is half of the way, of whatever process.
    np.testing.assert_allclose(half, (rows + last) / 2, atol=0.01 * spread.max())
    assert abs(np.corrcoef(rows[:, 0], last[:, 0])[0, 1]) < 0.4
    # From noise alone all rows are expected to be about the same.
    assert values(film.denoised[2]).std(0).max() < 0.5 * spread.max()


def test_a_reverse_film_ends_in_the_samples_of_its_seed():
    model = fitted("diffusion")
    film = model.reverse_film(6, frames=4, random_state=3)
    assert film.evaluations.tolist() == [0, 8, 17, 25]
    np.testing.assert_array_equal(values(film.noisy[-1]), values(film.denoised[-1]))
    np.testing.assert_allclose(
        values(film.noisy[-1]), model.sample(6, random_state=3), rtol=1e-4, atol=1e-4
    )
    some = model.by_steps(6, steps=(5, 25), random_state=3)
    np.testing.assert_allclose(values(some[25]), values(film.noisy[-1]), rtol=1e-4, atol=1e-4)
    assert np.abs(values(some[5]) - values(some[25])).max() > 1e-3


def test_quality_is_told_by_evaluations_and_drawn():
    found = fitted("diffusion").sampling_quality(
        40, numbers(50), methods=("dpm2m", "ddim", "ancestral"), steps=(5, 20)
    )
    named = {(q.method, q.steps): q for q in found}
    assert named["dpm2m", 20].error < named["dpm2m", 5].error
    assert named["dpm2m", 20].error < named["ddim", 20].error
    assert np.isnan(named["ancestral", 20].error)
    assert all(np.isfinite(q.distance) for q in found)
    assert len(quality_curves(found).axes[0].get_lines()) == 2
    assert len(quality_curves(found, distance=True).axes[0].get_lines()) == 4  # and that of 0


def test_the_steps_that_do_are_found():
    model = fitted("diffusion")
    plan = model.find_steps(50)
    assert (plan.method, plan.steps <= 25) == ("dpm2m", True)
    assert model.find_steps(50, enough=1e-3).steps > plan.steps


def test_images_are_shown_as_strips(images):
    model, pictures = images
    film = model.forward_film(pictures[:3], y=[0, 1, 0])
    assert np.array_equal(film.noisy[0].images.reshape(3, 4, 4), pictures[:3])
    made = film_strip(film.noisy, [f"{share:.0%}" for share in film.shares])
    assert [t.get_text() for t in made.axes[0].get_xticklabels()][-1] == "100%"
    with pytest.raises(InputError, match="y"):
        model.forward_film(pictures[:3], y=[7, 1, 0])


def test_the_page_of_a_diffusion_of_images_shows_its_process(images, tmp_path: Path):
    model, _ = images
    text = run_page(model.save(tmp_path / "run")).read_text()
    for part in (
        "From rows to noise",
        "Denoising at each level",
        "From noise to rows",
        "Samples by the number of steps",
        "Quality by evaluations",
    ):
        assert part in text


@pytest.mark.slow
def test_the_page_of_a_diffusion_of_numbers_shows_its_process(tmp_path: Path):
    from ppgen.data import as_dataset

    text = run_page(fitted("diffusion").save(tmp_path / "run"), as_dataset(numbers())).read_text()
    assert "From rows to noise" in text
    assert "Energy distance" in text


def test_a_film_of_a_table_keeps_the_columns_that_it_is_told():
    rows = mixed(80)
    model = ppgen.Diffusion(condition_on="species", **SMALL).fit(rows)
    film = model.forward_film(rows, shares=(0.0, 1.0))
    for frame in (*film.noisy, *film.denoised):
        assert frame.columns["species"].tolist() == list(rows["species"])
    assert film.noisy[0].columns["length"] == pytest.approx(rows["length"], rel=0.02, abs=0.02)
    samples = model.by_steps(9, steps=(4, 8), random_state=1)
    assert samples[4].columns["species"].tolist() == samples[8].columns["species"].tolist()


def test_a_film_of_a_model_of_rows_alone_takes_no_y():
    with pytest.raises(InputError, match="y was given"):
        fitted("diffusion").reverse_film(2, y=[0, 1])
