"""data download of named sets: WELFake from Zenodo, Kaggle's archives, archives in general."""

import base64
import io
import json
import os
import stat
import zipfile

import pytest
from cli.http_support import md5, redirect, status, whole
from cli.test_download import DATA, DENIED, download, folder, left, serve  # noqa: F401  (fixtures)

KAGGLE = "saurabhshahane/fake-news-classification"


def welfake(n0, n1, extra=""):
    """A file of WELFake's form with so many rows of each label."""
    return (",title,text,label\n" + "".join(f"{i},t,\"x, y\",{int(i >= n0)}\n" for i in range(n0 + n1)) + extra).encode()


def archive(*entries, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name, data in entries:
            z.writestr(name, data)
    return out.getvalue()


# ---- labels

PUBLISHED = welfake(35028, 37106)


def test_label_order_is_proved_by_the_counts(download, serve, folder):
    server = serve(whole(PUBLISHED))
    done = download("welfake", f"net.zenodo_url={server.url}/", "--md5", md5(PUBLISHED))
    assert done.code == 0 and server.paths() == ["/records/4561253/files/WELFake_Dataset.csv"], done
    assert "35,028 rows have label 0, 37,106 label 1; published are 35,028 real and 37,106 fake: 0 = real, 1 = fake" in done.stderr
    assert f"next: fakenews data prepare --input {folder}/WELFake_Dataset.csv --out {folder}/prepared\n" in done.stderr
    again = download("welfake", f"net.zenodo_url={server.url}", "--md5", md5(PUBLISHED))
    assert again.code == 0 and "nothing was fetched" in again.stderr and "0 = real" in again.stderr, again
    assert len(server.requests) == 1


def test_printed_next_step_works(download, serve, folder, fakenews):
    data = welfake(37106, 35028).replace(b',t,"x, y",', b",,,")[:-1]
    rows = data.decode().split("\n")
    for i in list(range(1, 60)) + list(range(40000, 40060)):  # the others are dropped as empty
        rows[i] = rows[i].replace(",,,", f',"title {i} {i * 7}",words {i * 3} of {i * 5} row {i * 11},')
    data = "\n".join(rows).encode()
    done = download("welfake", f"net.zenodo_url={serve(whole(data)).url}", "--md5", md5(data))
    assert done.code == 0 and "0 = fake, 1 = real" in done.stderr, done
    line = next(line for line in done.stderr.splitlines() if line.startswith("next: "))
    assert line.endswith("'data.label_map={0:fake,1:real}'")
    arguments = line.removeprefix("next: fakenews ").replace("'", "").split(" ")
    prepared = fakenews(*arguments)
    assert prepared.code == 0 and "0 → fake 37,106, 1 → real 35,028" in prepared.stdout, prepared


@pytest.mark.parametrize("data, counts", [
    (welfake(35028, 37105), ["35028 rows have label 0 and 37105 have label 1", "published are 35028 real and 37106 fake"]),
    (welfake(35028, 37106, "1,t,x,2\n1,t,x,1\n1,t\n"), ["37107 have label 1 (1 another one, 1 no readable row)"]),
])  # fmt: skip
def test_other_counts_prove_nothing(download, serve, folder, data, counts):
    done = download("welfake", f"net.zenodo_url={serve(whole(data)).url}", "--md5", md5(data))
    assert done.code == 2 and not [c for c in counts if c not in done.stderr] and "next:" not in done.stderr, done
    assert left(folder) == ["WELFake_Dataset.csv"]


def test_welfake_has_its_own_checksum(download, serve, folder):
    done = download("welfake", f"net.zenodo_url={serve(whole(PUBLISHED)).url}")
    assert done.code == 1 and f"md5 {md5(PUBLISHED)} instead of 73c9675a4b3d09f86a6933d0b8d7d908" in done.stderr, done
    assert left(folder) == []


# ---- Kaggle


def basic(user, key):
    return "Basic " + base64.b64encode(f"{user}:{key}".encode()).decode()


def test_kaggle_archive_is_unpacked(download, serve, folder):
    data = archive(("WELFake_Dataset.csv", PUBLISHED), ("more/readme.txt", b"hello"), ("more/", b""))
    store = serve(whole(data))
    server = serve(redirect(store.url + "/signed?x=1"))
    done = download(f"kaggle:{KAGGLE}", f"net.kaggle_url={server.url}", env={"KAGGLE_USERNAME": "me", "KAGGLE_KEY": "secret"})
    assert done.code == 0 and left(folder) == ["WELFake_Dataset.csv", "more/readme.txt"], done
    assert server.paths() == [f"/api/v1/datasets/download/{KAGGLE}"] and server.headers("Authorization") == [basic("me", "secret")]
    assert store.headers("Authorization") == [None] and "secret" not in done.stderr
    assert "0 = real, 1 = fake" in done.stderr and "not the file that was published on Zenodo" in done.stderr
    assert f"--input {folder}/WELFake_Dataset.csv --out" in done.stderr
    assert done.stdout.split() == [f"{folder}/WELFake_Dataset.csv", f"{folder}/more/readme.txt"]
    again = download(f"kaggle:{KAGGLE}", f"net.kaggle_url={server.url}")
    assert again.code == 0 and "nothing was fetched" in again.stderr and len(server.requests) == 1, again


def test_kaggle_set_without_its_file(download, serve):
    done = download(f"kaggle:{KAGGLE}", f"net.kaggle_url={serve(whole(archive(('a.csv', b'x')))).url}")
    assert done.code == 2 and "no WELFake_Dataset.csv" in done.stderr, done


@pytest.mark.parametrize("code", [401, 403])
def test_kaggle_without_an_account(download, serve, code):
    server = serve(status(code))
    done = download("kaggle:a/b", f"net.kaggle_url={server.url}")
    assert done.code == 2 and not [word for word in DENIED if word not in done.stderr], done
    assert server.headers("Authorization") == [None] and len(server.requests) == 1


CREDENTIALS = {
    "the environment": ({"KAGGLE_USERNAME": "me", "KAGGLE_KEY": "k"}, {}, [], basic("me", "k")),
    "settings before the environment": ({"KAGGLE_USERNAME": "me", "KAGGLE_KEY": "k"}, {}, ["net.kaggle_key=z"], basic("me", "z")),
    "our own variable first": ({"KAGGLE_USERNAME": "me", "KAGGLE_KEY": "k", "FAKENEWS_NET_KAGGLE_KEY": "y"}, {}, [], basic("me", "y")),
    "Kaggle's file": ({}, {"kaggle.json": '{"username":"you","key":"j"}'}, [], basic("you", "j")),
    "the environment before the file": ({"KAGGLE_USERNAME": "me", "KAGGLE_KEY": "k"}, {"kaggle.json": "{"}, [], basic("me", "k")),
    "a token": ({"KAGGLE_API_TOKEN": "KGAT_1"}, {}, [], "Bearer KGAT_1"),
    "a token in the place of a key": ({"KAGGLE_USERNAME": "me", "KAGGLE_KEY": "KGAT_2"}, {}, [], "Bearer KGAT_2"),
    "a token's file": ({}, {"access_token": "KGAT_3\n"}, [], "Bearer KGAT_3"),
}  # fmt: skip


@pytest.mark.parametrize("case", CREDENTIALS)
def test_kaggle_credentials(download, serve, tmp_path, case):
    environment, files, settings, expected = CREDENTIALS[case]
    (tmp_path / ".kaggle").mkdir()
    for name, text in files.items():
        (tmp_path / ".kaggle" / name).write_text(text)
    server = serve(whole(archive(("a.csv", b"title,text,label\n"))))
    done = download("kaggle:a/b", f"net.kaggle_url={server.url}", *settings, env=environment)
    assert done.code == 0 and server.headers("Authorization") == [expected], done


def test_damaged_kaggle_file(download, serve, tmp_path):
    (tmp_path / "k").mkdir()
    (tmp_path / "k/kaggle.json").write_text('{"username":"me"}')
    server = serve(status(200))
    done = download("kaggle:a/b", f"net.kaggle_url={server.url}", env={"KAGGLE_CONFIG_DIR": str(tmp_path / "k")})
    assert done.code == 2 and "kaggle.json" in done.stderr and "key" in done.stderr and not server.requests, done


# ---- archives


def link(name, target):
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return (info, target)


BOMB = archive(("bomb.csv", b"\0" * 30_000_000))
REFUSED = {
    "a name that goes up": (archive(("ok.csv", b"x"), ("../evil.csv", b"x")), [], "goes up (..)"),
    "a name that goes up and down": (archive(("a/../../evil.csv", b"x")), [], "goes up (..)"),
    "an absolute name": (archive(("/tmp/evil.csv", b"x")), [], "is absolute"),
    "backslashes": (archive(("ok\\..\\evil.csv", b"x")), [], "backslash"),
    "a folder that goes up": (archive(("../evil/", b"")), [], "goes up (..)"),
    "a link": (archive(link("a.csv", "/etc/passwd")), [], "is a link or a device"),
    "our own receipt": (archive(("download.json", b"{}")), [], "keeps for itself"),
    "a folder called like our receipt": (archive(("download.json/a.csv", b"{}")), [], "keeps for itself"),
    "our own folder": (archive((".unpack/a.csv", b"x")), [], "keeps for itself"),
    "the archive itself": (archive(("set.ZIP.part", b"x")), [], "keeps for itself"),
    "the archive's state": (archive(("set.ZIP.part.json", b"x")), [], "keeps for itself"),
    "a bomb": (BOMB, ["net.max_unpacked_bytes=29999999"], "unpacks to more than the 29999999 bytes that net.max_unpacked_bytes allows"),
    "many that are a bomb together": (archive(*((f"{i}.csv", b"\0" * 600) for i in range(9))), ["net.max_unpacked_bytes=5000"], "unpacks to more than"),
    "no archive": (b"<html>please log in</html>", [], "cannot be read as a ZIP archive"),
    "an empty one": (archive(), [], "no file is in this archive"),
    "one that is cut": (archive(("a.csv", b"abc" * 1000))[:-30], [], "cannot be read as a ZIP archive"),
    "damaged bytes": (archive(("a.csv", DATA), method=zipfile.ZIP_STORED).replace(b"the end", b"the END"), [], "is damaged"),
    "a size that lies": (BOMB.replace((30_000_000).to_bytes(4, "little"), (29_000_000).to_bytes(4, "little")), [], "bomb.csv"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_archive_that_is_refused_leaves_nothing(download, serve, folder, tmp_path, case):
    data, settings, said = REFUSED[case]
    done = download(serve(whole(data)).url + "/x/set.ZIP", *settings)
    assert done.code == 2 and said in done.stderr, done
    assert [name for name in left(folder) if ".part" not in name] == [] and not (folder / ".unpack").exists()
    assert not list(tmp_path.rglob("evil*")) and not os.path.exists("/tmp/evil.csv")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archive_with_a_name_twice(download, serve, folder):
    done = download(serve(whole(archive(("a.csv", b"x"), ("a.csv", b"y")))).url + "/set.zip")
    assert done.code == 2 and "stands in it twice" in done.stderr and not (folder / "a.csv").exists(), done


def test_archive_with_a_folder_where_a_file_is(download, serve, folder):
    server = serve(whole(archive(("a/b.csv", b"x"), ("c.csv", b"x"))))
    folder.mkdir()
    (folder / "a").write_text("mine")
    for more in [], ["--replace"]:
        done = download(server.url + "/set.zip", *more)
        assert done.code == 2 and "a file is in the way" in done.stderr and not (folder / "c.csv").exists(), done
    assert (folder / "a").read_text() == "mine"


def test_archive_does_not_overwrite(download, serve, folder):
    server = serve(whole(archive(("a.csv", b"one"), ("b/c.csv", b"two"), ("é.csv", b"three"))))
    folder.mkdir()
    (folder / "a.csv").write_bytes(b"mine")
    done = download(server.url + "/set.zip")
    assert done.code == 2 and "a.csv is there already" in done.stderr and not (folder / "b").exists(), done
    (folder / "a.csv").write_bytes(b"one")  # the same content is no obstacle
    done = download(server.url + "/set.zip")
    assert done.code == 0 and left(folder) == ["a.csv", "b/c.csv", "é.csv"] and len(server.requests) == 1, done
    (folder / "a.csv").write_bytes(b"mine")
    assert download(server.url + "/set.zip", "--replace").code == 0 and (folder / "a.csv").read_bytes() == b"one"
    files = json.loads((folder / "download.json").read_text())["downloads"][0]["files"]
    assert [f["name"] for f in files] == ["a.csv", "b/c.csv", "é.csv"]
