#!/usr/bin/env python3
"""Writes src/linear/chars_table.c: which code points are word characters for the linear family.

A word character is what Python's `\\w` takes for str: letters, digits, everything numeric, and the underscore. So the
tokens of src/linear are those of scikit-learn with token_pattern=r"\\w+|[^\\w\\s]". The committed table was made with
the Unicode version that its first line names; another Python makes another table and thereby another file format."""
import pathlib
import unicodedata


def ranges(predicate):
    found = []
    for code_point in range(0x80, 0x110000):
        if 0xD800 <= code_point < 0xE000 or not predicate(chr(code_point)):
            continue
        if found and found[-1][1] == code_point - 1:
            found[-1][1] = code_point
        else:
            found.append([code_point, code_point])
    return found


def main():
    words = ranges(str.isalnum)
    lines = [
        f"/* Made by tools/linear_tables.py from Unicode {unicodedata.unidata_version}; do not edit. */",
        '#include "linear/chars.h"',
        "",
        "/* clang-format off */",
        "const fn_char_range fn_word_ranges[] = {",
    ]
    row = " "
    for low, high in words:
        item = f" {{{low:#x},{high:#x}}},"
        if len(row) + len(item) > 118:
            lines.append(row)
            row = " "
        row += item
    lines += [row, "};", "/* clang-format on */", f"const size_t fn_n_word_ranges = {len(words)};", ""]
    target = pathlib.Path(__file__).resolve().parent.parent / "src" / "linear" / "chars_table.c"
    target.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
