#!/usr/bin/env python3
"""Writes src/infer/language_table.c: how much more often three neighbouring letters stand in English than in other languages
written with Latin letters.

    pip download --no-deps django==5.1 && unzip -q Django-5.1-*.whl 'django/*.po' -d PO
    tools/language_table.py --english SETS --other PO > src/infer/language_table.c
    tools/language_table.py --english SETS --other PO --measure

SETS: a folder of *.csv.gz with the columns title and text (the public sets of news that the project is developed with). PO:
message catalogues; Django's (BSD licence) exist in some 45 such languages. Only counts of letters go into the table.

--measure does not judge the table on what it was made of: English rows are scored by a table of the other half of the rows, a
language by a table that has neither it nor its nearest relatives. It is a plain twin of src/infer/language.c.
"""
import argparse
import collections
import csv
import gzip
import json
import math
import pathlib
import random
import re

LETTERS = 28  # 0 edge of a word, 1-26 a-z, 27 any other Latin letter
SIZE = LETTERS**3
SCALE, LIMIT = 32, 3.9  # a table entry is nats · SCALE, cut at ± LIMIT
FLOOR = 2e-6  # a share that no three letters fall below in the other languages: gibberish is not English
TITLE_WORDS, TEXT_WORDS = 40, 150
CAPITAL, EVIDENCE = 0.5, -2.0
OTHERS = """af sq az eu br bs ca hr cs da nl eo et fi fr gl de hu is id ga it lv lt lb ms nb nn pl pt pt_BR ro gd sr_Latn sk sl es
es_MX es_AR sw sv tr tk uz vi cy hsb dsb ast io ia kab ig""".split()
RELATIVES = ["nb nn da sv is", "de lb", "es es_MX es_AR gl ast ca", "pt pt_BR gl", "cs sk", "hr bs sr_Latn sl", "id ms",
             "tr az tk uz", "nl af", "fr", "it ia", "pl hsb dsb", "vi", "sw", "fi et", "hu", "ro", "sq", "lt lv", "cy br", "ga gd", "eu",
             "eo io", "kab", "ig"]  # fmt: skip
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def words(text, limit):
    """(word, begins with a capital); links, @names and #tags are left out."""
    plain = " ".join(t for t in text.split() if not (t[0] in "@#" or t.startswith("www.") or "://" in t))
    return [(w, w[0].isupper()) for w in WORD.findall(plain)[:limit]]


def trigrams(word):
    letters = [ord(c) - 96 if "a" <= c <= "z" else 27 for c in word.lower() if c not in "'’"]
    letters = [0, *letters, 0]
    for a, b, c in zip(letters, letters[1:], letters[2:]):
        yield (a * LETTERS + b) * LETTERS + c


def count(texts, limit, weight, into):
    for text in texts:
        for word, _ in words(text, limit):
            for t in trigrams(word):
                into[t] += weight


def table(english, others):
    """Log-odds in nats; every language has the same weight."""
    total, shares = sum(english.values()), collections.Counter()
    for counts in others:
        n = sum(counts.values())
        for t, c in counts.items():
            shares[t] += c / n / len(others)
    norm = 1 + SIZE * FLOOR
    out = []
    for t in range(SIZE):
        e = (english[t] + 0.5) / (total + 0.5 * SIZE)
        o = (shares[t] + FLOOR) / norm
        out.append(max(-LIMIT, min(LIMIT, math.log(e / o))))
    return out


def evidence(text, limit, scores):
    """(Σ log-odds, words): negative says not English."""
    found = words(text, limit)
    return sum((CAPITAL if capital else 1) * sum(scores[t] for t in trigrams(w)) for w, capital in found), len(found)


def catalogue(path):
    for match in re.finditer(r'^msgstr(?:\[\d\])? ((?:".*"\n)+)', path.read_text(encoding="utf-8"), re.MULTILINE):
        text = "".join(json.loads(line) for line in re.findall(r'".*"', match.group(1)))
        text = re.sub(r"%\(\w+\)[sd]|%[sdr]|\{\w*\}|<[^>]*>|\n", " ", text).strip()
        if text and "Django" not in text and "Content-Type" not in text:
            yield text


def read_others(folder):
    texts = {language: set() for language in OTHERS}
    for path in sorted(pathlib.Path(folder).rglob("locale/*/LC_MESSAGES/*.po")):
        if path.parts[-3] in texts:
            texts[path.parts[-3]].update(catalogue(path))
    return {language: sorted(t) for language, t in texts.items()}


def read_english(folder):
    csv.field_size_limit(1 << 30)
    rows = []
    for path in sorted(pathlib.Path(folder).glob("*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            rows += [(path.name.split(".")[0], r["title"] or "", r["text"] or "") for r in csv.DictReader(file)]
    random.Random(1).shuffle(rows)
    return rows


def count_english(rows):
    counts = collections.Counter()
    count((title for _, title, _ in rows), TITLE_WORDS, 3, counts)
    count((text for _, _, text in rows), TEXT_WORDS, 1, counts)
    return counts


def count_others(others):
    counts = {language: collections.Counter() for language in others}
    for language, texts in others.items():
        count(texts, 10**6, 1, counts[language])
    return counts


def measure(rows, others):
    halves = [rows[0::2], rows[1::2]]
    counts = count_others(others)
    alarms = collections.Counter()
    for fitted, judged in (halves, halves[::-1]):
        scores = table(count_english(fitted), list(counts.values()))
        for name, title, text in judged:
            for kind, value, limit in (("titles", title, TITLE_WORDS), ("texts", text, TEXT_WORDS)):
                total, n = evidence(value, limit, scores)
                if n >= 5:
                    alarms[name, kind] += 1
                    alarms[name, kind, "false"] += total < EVIDENCE
    for name, kind in sorted(k for k in alarms if len(k) == 2):
        wrong, n = alarms[name, kind, "false"], alarms[name, kind]
        print(f"{name:16} {kind:6} {wrong:4} of {n:6} rows said not to be English ({100 * wrong / n:.2f} %)")
    english = count_english(rows)
    for group in (g.split() for g in RELATIVES):
        scores = table(english, [c for language, c in counts.items() if language not in group])
        found = [evidence(t, 40, scores) for t in others[group[0]]]
        found = [(total, n) for total, n in found if n >= 5]
        caught = sum(total < EVIDENCE for total, _ in found)
        print(f"{group[0]:4} {caught:4} of {len(found):4} messages of 5 words or more found ({100 * caught / max(1, len(found)):.1f} %)")


def write(scores):
    print("/* Made by tools/language_table.py from counts of letters in English news and in Django's message catalogues; do not")
    print(" * edit. */")
    print('#include "infer/language.h"\n')
    print("/* clang-format off */")
    print(f"const int8_t fn_language_table[{SIZE}] = {{")
    values = [str(round(s * SCALE)) for s in scores]
    line = " "
    for value in values:
        if len(line) + len(value) + 2 > 128:
            print(line)
            line = " "
        line += f"{value},"
    print(line + "\n};")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--english", required=True)
    parser.add_argument("--other", required=True)
    parser.add_argument("--measure", action="store_true")
    args = parser.parse_args()
    rows, others = read_english(args.english), read_others(args.other)
    if args.measure:
        measure(rows, others)
    else:
        write(table(count_english(rows), list(count_others(others).values())))


if __name__ == "__main__":
    main()
