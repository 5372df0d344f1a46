"""Runs a command on a terminal of a given width and tells what a person would see there."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios

from train_support import bare_environment


def open_terminal(columns):
    """(master, slave) of a pseudo-terminal with 24 lines."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    return master, slave


def read_all(master, timeout=120):
    seen = b""
    while select.select([master], [], [], timeout)[0]:
        try:
            block = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not block:
            break
        seen += block
    os.close(master)
    return seen.decode()


def on_terminal(arguments, cwd, columns=80, stdout=None, **environment):
    """(exit code, everything that reached the terminal). Standard output goes there too unless stdout says otherwise."""
    master, slave = open_terminal(columns)
    process = subprocess.Popen(list(map(str, arguments)), stdin=subprocess.DEVNULL, stdout=slave if stdout is None else stdout,
                               stderr=slave, cwd=cwd, env=bare_environment(cwd, **environment))
    os.close(slave)
    text = read_all(master)
    return process.wait(), text


def screen(text, columns=80):
    """The lines that stand on the terminal at the end: carriage returns, erased line ends and wrapping done,
    colours left out."""
    lines, column = [""], 0
    i = 0
    while i < len(text):
        c = text[i]
        if text.startswith("\033[K", i):
            lines[-1] = lines[-1][:column]
            i += 3
            continue
        colour = re.match(r"\033\[[0-9;]*m", text[i:])
        if colour:
            i += colour.end()
            continue
        assert c != "\033", text[i:i + 10]
        if c == "\r":
            column = 0
        elif c == "\n":
            lines.append("")
            column = 0
        else:
            if column == columns:
                lines.append("")
                column = 0
            lines[-1] = lines[-1][:column].ljust(column) + c + lines[-1][column + 1:]
            column += 1
        i += 1
    return lines
