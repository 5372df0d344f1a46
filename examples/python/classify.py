#!/usr/bin/env python3
"""Classifies text files with libfakenews through ctypes: classify.py [--library FILE] [--model MODEL] FILE…

One line a file: its name, the verdict, the probability that it is fake, reasons to trust the answer less. Needs Python and the shared library, nothing else."""

import argparse
import ctypes
import sys
from ctypes import POINTER, byref, c_char, c_char_p, c_double, c_int32, c_int64, c_size_t, c_uint32, c_void_p
from pathlib import Path

# The structs of <fakenews/fakenews.h>. Those that a later version may lengthen go with their size, so a class that is
# shorter than the library's (this file is older) or longer (it is newer) is understood.


class Error(ctypes.Structure):
    _fields_ = [("status", c_int32), ("message", c_char * 1020)]


class Info(ctypes.Structure):
    _fields_ = [("id", c_char_p), ("checksum", c_char_p), ("family", c_char_p), ("calibration", c_char_p), ("card", c_char_p),
                ("labels", POINTER(c_char_p)), ("n_labels", c_int32), ("fake", c_int32), ("has_encoder", c_int32),
                ("has_linear", c_int32), ("reads", c_int32), ("reads_known", c_int32), ("max_tokens", c_int32),
                ("max_positions", c_int32)]  # fmt: skip


class Options(ctypes.Structure):
    _fields_ = [("struct_size", c_uint32), ("n_threads", c_uint32), ("part", c_int32), ("reads", c_int32),
                ("long_texts", c_int32), ("cpu_level", c_int32), ("max_tokens", c_uint32), ("max_windows", c_uint32),
                ("batch_tokens", c_uint32), ("reserved", c_uint32), ("prior", c_double), ("unsure", c_double)]  # fmt: skip


class Article(ctypes.Structure):
    _fields_ = [("title", c_char_p), ("title_length", c_size_t), ("text", c_char_p), ("text_length", c_size_t)]


class Prediction(ctypes.Structure):
    _fields_ = [("status", c_int32), ("verdict", c_int32), ("message", c_char_p), ("label", c_int32), ("calibrated", c_int32),
                ("reasons", c_uint32), ("n_windows", c_int32), ("n_tokens", c_int64), ("probability", c_double),
                ("label_probability", c_double), ("logit", c_double), ("encoder_logit", c_double), ("linear_logit", c_double),
                ("window_logits", POINTER(c_double)), ("truncated", c_int32), ("reserved", c_int32)]  # fmt: skip


class FakenewsError(Exception):
    """A call that failed; str() is the library's message."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status  # "invalid", "not_found" …


def load(path="libfakenews.so.0"):
    library = ctypes.CDLL(path)
    library.fakenews_version.restype = c_char_p
    library.fakenews_status_name.restype = c_char_p
    library.fakenews_status_name.argtypes = [c_int32]
    library.fakenews_verdict_name.restype = c_char_p
    library.fakenews_verdict_name.argtypes = [c_int32]
    library.fakenews_reason_name.restype = c_char_p
    library.fakenews_reason_name.argtypes = [c_uint32]
    library.fakenews_classifier_open.argtypes = [POINTER(c_void_p), c_char_p, POINTER(Error)]
    library.fakenews_classifier_close.argtypes = [c_void_p]
    library.fakenews_classifier_close.restype = None
    library.fakenews_classifier_get_info.argtypes = [c_void_p, c_size_t, c_void_p, POINTER(Error)]
    library.fakenews_session_create.argtypes = [POINTER(c_void_p), c_void_p, c_void_p, POINTER(Error)]
    library.fakenews_session_destroy.argtypes = [c_void_p]
    library.fakenews_session_destroy.restype = None
    library.fakenews_session_classify.argtypes = [c_void_p, c_size_t, c_void_p, POINTER(Article), c_size_t, POINTER(Error)]
    return library


class Classifier:
    """A model and one session over it: `with Classifier(model) as c: c.classify([(title, text), …])`. model None is the
    bundled one. Use one per thread; ctypes lets other threads run during a call."""

    def __init__(self, model=None, library=None, **options):
        self.library, self.handle, self.session = library or load(), c_void_p(), c_void_p()
        self.call(self.library.fakenews_classifier_open, byref(self.handle), None if model is None else str(model).encode())
        try:
            info = Info()
            self.call(self.library.fakenews_classifier_get_info, byref(info), ctypes.sizeof(info), self.handle)
            self.id = info.id.decode()
            self.labels = [info.labels[i].decode() for i in range(info.n_labels)]
            settings = Options(struct_size=ctypes.sizeof(Options), **options)
            self.call(self.library.fakenews_session_create, byref(self.session), self.handle, byref(settings))
        except Exception:
            self.close()
            raise

    def call(self, function, *arguments):
        error = Error()
        status = function(*arguments, byref(error))
        if status:
            raise FakenewsError(self.library.fakenews_status_name(status).decode(), error.message.decode())

    def close(self):
        self.library.fakenews_session_destroy(self.session)
        self.library.fakenews_classifier_close(self.handle)
        self.session, self.handle = c_void_p(), c_void_p()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def verdict(self, prediction):
        return self.library.fakenews_verdict_name(prediction.verdict).decode()

    def reasons(self, prediction):
        bits = (1 << i for i in range(32))
        return [self.library.fakenews_reason_name(bit).decode() for bit in bits if prediction.reasons & bit]

    def classify(self, articles):
        """[(title, text), …], each str or None, to a list of Prediction in the same order. Their window_logits are gone
        with the next call."""
        encoded = [[(part or "").encode("utf-8", "surrogateescape") for part in article] for article in articles]
        inputs = (Article * len(encoded))(*(Article(title, len(title), text, len(text)) for title, text in encoded))
        outputs = (Prediction * len(encoded))()
        self.call(self.library.fakenews_session_classify, outputs, ctypes.sizeof(Prediction), self.session, inputs, len(encoded))
        return list(outputs)


def main():
    parser = argparse.ArgumentParser(description="Classify text files.")
    parser.add_argument("--library", default="libfakenews.so.0")
    parser.add_argument("--model", help="a packed file or a model directory; without it the bundled one")
    parser.add_argument("files", nargs="+", metavar="FILE")
    arguments = parser.parse_args()
    try:
        with Classifier(arguments.model, load(arguments.library)) as classifier:
            texts = [Path(name).read_text(encoding="utf-8", errors="surrogateescape") for name in arguments.files]
            answers = classifier.classify([(None, text) for text in texts])
            for name, p in zip(arguments.files, answers):
                if p.status:
                    print(f"{name}: {p.message.decode()}", file=sys.stderr)
                else:
                    print(name, classifier.verdict(p), f"{p.probability:.6f}", ",".join(classifier.reasons(p)), sep="\t")
            return 1 if any(p.status for p in answers) else 0
    except (FakenewsError, OSError) as failure:
        print(f"classify.py: {failure}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
