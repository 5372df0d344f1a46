#!/usr/bin/env python3
"""Writes src/text/unicode_tables.c: what the Hugging Face `tokenizers` engine does with every Unicode code point.

    pip install tokenizers==0.23.3
    python3 tools/unicode_tables.py > src/text/unicode_tables.c        (about two minutes)
    python3 tools/unicode_tables.py --check                            exit 1 when the committed file differs

Nothing is taken from Python's unicodedata or from a Unicode library: the engine mixes tables of several Unicode versions
(categories, decompositions, lower case, regex classes), so the only source of truth is the engine, asked one code
point at a time. The file names the version asked.
"""
import argparse
import functools
import pathlib
import sys

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

OUT = pathlib.Path(__file__).resolve().parent.parent / "src" / "text" / "unicode_tables.c"
BLOCK_BITS = 7
ALL = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
# Flags: the same list as enum fn_char_flag in src/text/unicode.h.
REMOVED, BLANK, CJK, SPACE, PUNCTUATION, MARK, WORD, MULTI_LOWER = (1 << i for i in range(8))

S_BASE, V_BASE, T_BASE, L_BASE, V_COUNT, T_COUNT, S_COUNT = 0xAC00, 0x1161, 0x11A7, 0x1100, 21, 28, 11172


def bert(**on):
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**off, **on}).normalize_str


def need(condition, what):
    if not condition:
        sys.exit(f"unicode_tables: the engine does not behave as the tables assume: {what}")


def hangul(c):
    s = c - S_BASE
    out = [L_BASE + s // (V_COUNT * T_COUNT), V_BASE + s % (V_COUNT * T_COUNT) // T_COUNT]
    return out + ([T_BASE + s % T_COUNT] if s % T_COUNT else [])


def combining_order(nfd, decomposed):
    """Rank of each code point in canonical ordering (0 = starter). Only comparisons matter, so ranks replace classes:
    a sorts before b when the engine swaps "ba"."""
    high, low = "\u0345", "\u0334"  # the last and the first class
    moved = [c for c in ALL if not decomposed.get(c)
             and (nfd("a" + high + chr(c)) != "a" + high + chr(c) or nfd("a" + chr(c) + low) != "a" + chr(c) + low)]
    marks = sorted({ord(high), ord(low), *moved})

    def before(a, b):
        return a != b and nfd("a" + chr(b) + chr(a)) == "a" + chr(a) + chr(b)

    classes = []  # lists of equal rank
    for c in marks:
        for members in classes:
            if not before(c, members[0]) and not before(members[0], c):
                members.append(c)
                break
        else:
            classes.append([c])
    classes.sort(key=functools.cmp_to_key(lambda x, y: -1 if before(x[0], y[0]) else int(before(y[0], x[0]))))
    return {c: rank for rank, members in enumerate(classes, 1) for c in members}, len(classes) + 1


def added_token_classes():
    """What single_word counts as a word character and rstrip as a space (the engine's regex classes)."""
    def engine(**flags):
        t = Tokenizer(models.WordPiece({"[UNK]": 0, "T": 1}, unk_token="[UNK]"))
        t.add_tokens([AddedToken("T", normalized=False, **flags)])
        return t

    single, right = engine(single_word=True), engine(rstrip=True)
    word, space = set(), set()
    for start in range(0, len(ALL), 50000):
        part = ALL[start:start + 50000]
        texts = ["T" + chr(c) for c in part]
        for c, e in zip(part, single.encode_batch(texts, add_special_tokens=False)):
            # "T" followed by a letter is no token of its own; a T that is the text itself is not asked here
            if c != ord("T") and 1 not in e.ids:
                word.add(c)
        for c, e in zip(part, right.encode_batch(texts, add_special_tokens=False)):
            if e.offsets[0] == (0, 2):
                space.add(c)
    word.add(ord("T"))
    return word, space


def ask():
    nfd, lower = normalizers.NFD().normalize_str, normalizers.Lowercase().normalize_str
    clean, cjk, strip = bert(clean_text=True), bert(handle_chinese_chars=True), bert(strip_accents=True)
    bert_lower = bert(lowercase=True)
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    flags, decomposed, lowered = dict.fromkeys(ALL, 0), {}, {}
    for c in ALL:
        s = chr(c)
        kept = clean(s)
        need(kept in ("", " ", s), f"clean_text of U+{c:04X}")
        flags[c] |= REMOVED if kept == "" else BLANK if kept == " " else 0
        spaced = cjk(s)
        need(spaced in (s, f" {s} "), f"handle_chinese_chars of U+{c:04X}")
        flags[c] |= CJK if spaced != s else 0
        pieces = [p for p, _ in split("a" + s + "a")]
        need(pieces in (["a" + s + "a"], ["a", "a"], ["a", s, "a"]), f"pre-tokenizer at U+{c:04X}")
        flags[c] |= SPACE if pieces == ["a", "a"] else PUNCTUATION if len(pieces) == 3 else 0
        d = nfd(s)
        if d != s:
            if S_BASE <= c < S_BASE + S_COUNT:
                need([ord(x) for x in d] == hangul(c), f"Hangul decomposition of U+{c:04X}")
            else:
                decomposed[c] = [ord(x) for x in d]
        else:
            need(not S_BASE <= c < S_BASE + S_COUNT, f"Hangul decomposition of U+{c:04X}")
        low = lower(s)
        need(low == bert_lower(s) and low, f"lower case of U+{c:04X}")
        if low != s:
            lowered[c] = [ord(x) for x in low]
        kept = strip("a" + s)
        if d == s and kept == "a":
            flags[c] |= MARK
        need(kept in ("a" + s, "a") or d != s, f"strip_accents of U+{c:04X}")
    for c, d in decomposed.items():
        need(all(x not in decomposed for x in d), f"decomposition of U+{c:04X} is not full")
        need(strip("a" + chr(c)) == "a" + "".join(chr(x) for x in d if not flags[x] & MARK), f"strip of U+{c:04X}")
    rank, n_ranks = combining_order(nfd, decomposed)
    for c, d in decomposed.items():  # nothing after a mark is a starter: the normaliser may emit starters at once
        r = [rank.get(x, 0) for x in d]
        need(all(b or not a for a, b in zip(r, r[1:])), f"decomposition of U+{c:04X} has a starter after a mark")
        need(r == sorted(r), f"decomposition of U+{c:04X} is not in canonical order")
    word, space = added_token_classes()
    for c in word:
        flags[c] |= WORD
    need(space == {c for c in ALL if flags[c] & SPACE}, "regex \\s differs from the pre-tokenizer's white space")
    need(all(flags[c] & SPACE for c in ALL if flags[c] & BLANK), "clean_text's white space is not white space")
    return flags, rank, n_ranks, decomposed, lowered


def rows(numbers, width=116):
    out, line = [], " "
    for n in numbers:
        piece = f"{n},"
        if len(line) + len(piece) > width:
            out.append(line)
            line = " "
        line += piece
    return "\n".join(out + [line])


def generate():
    flags, rank, n_ranks, decomposed, lowered = ask()
    pool, records, index = [], {}, []

    def pooled(seq):
        for i in range(len(pool) - len(seq) + 1):
            if pool[i:i + len(seq)] == seq:
                return i
        pool.extend(seq)
        return len(pool) - len(seq)

    for c in range(0x110000):
        if 0xD800 <= c <= 0xDFFF:
            key = (0, 0, 0, 0, 0)  # never looked up: not a character
        else:
            f, d, low = flags[c], decomposed.get(c, []), lowered.get(c, [c])
            if len(low) > 1:
                f, low_value = f | MULTI_LOWER, pooled([len(low), *low])
            else:
                low_value = low[0] - c
            key = (f, rank.get(c, 0), len(d), pooled(d) if d else 0, low_value)
        index.append(records.setdefault(key, len(records)))
    size = 1 << BLOCK_BITS
    blocks, stage1 = {}, []
    for start in range(0, 0x110000, size):
        stage1.append(blocks.setdefault(tuple(index[start:start + size]), len(blocks)))
    need(len(records) < 65536 and len(blocks) < 65536 and len(pool) < 65536, "tables outgrow 16 bits")
    stage2 = [i for block in blocks for i in block]
    version = tokenizers.__version__
    return f"""/* Generated by tools/unicode_tables.py from the behaviour of Hugging Face tokenizers {version}; do not edit.
 * {len(records)} records, {len(blocks)} blocks of {size} code points, {n_ranks - 1} combining classes. */
#include "text/unicode.h"

/* clang-format off */
const char fn_unicode_engine[] = "tokenizers {version}";
const uint32_t fn_unicode_pool[] = {{
{rows(pool)}
}};

/* flags, rank, n_decomposed, decomposed, lower */
const fn_char fn_unicode_records[] = {{
{rows("{" + ",".join(map(str, r)) + "}" for r in records)}
}};

const uint16_t fn_unicode_stage1[] = {{
{rows(stage1)}
}};

const uint16_t fn_unicode_stage2[] = {{
{rows(stage2)}
}};
/* clang-format on */
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the committed file instead of printing")
    arguments = parser.parse_args()
    text = generate()
    if arguments.check:
        if OUT.read_text() != text:
            sys.exit(f"{OUT} differs from what tokenizers {tokenizers.__version__} does")
        print(f"{OUT.name} is what tokenizers {tokenizers.__version__} does")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
