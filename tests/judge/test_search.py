"""`fakenews runs list --filter F --order-by O` against the package mlflow's own search over the same runs: the same runs in
the same order, and what one refuses the other refuses."""

import contextlib
import json
import math
import random
import sqlite3
import subprocess

import pytest
from mlflow.entities import (Dataset, DatasetInput, InputTag, Metric, Param, Run, RunData, RunInfo, RunInputs, RunTag)
from mlflow.exceptions import MlflowException
from mlflow.utils.search_utils import SearchUtils

STATUSES = ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]
N_RUNS = 40


def make_runs():
    rng = random.Random(3)
    runs = []
    for i in range(N_RUNS):
        pick = lambda *values: rng.choice(values)  # noqa: E731
        metrics = {"loss": pick(0.25, 0.5, 1.0, math.nan, math.inf, -math.inf, None), "val/acc": pick(0.1, 0.9, 0.9000001, None),
                   "m x": pick(1e-300, -3.0, 7.0, None), "n": pick(1.0, 2.0, 3.0)}
        params = {"lr": pick("1e-3", "0.001", "Fast", None), "train.seed": pick("1", "10", "2", None), "a-b": pick("x%y", "x_y", "XaY", "é", None)}
        tags = {"team": pick("Desk", "desk", "news desk", None), "mlflow.user": pick("ann", "Bob"), "fakenews.data.name": pick("news", "fakes"),
                "fakenews.data.hash": pick("aa", "bb"), "fakenews.data.context": "training"}
        drop = lambda d: {k: v for k, v in d.items() if v is not None}  # noqa: E731
        runs.append(dict(id=f"{rng.getrandbits(128):032x}", name=pick("one", "two", "Two 2"), user=tags["mlflow.user"], status=rng.randrange(2, 5),
                         start=rng.randrange(8) * 1000, end=rng.randrange(5, 9) * 1000, metrics=drop(metrics), params=drop(params), tags=drop(tags)))
    return runs


def as_entity(run):
    info = RunInfo(run_id=run["id"], experiment_id="0", user_id=run["user"], status=STATUSES[run["status"]], start_time=run["start"],
                   end_time=run["end"], lifecycle_stage="active", artifact_uri=f"runs:/{run['id']}", run_name=run["name"])
    data = RunData(metrics=[Metric(k, v, 1, 1) for k, v in run["metrics"].items()], params=[Param(k, v) for k, v in run["params"].items()],
                   tags=[RunTag(k, v) for k, v in run["tags"].items()])
    dataset = Dataset(name=run["tags"]["fakenews.data.name"], digest=run["tags"]["fakenews.data.hash"], source_type="local", source="")
    inputs = RunInputs(dataset_inputs=[DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
    return Run(info, data, inputs)


def stored(value):
    """As the store has it: NaN is NULL, an infinity the largest number."""
    return None if math.isnan(value) else max(-1.7976931348623157e308, min(1.7976931348623157e308, value))


@pytest.fixture(scope="module")
def store(program, tmp_path_factory):
    """(folder of a store that holds the runs, the same runs as the package has them)"""
    folder = tmp_path_factory.mktemp("search")
    (folder / "runs").mkdir()
    open(folder / "runs/tracking.db", "w").close()
    made = subprocess.run([program, "runs", "list"], cwd=folder, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    runs = make_runs()
    with contextlib.closing(sqlite3.connect(folder / "runs/tracking.db")) as db:
        for i, r in enumerate(runs):
            db.execute("INSERT INTO runs (id, parent, experiment, name, author, folder, status, start_ms, end_ms, deleted, host, space, pid,"
                       " started, heard_ms) VALUES (?,'',0,?,?,'',?,?,?,0,'','',1,1,1)",
                       (r["id"], r["name"], r["user"], r["status"], r["start"], r["end"]))
            db.executemany("INSERT INTO metrics VALUES (?,?,?,1,1,0,0,1)", [(i + 1, k, stored(v)) for k, v in r["metrics"].items()])
            db.executemany("INSERT INTO params VALUES (?,?,?)", [(i + 1, k, v) for k, v in r["params"].items()])
            db.executemany("INSERT INTO tags VALUES (?,?,?)", [(i + 1, k, v) for k, v in r["tags"].items()])
        db.commit()
    return folder, [as_entity(r) for r in runs]


def theirs(runs, filter_, orders):
    try:
        found = SearchUtils.filter(runs, filter_) if filter_ else runs
        return [r.info.run_id for r in SearchUtils.sort(found, orders)]
    except MlflowException as refusal:
        return f"refused: {refusal.message}"


def ours(program, folder, filter_, orders):
    more = [word for order in orders for word in ("--order-by", order)]
    done = subprocess.run([program, "runs", "list", "--json", "--columns", "user", "--filter", filter_, *more], cwd=folder,
                          capture_output=True, text=True)
    if done.returncode == 2:
        return f"refused: {done.stderr}"
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["run_id"] for line in done.stdout.splitlines()]


def clauses(rng):
    number = lambda: rng.choice(["0.25", "0.5", "1", "-3", "1e3", "0.9", "2", "7.0"])  # noqa: E731
    compare = lambda: rng.choice(["=", "!=", ">", ">=", "<", "<="])  # noqa: E731
    text = lambda: rng.choice(["=", "!=", "LIKE", "ILIKE", "like"])  # noqa: E731
    value = lambda: rng.choice(["'1e-3'", "'desk'", "\"Desk\"", "'%desk'", "'%e%'", "'x_y'", "'X%'", "'1_'", "''", "'ann'", "'two%'", "'é'"])  # noqa: E731
    metric = lambda: rng.choice(["metrics.loss", "metric.n", "metrics.`val/acc`", "metrics.\"m x\"", "metrics.absent"])  # noqa: E731
    param = lambda: rng.choice(["params.lr", "param.train.seed", "parameters.`a-b`", "parameter.absent"])  # noqa: E731
    tag = lambda: rng.choice(["tags.team", "tag.`mlflow.user`", "tags.mlflow.user"])  # noqa: E731
    attribute = lambda: rng.choice(["run_name", "attributes.status", "attr.user_id", "run.run_name", "attribute.`Run name`", "status"])  # noqa: E731
    return rng.choice([
        lambda: f"{metric()} {compare()} {number()}",
        lambda: f"{param()} {text()} {value()}",
        lambda: f"{tag()} {text()} {value()}",
        lambda: f"{attribute()} {text()} {rng.choice(['FINISHED', 'one', 'Two%', '%W%', 'ann'])!r}",
        lambda: f"{rng.choice(['start_time', 'attributes.end_time', 'created'])} {compare()} {rng.choice(['3000', '7000', '0'])}",
        lambda: f"{rng.choice([param(), tag()])} {rng.choice(['IS NULL', 'IS NOT NULL', 'is null'])}",
        lambda: f"{rng.choice(['dataset.name', 'datasets.digest', 'dataset.context'])} {rng.choice(['=', '!=', 'LIKE'])} "
                f"{rng.choice(['news', 'aa', 'training', 'n%'])!r}",
    ])()


def orders_of(rng):
    fields = ["metrics.loss", "metrics.`val/acc`", "params.`train.seed`", "tags.team", "start_time", "attributes.run_name", "metrics.n", "end_time"]
    return [f"{f}{rng.choice(['', ' ASC', ' DESC'])}" for f in rng.sample(fields, rng.choice([0, 0, 1, 1, 2]))]


def test_random_filters_and_orders(program, store):
    folder, runs = store
    rng = random.Random(11)
    n_found = 0
    for _ in range(250):
        filter_ = rng.choice([" and ", " AND "]).join(clauses(rng) for _ in range(rng.choice([1, 1, 2, 3])))
        orders = orders_of(rng)
        expected, got = theirs(runs, filter_, orders), ours(program, folder, filter_, orders)
        assert got == expected, (filter_, orders)
        n_found += 0 < len(expected) < N_RUNS
    assert n_found > 60  # filters that tell runs apart


@pytest.mark.parametrize("filter_", [
    "metrics.loss > 0.1 OR metrics.n = 1", "metrics.loss", "metrics.loss LIKE 'x'", "metrics.loss > '1'", "params.lr > '1'", "params.lr = 1",
    "params.lr = x", "status = FINISHED", "nothing = 'x'", "speed.lr = 'x'", "run_name IN ('x')", "status IN ('x')", "params.lr IN ('x')",
    "dataset.size = 'x'", "start_time = '5'", "start_time LIKE '5'", "metrics.loss IS NULL", "status IS NULL",
    "run_id IN ()", "run_id IN 'x'", "metrics.loss ! 1", "params.lr == '1'", "NOT params.lr = '1'",
])
def test_both_refuse(program, store, filter_):
    folder, runs = store
    expected, got = theirs(runs, filter_, []), ours(program, folder, filter_, [])
    assert isinstance(expected, str) and isinstance(got, str), (expected, got)


@pytest.mark.parametrize("filter_", ["params.lr = 'a' params.lr = 'b'", "AND params.lr = '1'"])
def test_ours_is_stricter(program, store, filter_):
    """Where an AND is missing or too many, the package looks away."""
    folder, runs = store
    assert isinstance(theirs(runs, filter_, []), list) and isinstance(ours(program, folder, filter_, []), str)


def test_lists(program, store):
    folder, runs = store
    a, b = runs[3].info.run_id, runs[7].info.run_id
    for filter_ in (f"run_id IN ('{a}', '{b}')", f"attributes.run_id not in ('{a}')", f"run_id = '{b}'", f"run_id LIKE '{a[:5]}%'",
                    "dataset.name IN ('news')", "datasets.digest NOT IN ('aa', 'x')"):
        assert ours(program, folder, filter_, []) == theirs(runs, filter_, []), filter_


def test_same_field_twice_in_an_order(program, store):
    folder, runs = store
    assert isinstance(ours(program, folder, "", ["metrics.n", "metric.n DESC"]), str)
    with pytest.raises(MlflowException):  # the server's store says so, not this helper
        from mlflow.store.tracking.sqlalchemy_store import _get_orderby_clauses
        from sqlalchemy.orm import Session
        _get_orderby_clauses(["metrics.n", "metric.n DESC"], Session())
