"""Load as clients of `fakenews serve` make it, for Locust: the tasks of both predecessors' clients and the routes of our own.

    pip install locust
    fakenews serve &
    locust -f examples/locustfile.py --host http://127.0.0.1:8080 --headless -u 8 -t 30s --only-summary
    locust -f examples/locustfile.py --host … Titles Articles       # some kinds of users, see below
    FAKENEWS_API_KEY=… WAIT=1,2 locust …                            # a key, seconds between a user's requests

Without WAIT users ask again at once: that measures throughput. Texts are those of examples/news.csv beside this file.
Any answer but the expected status counts as a failure, and so does one that is not what a client of that route reads.
"""

import csv
import os
import random
from pathlib import Path

from locust import FastHttpUser, between, constant, task

with (Path(__file__).resolve().parent / "news.csv").open(newline="", encoding="utf-8") as file:
    NEWS = [(row["title"], row["text"]) for row in csv.DictReader(file)]

WAIT = os.environ.get("WAIT")
KEY = os.environ.get("FAKENEWS_API_KEY")


def news():
    return random.choice(NEWS)


class Client(FastHttpUser):
    abstract = True
    wait_time = between(*map(float, WAIT.split(","))) if WAIT else constant(0)
    default_headers = {"Authorization": f"Bearer {KEY}"} if KEY else {}

    def ask(self, path, body, check, **options):
        """check: of the JSON that came, whether it is an answer."""
        options.setdefault("json", body)
        with self.client.post(path, catch_response=True, headers={**self.default_headers, **options.pop("headers", {})},
                              **options) as answer:
            if answer.status_code != 200:
                answer.failure(f"{answer.status_code}: {(answer.text or '')[:200]}")
            elif not check(answer.json()):
                answer.failure(f"unexpected: {answer.text[:200]}")


class Titles(Client):
    """Headlines alone."""

    @task
    def classify(self):
        self.ask("/v1/classify", {"title": news()[0]}, lambda a: a["verdict"] in ("real", "fake", "unsure"), name="title")


class Articles(Client):
    """Headline and text."""

    @task
    def classify(self):
        title, text = news()
        self.ask("/v1/classify", {"title": title, "text": text}, lambda a: 0 <= a["probabilities"]["fake"] <= 1, name="article")


class Page(Client):
    """What a page does while somebody writes, and a batch now and then."""

    @task(8)
    def tokens(self):
        title, text = news()
        self.ask("/v1/tokens", {"title": title, "text": text[: random.randrange(len(text))]}, lambda a: a["n_tokens"] > 0)

    @task(2)
    def classify(self):
        title, text = news()
        self.ask("/v1/classify", {"title": title, "text": text}, lambda a: a["id"] is None or a["id"].startswith("p_"),
                 name="/v1/classify (page)")

    @task(1)
    def batch(self):
        items = [dict(zip(("title", "text"), news())) for _ in range(16)]
        self.ask("/v1/classify/batch", {"items": items}, lambda a: len(a["items"]) == 16)


class PredecessorArticles(Client):
    """The first predecessor's page: one text, a label and its score."""

    @task
    def predict(self):
        self.ask("/predict", {"Text": news()[1]}, lambda a: a[0]["label"] in ("Real", "Fake") and 0.5 <= a[0]["score"] <= 1)

    @task
    def info(self):
        self.client.get("/info", headers=self.default_headers)


class PredecessorTitles(Client):
    """The second predecessor's load test: a CSV of three titles and a single title, each as often."""

    @task
    def csv(self):
        rows = "title\n" + "".join('"{}"\n'.format(news()[0].replace('"', '""')) for _ in range(3))
        body = ('--locust\r\nContent-Disposition: form-data; name="file"; filename="titles.csv"\r\n'
                f"Content-Type: text/csv\r\n\r\n{rows}\r\n--locust--\r\n").encode()
        self.ask("/predict/?batch_size=32&max_length=15", None, lambda a: len(a) == 3, name="/predict/ (CSV)", json=None,
                 data=body, headers={"Content-Type": "multipart/form-data; boundary=locust"})

    @task
    def single(self):
        self.ask("/predict_single/", {"title": news()[0]}, lambda a: "prediction" in a)
