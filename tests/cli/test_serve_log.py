"""The prediction log behind `fakenews serve`: nothing answered is lost, nothing is recorded twice, feedback."""

import random
import resource
import signal
import sqlite3
import threading
import time

import pytest
from log_support import postgres, wait_until
from serve_support import TEXT, Served

ARTICLE = {"title": "Council approves budget", "text": TEXT}


@pytest.fixture(scope="module")
def server(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    with Served(program, folder, env={"STATE_DIRECTORY": str(folder / "state")}) as server:
        server.database = folder / "state/predictions.db"
        yield server
        assert server.stop() == 0, server.log


def count(path):
    with sqlite3.connect(path) as database:
        return database.execute("SELECT count(*) FROM predictions").fetchone()[0]


def test_what_was_answered_can_be_read_again(server):
    answer = server.post("/v1/classify", ARTICLE).json
    stored = server.get("/v1/predictions/" + answer["id"]).json
    for key in set(answer) - {"took_ms"}:
        assert stored[key] == answer[key], key
    assert stored["route"] == "/v1/classify" and stored["text_kept"] == "hash" and stored["feedback"] == []
    assert server.get("/v1/predictions/p_" + "0" * 32).status == 404
    assert TEXT[:20].encode() not in server.database.read_bytes()


def test_retry_makes_no_second_row(server):
    key = {"Idempotency-Key": "k-1"}
    first = server.post("/v1/classify", ARTICLE, key)
    before = count(server.database)
    again = server.post("/v1/classify", ARTICLE, key)
    assert again.headers["Idempotency-Replayed"] == "true" and first.headers["Idempotency-Replayed"] is None
    assert again.json["id"] == first.json["id"] and again.json["probabilities"] == first.json["probabilities"]
    other = server.post("/v1/classify", {"title": "Another article"}, key)
    assert other.status == 422 and other.json["code"] == "idempotency_mismatch"
    for more in ({"prior": 0.01}, {"explain": True}):
        assert server.post("/v1/classify", {**ARTICLE, **more}, key).json["code"] == "idempotency_mismatch"
    assert server.post("/v1/classify", ARTICLE, {"Idempotency-Key": "a b"}).status == 400
    assert count(server.database) == before
    batch = {"items": [ARTICLE, {"title": ""}, {"title": "Bridge opens again after repairs in spring"}]}
    one = server.post("/v1/classify/batch", batch, key).json["items"]
    two = server.post("/v1/classify/batch", batch, key).json["items"]
    assert one == two and one[0]["id"] != one[2]["id"]
    assert count(server.database) == before + 2


def test_feedback(server):
    answer = server.post("/v1/classify", ARTICLE).json
    word = {"prediction_id": answer["id"], "label": "satire", "name": "Ann", "reason": "see the imprint"}
    first = server.post("/v1/feedback", word)
    assert first.status == 201 and first.json["corrects"] is None
    other = "real" if answer["label"] == "fake" else "fake"
    second = server.post("/v1/feedback", {**word, "label": other}).json
    assert second["corrects"] == first.json["id"]
    stored = server.get("/v1/predictions/" + answer["id"]).json["feedback"]
    assert [(f["label"], f["latest"]) for f in stored] == [("satire", False), (other, True)]
    disputed = server.get("/v1/feedback?disputed=1&limit=5").json["items"]
    assert disputed[0]["prediction_id"] == answer["id"] and disputed[0]["feedback"]["label"] == other
    for bad, says in [({**word, "label": "true"}, "label"), ({"label": "real"}, "prediction_id"),
                      ({**word, "name": "x" * 201}, "name"), ({**word, "reason": 1}, "reason")]:
        refused = server.post("/v1/feedback", bad)
        assert refused.status == 422 and says in refused.json["detail"]
    assert server.post("/v1/feedback", {**word, "prediction_id": "p_none"}).status == 404
    assert server.get("/v1/feedback?limit=0").status == 422


def test_remarks_are_bounded(server):
    """However many there are, a look at them is quick, and the rest of the server does not wait."""
    answer = server.post("/v1/classify", ARTICLE, {"Idempotency-Key": "many"}).json
    with sqlite3.connect(server.database, timeout=60) as database:
        rows = [(f"f_{i}", answer["id"], i, "satire", "ann", "", "") for i in range(5000)]
        database.executemany("INSERT INTO feedback VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", rows)
    begin = time.monotonic()
    stored = server.get("/v1/predictions/" + answer["id"]).json
    assert stored["n_feedback"] == 5000 and [f["id"] for f in stored["feedback"]] == [f"f_{i}" for i in range(4800, 5000)]
    assert [f["latest"] for f in stored["feedback"]] == [False] * 199 + [True]
    page = server.get("/predictions/" + answer["id"]).body.decode()
    assert "The latest 200 of 5000." in page and page.count("<li") >= 200
    assert server.post("/v1/classify", ARTICLE, {"Idempotency-Key": "many"}).headers["Idempotency-Replayed"] == "true"
    refused = server.post("/v1/feedback", {"prediction_id": answer["id"], "label": "real"})
    assert refused.status == 422 and refused.json["code"] == "too_many_remarks" and "1000" in refused.json["detail"]
    assert time.monotonic() - begin < 30


def test_no_log(program, tmp_path):
    with Served(program, tmp_path, "predictions.url=none") as server:
        assert server.post("/v1/classify", ARTICLE).json["id"] is None
        assert server.get("/v1/predictions/p_1").status == 404
        assert server.get("/v1/model").json["log"]["enabled"] is False
        assert server.stop() == 0
    assert not (tmp_path / ".local").exists()


def test_kill_9_under_load_loses_no_answer(program, tmp_path):
    """Every id that a client has received is in the database that the killed server leaves."""
    chance = random.Random(5)
    answered = []
    for _ in range(4):
        with Served(program, tmp_path) as server:
            def ask(server=server):
                try:
                    while True:
                        items = [{"title": f"Budget {chance.random()}", "text": TEXT} for _ in range(3)]
                        answer = server.post("/v1/classify/batch", {"items": items})
                        answered.extend(i["id"] for i in answer.json["items"])
                except (OSError, ValueError, KeyError):
                    pass
                except Exception as error:  # http.client raises its own when the connection ends in mid-answer
                    assert type(error).__module__ == "http.client", error

            threads = [threading.Thread(target=ask) for _ in range(4)]
            for thread in threads:
                thread.start()
            wait_until(lambda before=len(answered): len(answered) > before + 15)
            time.sleep(chance.random() * 0.1)
            server.process.send_signal(signal.SIGKILL)
            for thread in threads:
                thread.join()
    with sqlite3.connect(tmp_path / ".local/state/fakenews/predictions.db") as database:
        stored = {row[0] for row in database.execute("SELECT id FROM predictions")}
    assert len(answered) > 50
    assert set(answered) <= stored


def test_faults_of_the_database_are_no_business_of_clients(program, tmp_path):
    """A table that is gone is 503 with a fixed sentence, and an event says what it is; what is no id is 404."""
    with Served(program, tmp_path) as server:
        answer = server.post("/v1/classify", ARTICLE).json
        with sqlite3.connect(tmp_path / ".local/state/fakenews/predictions.db", timeout=60) as database:
            database.execute("DROP TABLE feedback")
        for got in (server.get("/v1/predictions/" + answer["id"]), server.get("/predictions/" + answer["id"]),
                    server.post("/v1/feedback", {"prediction_id": answer["id"], "label": "real"}), server.get("/v1/feedback"),
                    server.get("/disputed")):
            assert got.status == 503, got
            assert not [s for s in (b"predictions.db", b"SQLite", b"no such table") if s in got.body], got.body
        assert server.says("no such table: feedback")
        assert server.get("/v1/predictions/%C3%A9").status == 404
        long = server.post("/v1/feedback", {"prediction_id": "p" * 65, "label": "real"})
        assert long.status == 422 and "prediction_id" in long.json["detail"]
        assert server.stop() == 0


def test_removed_database(program, tmp_path):
    """Rows go on in a new file; no answer is given that is only in the one that is gone."""
    with Served(program, tmp_path) as server:
        path = tmp_path / ".local/state/fakenews/predictions.db"
        server.post("/v1/classify", ARTICLE)
        path.unlink()
        answer = server.post("/v1/classify", ARTICLE)
        assert answer.status == 200 and server.says("removed or replaced")
        wait_until(lambda: server.get("/v1/predictions/" + answer.json["id"]).status == 200)
        assert server.stop() == 0
        assert count(path) == 1


def test_full_disk_is_503_and_heals(program, tmp_path):
    """A log that cannot grow answers 503 under durable=answer, keeps what it has, and goes on when there is room."""
    with Served(program, tmp_path, "predictions.spool_mb=0") as server:
        assert server.post("/v1/classify", ARTICLE).status == 200
        pid = server.process.pid
        old = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1024, old[1]))
        refused = server.post("/v1/classify", ARTICLE)
        assert refused.status == 503 and refused.json["code"] == "log_unavailable", refused
        assert refused.headers["Retry-After"] and "predictions.db" not in refused.json["detail"]
        assert server.says("predictions.db") and server.says("log_unavailable")  # operators see why
        assert server.get("/healthz").status == 200
        resource.prlimit(pid, resource.RLIMIT_FSIZE, old)
        wait_until(lambda: server.post("/v1/classify", ARTICLE).status == 200)
        assert server.stop() == 0


def test_database_gone_and_back_under_load(program, tmp_path):
    """PostgreSQL crashes while articles come in: every answer is given, and is in the database when that is back, once."""
    answered, failed, stop = [], [], threading.Event()
    with postgres() as cluster:
        env = {"DATABASE_URL": cluster.url, "STATE_DIRECTORY": str(tmp_path / "state")}
        with Served(program, tmp_path, env=env) as server:
            def ask():
                while not stop.is_set():
                    answer = server.post("/v1/classify", ARTICLE)
                    (answered if answer.status == 200 else failed).append(answer.json.get("id"))

            threads = [threading.Thread(target=ask) for _ in range(4)]
            for thread in threads:
                thread.start()
            wait_until(lambda: len(answered) > 20)
            cluster.stop()
            before = len(answered)
            wait_until(lambda: len(answered) > before + 20)
            lookup = server.get("/v1/predictions/" + answered[0])
            assert lookup.status == 503 and lookup.json["code"] == "log_unavailable"  # told, not hung
            cluster.start()
            stop.set()
            for thread in threads:
                thread.join()
            wait_until(lambda: "fakenews_log_spool_bytes 0\n" in server.get("/metrics").body.decode())
            assert server.stop() == 0, server.log
        stored = cluster.sql("SELECT id FROM predictions")
    assert not failed
    assert sorted(stored) == sorted(answered)


def test_database_away_at_the_start_is_told(program, tmp_path):
    with Served(program, tmp_path, "predictions.url=postgresql://127.0.0.1:9/x", "serve.auth=none") as server:
        assert server.post("/v1/classify", ARTICLE).status == 200  # its row is in the spool
        assert server.stop() == 0
    assert "rows wait in the spool" in server.log and "127.0.0.1" in server.log
