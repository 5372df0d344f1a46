"""The wandb package reads what the sink wandb writes: its own reader (wandb-core, by `wandb sync`) says what it found to a
server of ours, and its protobuf messages parse every record."""

import base64
import hashlib
import json
import math
import os
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests/cli"))
from train_support import TINY, bare_environment, prepare, write_corpus  # noqa: E402
from wandb_server import WandbServer  # noqa: E402

TOOLS = Path(os.environ.get("FN_TOOLS", REPO / "build/dev/tests/tools"))
BLOCK = 32768


def frames(data):
    """Payloads of a file's records, as wandb's reader takes them apart: any mistake in the framing is an error here."""
    assert struct.unpack("<4sHB", data[:7]) == (b":W&B", 0xBEE1, 0)
    at, part = 7, None
    while at < len(data):
        left = BLOCK - at % BLOCK
        if left < 7:
            assert data[at:at + left] == bytes(left), at
            at += left
            continue
        if at + 7 > len(data):
            return
        crc, length, kind = struct.unpack("<IHB", data[at:at + 7])
        payload = data[at + 7:at + 7 + length]
        if len(payload) < length:
            return
        assert length + 7 <= left and zlib.crc32(bytes([kind]) + payload) == crc, at
        assert (part is None) == (kind in (1, 2)), at
        part = (part or b"") + payload
        if kind in (1, 4):
            yield part
            part = None
        at += 7 + length


def records(path):
    from wandb.proto import wandb_internal_pb2

    for payload in frames(Path(path).read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(payload)
        yield record


def sync(folders, *options):
    server = WandbServer()
    env = {**os.environ, "WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": server.url, "WANDB_ERROR_REPORTING": "false",
           "HOME": str(Path(folders[0]).parents[1])}
    done = subprocess.run([Path(sys.executable).parent / "wandb", "sync", "--yes", "-v", *options, *folders],
                          capture_output=True, text=True, env=env, timeout=300, cwd=Path(folders[0]).parent)
    server.close()
    assert done.returncode == 0, done.stdout + done.stderr
    return server, done.stdout + done.stderr


# From wandb's tests of its store: full, overflow, pad, empty, split, split-overflow, fill, and what lies around them.
FIRST = BLOCK - 7 - 7
LENGTHS = [
    [FIRST], [FIRST - 7], [FIRST - 7, 1], [FIRST - 7, 0], [FIRST + 1], [FIRST - 1, 5], [FIRST - 2, 5], [FIRST - 6, 5],
    [FIRST - 8, 5], [0], [0, 0, 0], [1], [FIRST, BLOCK - 7, BLOCK - 7], [FIRST + BLOCK - 7], [FIRST + BLOCK - 7 + 1],
    [FIRST - 7 + 2 * (BLOCK - 7)], [100000, 3, 100000, 0, 7], [FIRST - 7, BLOCK, FIRST], [10 << 20],
] + [[FIRST - k, 40000, k] for k in range(0, 20)]


def test_framing(tmp_path):
    for i, lengths in enumerate(LENGTHS):
        path = tmp_path / f"{i}.wandb"
        subprocess.run([TOOLS / "sink_probe", "frames", path, *map(str, lengths)], check=True)
        data = path.read_bytes()
        assert [len(p) for p in frames(data)] == lengths and all(set(p) <= {ord("x")} for p in frames(data)), lengths
        blocks = -(-len(data) // BLOCK)
        assert len(data) <= 7 + sum(lengths) + 7 * (len(lengths) + blocks) + 6 * blocks


@pytest.fixture(scope="module")
def run(program, tmp_path_factory):
    """A training with all that it can be told of."""
    folder = tmp_path_factory.mktemp("wandb")
    data = prepare(program, folder, write_corpus(folder / "rows.csv"))
    env = bare_environment(folder, WANDB_PROJECT="news", WANDB_ENTITY="desk", WANDB_RUN_GROUP="group one", WANDB_TAGS="bert, small",
                           WANDB_NOTES="a note", WANDB_JOB_TYPE="fine-tune")
    done = subprocess.run([program, "train", "--data", data, "--init", "scratch", *TINY, "track.sinks=[local,wandb]",
                           "track.system_interval_s=1", "name=tiny", "train.weight_decay=1e-05", "track.wandb_dir=w", "track.tags={team: desk}"],
                          capture_output=True, text=True, cwd=folder, env=env)
    assert done.returncode == 0, done.stderr
    subprocess.run([program, "runs", "export", "latest", "--out", "ex"], check=True, capture_output=True, cwd=folder, env=env)
    return folder


def exported(folder):
    ours = json.loads((folder / "ex" / "run.json").read_text())
    points = [json.loads(line) for line in (folder / "ex" / "metrics.jsonl").read_text().splitlines()]
    return ours.get("run", ours), points


def nested(params):
    out = {}
    for key, text in params.items():
        at = out
        *path, last = key.split(".")
        for part in path:
            at = at.setdefault(part, {})
        try:
            value = json.loads(text)
            at[last] = text if isinstance(value, (str, dict)) else value
        except ValueError:
            at[last] = text
    return out


def test_wandb_reads_back_everything(run, tmp_path):
    folder = next((run / "w" / "wandb").glob("offline-run-*"))
    folder = Path(shutil.copytree(folder, tmp_path / "w" / folder.name, symlinks=True))  # wandb writes into it
    server, said = sync([folder])
    ours, points = exported(run)
    assert next(folder.glob("*.synced")) and not [o for o in server.unknown if o[0] != "UseArtifact"], server.unknown

    (name, theirs), = server.runs.items()
    assert folder.name.endswith(name) and len(name) == 8
    wanted = {"project": "news", "displayName": ours["name"], "groupName": "group one", "jobType": "fine-tune",
              "notes": "a note", "tags": ["bert", "small"]}
    assert {k: theirs[k] for k in wanted} == wanted
    config = {k: v["value"] for k, v in json.loads(theirs["config"]).items() if k != "_wandb"}
    tags = config.pop("run_tags")
    assert config == nested(ours["params"])
    assert tags["team"] == "desk" and all(ours["tags"][k] == v for k, v in tags.items())

    rows, latest = {}, {}
    for p in sorted((p for p in points if not p["key"].startswith("system/")), key=lambda p: (p["time_ms"], p["step"])):
        step = max(p["step"], max(rows, default=0))  # W&B's steps only grow
        rows.setdefault(step, {})[p["key"]] = p["value"]
        latest[p["key"]] = p["value"]
    assert [r["_step"] for r in server.history] == sorted(rows)
    start = ours["start_ms"]
    for row in server.history:
        assert {k: v for k, v in row.items() if not k.startswith("_")} == rows[row["_step"]]
        assert row["_timestamp"] * 1000 == pytest.approx(row["_runtime"] * 1000 + start, abs=2)
    summary = {k: v for k, v in server.summary.items() if not k.startswith("_")}
    assert summary == latest and server.summary["_step"] == max(rows)
    assert server.exit_codes[-1] == 0
    assert any("system.memory_percent" in e for e in server.events)
    assert all(e["_timestamp"] * 1000 >= start - 1 for e in server.events)

    files = {k: v for k, v in server.files.items() if k != "manifest.json"}
    assert {"config.yaml", "wandb-metadata.json", "wandb-summary.json", "output.log", "requirements.txt", "run.json",
            "fakenews/config.yaml"} <= set(files)
    training = next((run / "runs").glob("2*"))
    assert files["run.json"] == (training / "run.json").read_bytes()
    assert files["fakenews/config.yaml"] == (training / "config.yaml").read_bytes()
    artifact, = server.artifacts
    assert artifact["artifactTypeName"] == "model" and artifact["artifactCollectionName"] == f"model-{ours['name']}"
    manifest = json.loads(server.files["manifest.json"])
    model = {p.name: p.read_bytes() for p in (training / "model").iterdir()}
    md5 = {k: base64.b64encode(hashlib.md5(v).digest()).decode() for k, v in model.items()}
    assert {k: (v["digest"], v["size"], v["ref"]) for k, v in manifest["contents"].items()} == {
        k: (md5[k], len(v), f"file://{training / 'model' / k}") for k, v in model.items()}
    text = "wandb-artifact-manifest-v1\n" + "".join(f"{k}:{md5[k]}\n" for k in sorted(md5))
    assert artifact["digest"] == hashlib.md5(text.encode()).hexdigest()


def test_files_of_the_folder(run):
    import yaml

    folder = next((run / "w" / "wandb").glob("offline-run-*"))
    ours, _ = exported(run)
    assert (run / "w" / "wandb" / "latest-run").resolve() == folder.resolve()
    config = yaml.safe_load((folder / "files" / "config.yaml").read_text())
    theirs = {k: v["value"] for k, v in config.items() if k not in ("wandb_version", "_wandb", "run_tags")}
    assert theirs == nested(ours["params"]) and theirs["train"]["weight_decay"] == 1e-05
    assert all(v["desc"] is None for k, v in config.items() if k != "wandb_version")
    metadata = json.loads((folder / "files" / "wandb-metadata.json").read_text())
    assert metadata["program"] == "fakenews train" and metadata["host"] == ours["tags"]["fakenews.host"]
    summary = json.loads((folder / "files" / "wandb-summary.json").read_text())
    assert "test/accuracy" in summary and "val/accuracy" in (folder / "files" / "output.log").read_text()
    kinds = [r.WhichOneof("record_type") for r in records(next(folder.glob("*.wandb")))]
    assert kinds[:3] == ["header", "run", "config"] and kinds[-3:] == ["exit", "final", "footer"]
    assert [r.num for r in records(next(folder.glob("*.wandb")))] == list(range(1, len(kinds) + 1))


def probe(folder, lines, *words):
    done = subprocess.run([TOOLS / "sink_probe", "wandb", folder, *map(str, words)], input="\n".join(lines) + "\n",
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["close"] == "", done.stdout
    return sorted((Path(folder) / "wandb").glob("offline-run-*"))


def test_a_file_that_ends_anywhere(tmp_path):
    """Cut at any byte: what stands before the last record is read, by wandb too."""
    lines = ["s\tRUNNING\t1700000000000", "p\tlr\t0.1"]
    lines += [f"m\tloss\t{1 / (i + 1)!r}\t{i}\t{1700000000000 + i * 1000}" for i in range(400)]
    lines += ["p\tnote\t" + "x" * 6000, "s\tFINISHED\t1700000500000"]
    folder, = probe(tmp_path, lines)
    path = next(folder.glob("*.wandb"))
    data = path.read_bytes()
    whole = list(frames(data))
    assert len(data) > BLOCK
    for cut in [*range(7, 2000, 97), *range(BLOCK - 20, BLOCK + 20), *range(len(data) - 60, len(data))]:
        got = list(frames(data[:cut]))
        assert got == whole[:len(got)] and sum(len(w) for w in whole[:len(got) + 1]) + 7 >= cut - 7 * (len(got) + 8)
    path.write_bytes(data[:BLOCK - 100])  # killed
    server, _ = sync([folder])
    assert 100 < len(server.history) < 400 and server.history == [
        {"loss": 1 / (i + 1), "_step": i, "_runtime": i, "_timestamp": 1700000000 + i} for i in range(len(server.history))]
    assert server.exit_codes and server.exit_codes[-1] == 1


def test_a_resumed_training_is_the_same_run(tmp_path):
    first = ["s\tRUNNING\t1700000000000", *(f"m\tloss\t{i}\t{i}\t{1700000000000 + i}" for i in range(10)), "s\tKILLED\t1700000001000"]
    again = ["s\tRUNNING\t1700000100000", *(f"m\tloss\t{i}\t{i}\t{1700000100000 + i}" for i in range(8, 20)),
             "m\tweird\tnan\t19\t1700000100019", "m\tbig\tinf\t19\t1700000100019", "s\tFINISHED\t1700000200000"]
    probe(tmp_path, first)
    folders = probe(tmp_path, again, "resume", 7)
    assert len(folders) == 2 and folders[0].name.rsplit("-", 1)[1] == folders[1].name.rsplit("-", 1)[1]
    runs = [next(r.run for r in records(next(f.glob("*.wandb"))) if r.HasField("run")) for f in folders]
    assert [r.resumed for r in runs] == [False, True] and [r.starting_step for r in runs] == [0, 8]
    assert runs[0].run_id == runs[1].run_id
    server, _ = sync([folders[1]])
    assert [r["_step"] for r in server.history] == list(range(8, 20))
    assert math.isnan(server.history[-1]["weird"]) and math.isinf(server.history[-1]["big"])
    server, _ = sync([folders[0]])
    assert len(server.history) == 10 and server.exit_codes[-1] == 255


def test_disabled_and_id(program, run, tmp_path):
    data = run / "data"
    command = [program, "train", "--data", data, "--init", "scratch", *TINY, "track.sinks=[wandb]"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=bare_environment(tmp_path, WANDB_DISABLED="true"))
    assert done.returncode == 0 and not (tmp_path / "wandb").exists(), done.stderr
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path,
                          env=bare_environment(tmp_path, WANDB_RUN_ID="My.Run-ü 42", WANDB_DIR=str(tmp_path / "deep")))
    assert done.returncode == 0 and next((tmp_path / "deep" / "wandb").glob("offline-run-*-My.Run-ü 42/run-My.Run-ü 42.wandb"))
