"""Writes the seeds of the targets whose inputs are small texts: settings, rules, states, records, indices, gzip.

    python tests/fuzz/make_corpus.py
"""

import gzip
import json
import struct
import zlib
from pathlib import Path

OUT = Path(__file__).resolve().parent / "corpus"
HEX = "0123456789abcdef0123456789abcdef"


def put(target, seeds):
    folder = OUT / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in seeds.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def safetensors(tensors, metadata=None):
    """name → (dtype, shape, bytes)"""
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def settings():
    put("yaml", {
        "nested": "a:\n  flag: true\n  count: 12\n  rate: 0.25\nb:\n  mode: cut\n  items: [x, 'y z', \"q\\\"\"]\n",
        "dotted": "a.count: 5\nb.name: \"quoted: # not a comment\"\nmap: {real: 0, 'fa ke': 1}\n",
        "group": "preset: small\na.limit: null\n",
        "comments": "# only\n\n   # comments\n",
        "list": "- a\n- b\n", "scalar": "just text", "null": "~\n", "tilde": "a.limit: ~\nb.name:\n",
        "twice": "a.count: 1\na.count: 2\n", "deep": "a:\n b:\n  c:\n   d:\n    e:\n     f:\n      g:\n       h:\n        i: 1\n",
        "anchors": "x: &x {count: 3}\na: *x\n", "merge": "base: &b\n  count: 3\na:\n  <<: *b\n",
        "block": "b.name: |\n  two\n  lines\nb.key: >-\n  folded\n  text\n", "tabs": "a:\n\tcount: 1\n",
        "unclosed": "b.items: [1, 2\n", "documents": "---\na.count: 1\n---\na.count: 2\n", "tag": "a.count: !!str 3\n",
        "utf8": "b.name: \"Über中\"\n", "escape": 'b.name: "\\x41\\u00e9\\n"\n', "complex": "? [a, b]\n: 1\n",
        "range": "a.count: 10001\n", "directive": "%YAML 1.2\n---\na.flag: yes\n", "bad-utf8": b"b.name: \"\xff\xfe\"\n",
    })
    put("override", {
        "plain": "a.count=5\na.rate=1e-3\na.flag=true", "quotes": "b.name='it''s'\nb.name=\"a \\\" b\"\nb.name=\"\"",
        "list": "b.items=[a,'b,c',\"d\\\"e\",  f ]\nb.items=[]\nb.items=[[1],[2]]", "map": "map={a:1,'b c':2, d:\"x:y\"}\nmap={}",
        "null": "a.limit=null\nb.name=null\nb.name=", "enum": "b.mode=windows\nb.mode=Cut\nb.mode=", "group": "preset=small\npreset=big",
        "unknown": "a.cuont=1\ncount=1\na.=1\n=1\nnothing", "numbers": "a.count=0x10\na.count=1_000\na.rate=nan\na.rate=inf\na.rate=.5",
        "unclosed": "b.items=[a\nmap={a\nb.name='x\nb.items=[a,]", "space": "  a.count = 5 \na.count=5 ",
        "secret": "b.key=abc\nb.key=\"***\"",
    })
    put("dotenv", {
        "plain": "FAKENEWS_A_COUNT=5\n# comment\nOTHER=1\nexport FAKENEWS_B_NAME='x y'\n", "crlf": "FAKENEWS_A_FLAG=true\r\nFAKENEWS_A_RATE=0.5\r\n",
        "no-value": "FAKENEWS_A_COUNT\n", "empty": "FAKENEWS_=1\nFAKENEWS_A_LIMIT=\n", "unknown": "FAKENEWS_A_CUONT=1\n",
        "group": "FAKENEWS_PRESET=small\n", "list": "FAKENEWS_B_ITEMS=[a,b]\nFAKENEWS_MAP={a:1}\n", "spaces": "  FAKENEWS_A_COUNT = 7 \n\n",
        "long": "FAKENEWS_" + "X" * 300 + "=1\n",
    })
    rule = "rules:\n  - name: dateline\n    field: text\n    pattern: '^.{1,20}\\(Agency\\) - '\n    ignore_case: true\n"
    put("rules", {
        "dateline": rule.encode() + b"\xffTOWN (agency) - The mayor said.",
        "two": (rule + "  - {name: credit, field: both, pattern: 'Photo: \\w+', about: why}\n").encode() + b"\xffA Photo: Smith here.",
        "none": "rules: []\n", "missing": "rules:\n  - name: a\n", "bad-pattern": "rules:\n- {name: a, field: text, pattern: '('}\n",
        "bad-field": "rules:\n- {name: a, field: body, pattern: x}\n", "bad-name": "rules:\n- {name: 'a b', field: text, pattern: x}\n",
        "twice": "rules:\n- {name: a, field: text, pattern: x}\n- {name: a, field: text, pattern: y}\n", "unknown": "rules:\n- {nam: a}\n",
        "anchored": b"rules:\n- {name: tail, field: title, pattern: ' +- [A-Z]+$'}\n\xffHeadline - NEWS",
        "empty-match": b"rules:\n- {name: e, field: both, pattern: 'x*'}\n\xffaxxb",
    })  # fmt: skip


def runs():
    identity = {"build": "0.1.0 (abc)", "device": "fast, avx2", "data": HEX, "tokenizer": HEX}
    state = {"format": 1, "step": 6, "steps_per_epoch": 3, "seed": 2018,
             "best": {"loss": 0.6931, "step": 3, "evaluations_since": 1}, "stopped_early": False, "evaluation_due": True,
             "log": {"loss": 1.5e-3, "weight": 8.0, "n_steps": 2}, "metrics_bytes": 512, "identity": identity}
    record = {"format": 1, "family": "bert", "data": "/data/news", "init": "scratch", "init_hash": "", "identity": identity,
              "rows": {"train": 84, "validation": 18, "test": 18, "left_out": 0}, "parameters": 29890}
    first = {**state, "step": 1, "best": {"loss": None, "step": 0, "evaluations_since": 0}}
    put("train_state", {
        "good": json.dumps(state, indent=2), "first": json.dumps(first), "format": json.dumps({**state, "format": 2}),
        "negative": json.dumps({**state, "step": -1}), "no-identity": json.dumps({k: state[k] for k in state if k != "identity"}),
        "long": json.dumps({**state, "identity": {**identity, "build": "x" * 96}}), "real": json.dumps({**state, "step": 1.5}),
        "large": json.dumps({**state, "step": 2**63}), "array": "[]", "cut": json.dumps(state)[:80], "empty": "",
    })
    put("run_record", {
        "good": json.dumps(record, indent=2), "linear": json.dumps({**record, "family": "linear", "init": None}),
        "init": json.dumps({**record, "init": 5}), "long": json.dumps({**record, "family": "f" * 40, "init_hash": "h" * 40}),
        "no-data": json.dumps({**record, "data": None}), "cut": json.dumps(record)[:50], "empty": "",
    })  # fmt: skip


def models():
    config = {"model_type": "fakenews-linear", "format_version": 1, "id2label": {"0": "real", "1": "fake"},
              "label2id": {"real": 0, "fake": 1}, "text": "title+text", "hash_bits": 10, "word_ngrams": [1, 2],
              "char_ngrams": [3, 5], "c": {"word": 1.0, "char": 4.0}}
    n = 1 << 10
    names = ("word.weight", "word.idf", "char.weight", "char.idf")
    zero = safetensors({**{name: ("F32", [n], b"\0" * 4 * n) for name in names}, "bias": ("F64", [1], b"\0" * 8)})
    (length,) = struct.unpack("<Q", zero[:8])
    header = zero[:8 + length]  # the target fills it up
    words = {**config, "char_ngrams": None, "c": {"word": 1.0}}
    put("linear", {
        "both": json.dumps(config).encode() + b"\xff" + header, "words": json.dumps(words).encode() + b"\xff" + header,
        "title": json.dumps({**words, "text": "title", "word_ngrams": [1, 5]}).encode() + b"\xff" + header,
        "cut": json.dumps(config).encode() + b"\xff" + header[:60], "no-weights": json.dumps(config),
        "bits": json.dumps({**config, "hash_bits": 22}).encode() + b"\xff" + header,
        "orders": json.dumps({**config, "word_ngrams": [2, 1]}), "version": json.dumps({**config, "format_version": 2}),
        "labels": json.dumps({**config, "id2label": {"0": "fake", "1": "real"}}),
    })
    shard = safetensors({"a": ("F32", [2], b"\0" * 8), "b": ("I64", [1], b"\1" * 8)})
    index = {"metadata": {"total_size": 16}, "weight_map": {"a": "a.safetensors", "b": "a.safetensors"}}
    put("shards", {
        "good": json.dumps(index).encode() + b"\xff" + shard,
        "outside": json.dumps({"weight_map": {"a": "../a.safetensors"}}).encode() + b"\xff" + shard,
        "absolute": json.dumps({"weight_map": {"a": "/a.safetensors"}}), "other": json.dumps({"weight_map": {"a": "b.safetensors"}}),
        "missing": json.dumps({"weight_map": {"c": "a.safetensors"}}).encode() + b"\xff" + shard,
        "type": json.dumps({"weight_map": {"a": 1}}), "no-map": "{}", "list": json.dumps({"weight_map": ["a"]}), "none": json.dumps({"weight_map": {}}),
    })  # fmt: skip


def data():
    text = b"title,text,label\r\na,\"b, c\",0\r\nd,e,1\r\n"
    packed = gzip.compress(text, mtime=0)
    stored = b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + b"\x01\x05\x00\xfa\xffhello" + struct.pack("<II", zlib.crc32(b"hello"), 5)
    put("source", {
        "plain": b"\x03\x01" + text, "gzip": b"\x03\x01" + packed, "named": b"\x83\x00" + packed, "not-gzip": b"\x80\x00" + text,
        "members": b"\x07\x02" + packed + stored, "padding": b"\x01\x00" + packed + b"\0" * 40, "after": b"\x01\x00" + packed + b"x",
        "cut": b"\x02\x00" + packed[:-6], "check": b"\x02\x00" + packed[:-8] + b"\0" * 8, "stored": b"\x00\x00" + stored,
        "header": b"\x04\x00\x1f\x8b", "name": b"\x05\x00" + gzip.compress(b"", mtime=0)[:3] + b"\x08\0\0\0\0\0\xffname\0" + packed[10:],
        "long": b"\x1f\xff" + gzip.compress(b"a" * 30000, mtime=0),
    })
    put("input", {
        "csv": b"\x01" + text, "jsonl": b"\x02{\"text\":\"a\",\"label\":1}\n{\"label\":0,\"title\":\"b\"}\n", "text": b"\x03Some words.\n",
        "guess-json": b"\x00{\"text\":\"a\"}\n", "guess-csv": b"\x00" + text, "bom": b"\x01\xef\xbb\xbf" + text,
        "utf16": b"\x01" + "text,label\na,1\n".encode("utf-16"), "utf16-be": b"\x01\xfe\xff" + "text\na\n".encode("utf-16-be"),
        "cp1252": b"\x01text,label\ncaf\xe9 \x93q\x94,1\n", "semicolon": b"\x01text;label\na;1\n", "tab": b"\x01text\tlabel\na\t1\n",
        "gzip": b"\x01" + packed, "empty": b"\x01", "lines": b"\x01\n\n\n", "header": b"\x01text,label", "twice": b"\x01a,a\n1,2\n",
        "refused": b"\x01text,label\na\nb,1,2\n\"c,1\n", "bad-json": b"\x02{\"text\":}\n[1]\n{\"a\":1,\"a\":2}\n",
    })  # fmt: skip


def datasets():
    dictionary = json.dumps({"splits": ["train", "validation", "test"]})
    name = "data-00000-of-00001.arrow"
    state = json.dumps({"_data_files": [{"filename": name}], "_indices_data_files": None, "_split": "train"})
    info = json.dumps({"features": {"label": {"names": ["real", "fake"], "_type": "ClassLabel"}}})
    put("dataset", {
        "good": b"", "dict": dictionary, "state": "\xff".encode("latin-1") + state.encode(), "info": b"\xff\xff" + info.encode(),
        "train-only": json.dumps({"splits": ["train"]}), "unknown": json.dumps({"splits": ["train", "dev"]}), "splits": json.dumps({"splits": 1}),
        "twice": json.dumps({"splits": ["train", "train"]}),
        "two-files": b"\xff" + json.dumps({"_data_files": [{"filename": name}, {"filename": name}]}).encode(),
        "no-files": b"\xff" + json.dumps({"_data_files": []}).encode(), "outside": b"\xff" + json.dumps({"_data_files": [{"filename": "../x"}]}).encode(),
        "indices": b"\xff" + json.dumps({"_data_files": [], "_indices_data_files": [{"filename": name}]}).encode(),
        "labels": b"\xff\xff" + json.dumps({"features": {"label": {"names": ["fake", "real"], "_type": "ClassLabel"}}}).encode(),
        "value": b"\xff\xff" + json.dumps({"features": {"label": {"dtype": "int64", "_type": "Value"}}}).encode(), "arrow": b"\xff\xff\xff\xff\xff\xff\xff",
    })  # fmt: skip

    def cache(n_ids, vocabulary, begins, ids, checksum=0, kind=0):
        head = struct.pack("<QI36xQ", n_ids, vocabulary, checksum)
        return bytes([kind]) + head + struct.pack(f"<{len(begins)}Q", *begins) + struct.pack(f"<{len(ids)}i", *ids)

    good = ([0, 2, 4, 6, 8], [1, 2] * 4)
    put("token_cache", {
        "good": cache(8, 10, *good), "none": cache(0, 10, [0] * 5, []), "other": cache(4, 10, [0, 1, 2, 3, 4], [9, 0, 5, 3]),
        "falling": cache(8, 10, [0, 6, 4, 6, 8], [1] * 8), "outside": cache(8, 10, [0, 2, 4, 6, 9], [1] * 8),
        "id": cache(8, 10, [0, 2, 4, 6, 8], [1] * 7 + [10]), "negative": cache(8, 10, [0, 2, 4, 6, 8], [1] * 7 + [-1]),
        "vocabulary": cache(8, 11, *good), "huge": cache(2**62, 10, *good), "short": cache(8, 10, [0, 2, 4, 6, 8], [1] * 6),
        "check": cache(8, 10, *good, checksum=7, kind=2), "raw": b"\x01FNTOKENS" + struct.pack("<II", 1, 128) + b"\0" * 112,
    })  # fmt: skip


def lambda_functions():
    events = {path.stem: path.read_bytes() for path in sorted((OUT.parents[1] / "cli/lambda_events").glob("*.json"))}
    put("lambda_event", {**events, **{f"direct{i}": json.dumps(value) for i, value in enumerate([
        {"Action": "predict", "Text": ["a", "b"]}, {"Action": "info"}, {"items": [{"title": "a"}]}, {"body": {"text": "a"}},
        {"body": "eyJUZXh0IjoiYSJ9", "isBase64Encoded": True}, {"warmer": True}, {"inputs": "a"}, {"instances": []},
        {"ping": None}, {"rawPath": "/", "body": "iVA=", "isBase64Encoded": True},
        {"httpMethod": "HEAD", "path": "/%41", "multiValueHeaders": {"a": ["b", None]}, "body": "\u00e4"},
    ])}})  # fmt: skip
    head = b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: a-b\r\n"
    put("lambda_reply", {
        "plain": head + b"Content-Length: 2\r\n\r\n{}", "empty": head + b"\r\n", "cut": head + b"Content-Length: 9\r\n\r\n{}",
        "chunked": head + b"Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n", "half": head[:30],
        "two": head + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n1", "huge": head + b"Content-Length: 99999999\r\n\r\n",
        "chunk": head + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n{}", "more": head + b"Content-Length: 1\r\n\r\n{}{}",
        "closes": b"HTTP/1.0 403 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    })  # fmt: skip


def tracking():
    """Files beside runs, cards of versions, names of models, what a page of runs is made of."""
    run = "0123456789abcdef0123456789abcdef"
    head = {"version": 1, "generation": 0, "run": run, "name": "a", "experiment": "e", "user": "u", "uri": "http://127.0.0.1:1", "start_ms": 5}
    lines = ('["m","train/loss",0.5,1,1700000000000]\n["m","x","NaN",2,3]\n["p","train.seed","7"]\n["t","a","ü"]\n'
             '["a","model/config.json","model/config.json"]\n["s","FINISHED",9]\n')
    first = json.dumps(head) + "\n"
    sent = json.dumps({"version": 1, "generation": 0, "offset": len(first), "uri": "http://h", "run_id": "r", "rejected": 1, "status": "RUNNING"})
    names = json.dumps({"format": 1, "run": run, "artifacts": "s3://b/p"}) + "\n"
    good = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
    put("run_files", {
        "journal": ("j" + first + lines).encode(), "sent": ("j" + first + lines).encode() + b"\xff" + sent.encode(), "cut": ("j" + first + lines[:-4]).encode(),
        "head": ("j" + first).encode(), "nothing": b"j", "middle": ("j" + first + lines).encode() + b"\xff" + sent.replace(str(len(first)), str(len(first) + 9)).encode(),
        "beyond": ("j" + first).encode() + b"\xff" + sent.replace(str(len(first)), "9" * 18).encode(), "no-lines": ("j" + first + "\n\n\n").encode(),
        "generation": ("j" + json.dumps({**head, "generation": 2**63 - 1}) + "\n" + lines).encode(), "no-run": b'j{"run": "x"}\n',
        "files": "f" + names + '{"key": "in.txt", "path": "in.txt"}\n', "outside": "f" + names + '{"key": "in.txt", "path": "../../etc/passwd"}\n',
        "half": "f" + names + '{"key": "in.txt", "pa', "no-head": "f[]\n", "seal": f"s{good} 6 1 2 3 \n", "two": f"s{good} 6 1 2 3 \n{good} 6 1 2 3 x\n",
        "other": f"s{good[::-1]} 6 1 2 3 \n", "seal-cut": f"s{good} 6 1 2",
    })  # fmt: skip
    part = {"f1_weighted": 0.9, "f1_macro": 0.9, "accuracy": 0.9, "ece": 0.03, "roc_auc": 0.95, "intervals": {"f1_weighted": [0.85, 0.94]}}
    card = json.dumps({"figures": {"data": {"hash": "h"}, "systems": [{"name": "model", "metrics": part}, {"name": "calibrated", "metrics": part}]},
                       "packing": {"percent_flipped": 0.1, "auc_loss": 0.0001}, "sizes": {"packed_bytes": 30000000}, "speed": {"p95_ms": 12.5}})
    put("card", {"card": b"\xfc" + card.encode(), "two": b"\xff" + card.encode() + b"\xff" + card.encode(), "empty": b"\xff{}", "list": b"\xff[1]",
                 "typed": b"\xfc" + card.replace("0.9", '"0.9"').encode(), "none": b"\x00" + card.encode()})
    put("model_name", {str(i): text for i, text in enumerate([
        "models:/news@best", "models:/news/3", "models:/news/latest", "models:///news@v12", "models:/a b@c", "models:/news/0", "models:/", "runs:/abc",
        "runs:/abc/model/config.json", "runs://", "s3://bucket/key.fnm", "gs://b", "http://h/x.fnm", "a/b/../c", "a//b", "ü/x", "C:\\x", "latest", "V3", "best",
    ])})  # fmt: skip
    field = b"\xff".join
    put("report", {
        "runs": field([b"a", b"mval/loss=abcdeza", b"mtrain/loss=" + bytes(range(60)), b"ptrain.lr=1e-5", b"r", b"mval/loss=zyxw", b"ptrain.lr=3e-5", b"c\x05\x01\x02\x09test"]),
        "hostile": field([b"b", b"h</title><script>", b"x\"'><img src=x onerror=1>", b"p</script>=<!--", b"t&lt;=&#60;", b"ajavascript:alert(1)", b"v]]>", b"m<svg>=ninjab"]),
        "numbers": field([b"c", b"mval/loss=ninj\x00\x02\x04\x06\x08\x0a\x0c\x0e\x10", b"wval/auc", b"mval/auc=\x10\x12\x14", b"s\x10\x20\x30\x05"]),
        "bare": b"a",
    })  # fmt: skip


if __name__ == "__main__":
    tracking()
    lambda_functions()
    settings()
    runs()
    models()
    data()
    datasets()
