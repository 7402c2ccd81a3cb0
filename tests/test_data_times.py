"""Dates, times and durations: read as numbers, given back as what they were."""

import datetime
import re

import dateutil.tz
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import ppgen
from ppgen.data import Codec, Dataset, Schema, as_dataset, read, time_parts, time_text, times
from ppgen.data.column import Column
from ppgen.data.grain import Grain
from ppgen.errors import InputError

RNG = np.random.default_rng(0)
N = 60
DAYS = pd.Timestamp("2024-03-01") + pd.to_timedelta(RNG.permutation(N), "D")
MOMENTS = pd.Timestamp("2024-03-30 10:00") + pd.to_timedelta(RNG.integers(0, 10**6, N), "s")


def came_back(data):
    """The rows encoded and decoded again, in their container."""
    codec = Codec.fit(data)
    return data.rebuild(codec.decode(codec.encode(data)))


@pytest.mark.parametrize(
    "stored",
    [
        DAYS,
        MOMENTS,
        MOMENTS.tz_localize("UTC").tz_convert("Europe/Berlin"),
        MOMENTS.astype("datetime64[s]"),
        MOMENTS.tz_localize("UTC").astype("datetime64[ms, UTC]"),
        pd.to_timedelta(RNG.integers(0, 10**5, N), "s"),
        [d.date() for d in DAYS],
        [d.strftime("%Y-%m-%d") for d in DAYS],
        [d.strftime("%d.%m.%Y %H:%M") for d in MOMENTS.floor("min")],
        [d.isoformat() + "Z" for d in MOMENTS],
        [d.isoformat() for d in MOMENTS.tz_localize("UTC").tz_convert("+05:30")],
    ],
    ids=lambda stored: str(getattr(stored, "dtype", stored[0])),
)
def test_a_column_of_times_in_pandas_comes_back_as_it_was(stored):
    frame = pd.DataFrame({"when": stored, "x": RNG.normal(size=N)})
    data = as_dataset(frame)
    assert data.schema["when"].kind in ("time", "duration")
    assert data.columns["when"].dtype == np.float64
    pd.testing.assert_frame_equal(came_back(data), frame, check_exact=False)
    again = Schema.from_json(data.schema.to_json())
    assert again == data.schema
    pd.testing.assert_frame_equal(as_dataset(frame, again).to_native(), frame)


@pytest.mark.parametrize(
    "dtype", [pl.Date, pl.Datetime("us"), pl.Datetime("ms", "Europe/Berlin"), pl.Duration("us")]
)
def test_polars_times_come_back_as_they_were(dtype):
    series = pl.Series("when", RNG.integers(10**4, 2 * 10**4, N), pl.Int64)
    if dtype != pl.Date:
        series = series * 10**9 // (1000 if dtype.time_unit == "ms" else 1)
    frame = pl.DataFrame({"when": series.cast(dtype), "x": RNG.normal(size=N)})
    made = came_back(as_dataset(frame))
    assert made.schema == frame.schema
    assert made["when"].equals(frame["when"])


def test_arrow_numpy_and_dict_times_come_back_as_they_were():
    table = pa.table({"when": pa.array(MOMENTS.tz_localize("UTC")), "x": RNG.normal(size=N)})
    assert came_back(as_dataset(table)).schema.field("when").type == table.schema.field("when").type
    columns = {"when": DAYS.to_numpy().astype("M8[D]"), "gone": np.full(N, "NaT", "m8[s]")}
    made = came_back(as_dataset(columns))
    np.testing.assert_array_equal(made["when"], columns["when"])
    assert made["when"].dtype == "M8[D]"
    assert made["gone"].dtype == "m8[s]"
    matrix = np.column_stack([MOMENTS, DAYS]).astype("M8[s]")
    np.testing.assert_array_equal(came_back(as_dataset(matrix)), matrix)


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (["2024-01-05", "2023-12-31"], "%Y-%m-%d"),
        (["2024-1-5", "2024-12-31"], "%Y-%-m-%-d"),
        (["2024/01/05"], "%Y/%m/%d"),
        (["05.03.2024 7:05", "17.12.2023 17:05"], "%d.%m.%Y %-H:%M"),
        (["05/03/2024", "17/12/2023"], "%d/%m/%Y"),
        (["05/03/2024", "07/17/2023"], "%m/%d/%Y"),
        (["2024-01-05T10:00:00.250", "2024-01-05T10:00:00.125"], "%Y-%m-%dT%H:%M:%S.%3f"),
        (["2024-01-05T10:00:00+01:00", "2024-02-05T10:00:00+01:00"], "%Y-%m-%dT%H:%M:%S+01:00"),
        (["2024-01-05T10:00:00Z"], "%Y-%m-%dT%H:%M:%SZ"),
        (["1 May 2024", "3 Jun 2024"], "%-d %b %Y"),
        (["March 03, 2024", "May 13, 2024"], "%B %d, %Y"),
        (["01/15/2024 09:30 PM", "01/05/2024 12:05 AM"], "%m/%d/%Y %I:%M %p"),
    ],
)
def test_the_form_of_dates_in_text_is_found_and_written(texts, form):
    assert time_text.form_of(texts) == form
    seconds = np.array([time_text.read(text, form) for text in texts])
    assert times.to_objects(seconds, "object", form) == texts


def test_seconds_are_those_since_1970_in_utc():
    assert time_text.read("1970-01-02", "%Y-%m-%d") == 86400
    assert time_text.read("1970-01-01T02:00:00+01:00", "%Y-%m-%dT%H:%M:%S+01:00") == 3600
    assert time_text.read("1970-01-01 02:00:00-0100", "%Y-%m-%d %H:%M:%S%z") == 3 * 3600
    berlin = pd.Series(pd.to_datetime(["1970-01-01 02:00"])).dt.tz_localize("Europe/Berlin")
    frame = pd.DataFrame({"when": berlin, "d": pd.to_timedelta(["1h"])})
    data = as_dataset(frame)
    assert data.columns["when"].tolist() == data.columns["d"].tolist() == [3600.0]


@pytest.mark.parametrize(
    "texts", [["01/02/2024", "03/04/2024"], ["2024-01-05", "unknown"], ["1.2"]]
)
def test_text_that_is_no_date_or_could_be_two_stays_text(texts):
    assert time_text.form_of(texts) == ""
    data = as_dataset({"when": texts * 3, "x": np.arange(3 * len(texts)) / 7})
    assert data.schema["when"].kind != "time"


def test_the_form_of_ambiguous_dates_can_be_given():
    frame = pd.DataFrame({"when": ["01/02/2024", "03/04/2024"] * 10, "x": RNG.normal(size=20)})
    assert "day and month" in as_dataset(frame).schema["when"].note
    with pytest.raises(InputError, match="could be of two"):
        as_dataset(frame, {"when": "time"})
    data = as_dataset(frame, {"when": {"kind": "time", "form": "%d/%m/%Y"}})
    assert times.in_words(data.columns["when"][0]) == "2024-02-01"
    assert came_back(data)["when"].tolist() == frame["when"].tolist()


def test_times_can_be_levels_or_left_out_instead():
    frame = pd.DataFrame({"when": DAYS[:3].repeat(20), "x": RNG.normal(size=60)})
    data = as_dataset(frame).override({"when": "categorical"})
    assert data.schema["when"].levels == tuple(sorted(str(day) for day in DAYS[:3]))
    assert as_dataset(frame, data.schema).columns["when"][0] in data.schema["when"].levels
    without = as_dataset(frame).override({"when": "left out"})
    assert without.schema.names == ("x",)
    assert without.override({"when": "time"}).schema["when"].kind == "time"


def test_what_else_stands_in_a_column_of_times_is_refused():
    data = as_dataset(
        pd.DataFrame({"when": [str(d.date()) for d in DAYS], "x": RNG.normal(size=N)})
    )
    with pytest.raises(InputError, match=re.escape("'soon' in row 1")):
        as_dataset({"when": ["2024-03-01", "soon"], "x": [0.0, 1.0]}, data.schema)
    with pytest.raises(InputError, match="holds times, and the fit has it as real"):
        as_dataset({"when": DAYS, "x": DAYS}, data.schema)
    with pytest.raises(InputError, match="both times and durations"):
        as_dataset({"when": [datetime.date(2024, 1, 1), datetime.timedelta(1)]})


@pytest.fixture(scope="module")
def fitted():
    x = RNG.normal(size=N)
    when = pd.Timestamp("2024-03-31", tz="Europe/Berlin") + pd.to_timedelta(x.round(2), "D")
    frame = pd.DataFrame({"when": when.floor("s"), "x": x}, index=np.arange(N)[::-1] * 3)
    return frame, ppgen.Gaussian(random_state=0).fit(frame)


def test_samples_hold_times_of_the_type_and_zone_within_those_seen(fitted):
    frame, model = fitted
    made = model.sample(200)
    assert (made.dtypes == frame.dtypes).all()
    assert made["when"].between(frame["when"].min(), frame["when"].max()).all()
    assert (made["when"].dt.microsecond == 0).all()


def test_gaps_in_times_are_filled_with_times(fitted):
    frame, model = fitted
    holed = frame.copy()
    holed.iloc[::5, 0] = pd.NaT
    full = model.impute(holed)
    assert full.index.equals(frame.index)
    assert (full.dtypes == frame.dtypes).all()
    kept = holed["when"].notna()
    assert full["when"][kept].equals(frame["when"][kept])
    assert (full["when"] - frame["when"]).abs().max() < pd.Timedelta("1h")


def test_a_time_given_as_text_is_of_the_zone_of_its_column(fitted):
    frame, model = fitted
    moment = frame["when"].iloc[0]
    for given in (moment, moment.tz_convert("UTC"), str(moment.tz_localize(None)), str(moment)):
        made = model.sample(3, given={"when": given})
        assert (made["when"] == moment).all()


def test_a_csv_of_dates_is_modelled_and_written_in_its_form(tmp_path):
    path = tmp_path / "t.csv"
    pd.DataFrame({"when": DAYS.strftime("%d.%m.%Y"), "x": RNG.normal(size=N)}).to_csv(
        path, index=False
    )
    model = ppgen.Gaussian(random_state=0).fit(read(str(path)))
    model.save(tmp_path / "run")
    made = ppgen.load(tmp_path / "run").sample(5)
    assert made["when"].str.fullmatch(r"\d\d\.\d\d\.2024").all()
    assert str(model.schema_["when"]) == ""


# Circular parts ----------------------------------------------------------------------------------


def office_hours(n=400):
    rng = np.random.default_rng(1)
    days = pd.bdate_range("2024-01-01", periods=60)[rng.integers(0, 60, n)]
    when = days + pd.to_timedelta(rng.normal(12, 1, n).clip(9, 15).round(1), "h")
    return pd.DataFrame({"when": when.tz_localize("America/New_York"), "x": rng.normal(size=n)})


def test_parts_are_those_of_the_zone():
    frame = office_hours()
    data = as_dataset(frame, {"when": {"kind": "time", "parts": ["hour", "weekday", "month"]}})
    assert data.schema.names == ("when", "x", "when.hour", "when.weekday", "when.month")
    local = frame["when"].dt
    hours = local.hour + local.minute / 60 + local.second / 3600
    np.testing.assert_allclose(data.columns["when.hour"], hours, atol=1e-6)
    np.testing.assert_array_equal(data.columns["when.weekday"], local.day_of_week)
    np.testing.assert_array_equal(data.columns["when.month"], local.month - 1)
    assert Schema.from_json(data.schema.to_json()) == data.schema
    pd.testing.assert_frame_equal(came_back(data), frame)
    assert as_dataset(frame).override({"when": "time"}).schema.names == ("when", "x")
    assert data.override({"when": "time"}).schema.names == ("when", "x")
    with pytest.raises(InputError, match=r"'hours'.*Did you mean 'hour'"):
        data.override({"when": {"kind": "time", "parts": ["hours"]}})
    with pytest.raises(InputError, match="holds no times"):
        data.override({"x": {"kind": "real", "parts": ["hour"]}})


def test_times_are_moved_to_the_parts_that_were_made():
    column = as_dataset(office_hours()).schema["when"]
    seconds = np.array([pd.Timestamp("2024-01-03 23:30", tz="America/New_York").timestamp()])
    made = time_parts.moved(seconds, {"hour": np.array([1.0]), "weekday": np.array([0.0])}, column)
    assert pd.Timestamp(made[0], unit="s", tz="America/New_York") == pd.Timestamp(
        "2024-01-01 01:00", tz="America/New_York"
    )  # a Monday


def test_samples_have_the_hours_and_days_of_the_rows(tmp_path):
    frame = office_hours()
    data = as_dataset(frame, {"when": {"kind": "time", "parts": ["hour", "weekday"]}})
    model = ppgen.IndependentColumns(random_state=0).fit(data)
    made = model.sample(300)
    assert list(made) == ["when", "x"]
    assert made["when"].dtype == frame["when"].dtype
    assert made["when"].dt.hour.between(8, 16).mean() > 0.95
    assert (made["when"].dt.day_of_week < 5).mean() > 0.9
    holed = frame.copy()
    holed.loc[::3, "when"] = pd.NaT
    full = model.impute(holed)
    assert list(full) == ["when", "x"]
    assert full["when"].dt.hour.between(8, 16).all()
    assert np.isfinite(model.score_samples(frame)).all()
    model.save(tmp_path / "run")
    pd.testing.assert_frame_equal(ppgen.load(tmp_path / "run").sample(300), made)


def test_parts_without_the_times_are_numbers():
    kinds = {"when": {"kind": "left out", "parts": "hour"}}
    model = ppgen.Gaussian(random_state=0).fit(as_dataset(office_hours(), kinds))
    made = model.sample(50)
    assert list(made) == ["x", "when.hour"]
    assert made["when.hour"].between(0, 24).all()
    assert np.isfinite(model.score_samples(made)).all()
    assert np.isfinite(model.score_samples(office_hours(9))).all()


@pytest.mark.parametrize("dtype", ["datetime64[us]", "datetime64[us, Europe/Berlin]"])
def test_moved_times_have_both_the_weekday_and_the_hour_that_are_asked_for(dtype):
    rng = np.random.default_rng(5)
    seconds = rng.uniform(1.7e9, 1.76e9, 4000)
    asked = {
        "weekday": rng.integers(0, 7, 4000).astype(float),
        "hour": rng.integers(0, 48, 4000) / 2.0,
    }
    column = Column("when", "time", dtype=dtype)
    made = time_parts.moved(seconds, asked, column)
    weekdays, hours = (time_parts.part_of(part, made, column) for part in ("weekday", "hour"))
    np.testing.assert_array_equal(weekdays, asked["weekday"])
    in_gap = asked["hour"] // 1 == 2.0  # an hour that spring may leave out
    np.testing.assert_allclose(hours[~in_gap], asked["hour"][~in_gap], atol=1e-6)
    assert np.abs(made - seconds).max() <= 5 * 86400


def test_a_part_of_a_time_that_is_given_is_refused_with_the_reason():
    data = as_dataset(office_hours(), {"when": {"kind": "time", "parts": ["hour"]}})
    with pytest.raises(InputError, match=r"a part of 'when'.*cannot be given by itself"):
        Dataset.one_row(data.schema, {"when.hour": 3})


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        (datetime.timezone(datetime.timedelta(hours=-5, minutes=-30), "here"), "UTC-05:30"),
        (datetime.timezone(datetime.timedelta(hours=1)), "UTC+01:00"),
        (dateutil.tz.gettz("Europe/Berlin"), "Europe/Berlin"),
        (dateutil.tz.tzoffset("there", 3600), "UTC"),
    ],
)
def test_a_zone_that_is_read_can_be_named_again(zone, name):
    moments = [datetime.datetime(2024, 3, 1 + i, 12, i, tzinfo=zone) for i in range(20)]
    data = as_dataset({"when": np.array(moments, object), "x": RNG.normal(size=20)})
    assert data.schema["when"].form == f"datetime[{name}]"
    made = came_back(data)["when"].tolist()
    assert [v.timestamp() for v in made] == [v.timestamp() for v in moments]


def test_seasons_are_no_months():
    assert time_text.form_of(["2000-01", "2001-02", "1999-00"]) == ""
    assert time_text.form_of(["2001-02", "2001-03"]) == "%Y-%m"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (pd.period_range("2024-01", periods=5, freq="M"), "to_timestamp"),
        ([datetime.time(i) for i in range(5)], "seconds since midnight"),
    ],
)
def test_periods_and_times_of_day_are_refused_with_what_to_convert_them_to(values, said):
    with pytest.raises(InputError, match=said):
        as_dataset(pd.DataFrame({"when": values, "x": np.arange(5.0)}))


def test_days_at_a_zones_midnight_are_so_again():
    days = pd.date_range("2024-03-01", periods=300, freq="D", tz="Europe/Berlin")
    data = as_dataset(pd.DataFrame({"day": days, "x": RNG.normal(size=300)}))
    grain = Grain.of(data.schema["day"], data.columns["day"])
    off = data.columns["day"] + RNG.uniform(-30000, 30000, 300)
    np.testing.assert_array_equal(grain.round(off), data.columns["day"])
    assert Grain.from_json(grain.to_json()) == grain


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/St_Johns", "Australia/Adelaide"])
def test_hours_of_a_zone_that_is_not_whole_hours_from_utc_are_so_again(zone):
    hours = pd.date_range("2024-03-01", periods=3000, freq="h", tz=zone)
    data = as_dataset(pd.DataFrame({"when": hours, "x": RNG.normal(size=3000)}))
    seconds = data.columns["when"]
    grain = Grain.of(data.schema["when"], seconds)
    assert (grain.step, grain.zone) == (3600, zone)
    np.testing.assert_array_equal(grain.round(seconds + RNG.uniform(-1700, 1700, 3000)), seconds)
    assert data.schema["when"].shown(seconds[0]) == "2024-03-01"
    assert f"in {zone}" in str(data.schema["when"])


def test_hours_written_with_their_distance_from_utc_are_hours_there():
    texts = [f"2024-03-{1 + i // 24:02d}T{i % 24:02d}:00+05:30" for i in range(200)]
    data = as_dataset(pd.DataFrame({"when": texts, "x": RNG.normal(size=200)}))
    column, seconds = data.schema["when"], data.columns["when"]
    assert "in UTC+05:30" in str(column)
    assert column.shown(seconds[1]) == "2024-03-01 01:00:00"
    assert Grain.of(column, seconds).step == 3600
    assert came_back(data)["when"].tolist() == texts


def test_times_of_several_zones_are_said_to_be_brought_to_utc():
    texts = ["2024-01-01T00:00:00+01:00", "2024-07-01T00:00:00+02:00"] * 20
    zones = [datetime.timezone(datetime.timedelta(hours=h)) for h in (1, 2)]
    moments = [datetime.datetime(2024, 1, 1, i, tzinfo=zones[i % 2]) for i in range(20)]
    for values in (np.array(texts, object), np.array(moments, object)):
        data = as_dataset({"when": values, "x": RNG.normal(size=len(values))})
        (note,) = data.notes
        assert "'when' are of several zones" in note
        assert "in UTC" in str(data.schema["when"])
    alike = as_dataset({"when": np.array(texts[::2], object), "x": RNG.normal(size=20)})  # constant
    assert not alike.notes


def test_notes_on_times_speak_of_dates():
    days = pd.Timestamp("2000-01-01") + pd.to_timedelta(
        [0] * 50 + [1, 11, 2003, 7001, 9002, 12007, 15001, 17003, 19999], "D"
    )
    note = as_dataset(pd.DataFrame({"day": days, "x": np.arange(59.0)})).schema["day"].note
    assert "most often 2000-01-01" in note
    assert "e+" not in note
