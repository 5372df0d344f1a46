"""Schemathesis as the judge of the whole API: requests made from the served OpenAPI document, good and bad ones, find no
5xx and no answer outside its status, media type and schema."""

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "cli"))

from serve_support import Served  # noqa: E402

CHECKS = ("not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
          "response_schema_conformance,unsupported_method")


def test_answers_are_as_described(program, tmp_path):
    with Served(program, tmp_path, "serve.workers=1") as server:
        done = subprocess.run(
            [Path(sys.executable).parent / "schemathesis", "run", f"{server.url}/openapi.json", "--checks", CHECKS,
             "--phases", "examples,coverage,fuzzing", "--max-examples", "30", "--seed", "2018",
             "--request-timeout", "60", "--suppress-health-check", "all", "--continue-on-failure", "--no-color"],
            cwd=tmp_path, capture_output=True, text=True, timeout=600,
            env={**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(HERE)})
        report = done.stdout + done.stderr
        assert done.returncode == 0, report[-8000:]
        tested, n_requests = re.search(r"Tested: (\d+)", report), re.search(r"(\d+) generated", report)
        assert tested and int(tested[1]) >= 40, report[-3000:]
        assert n_requests and int(n_requests[1]) >= 1000, report[-3000:]
        assert server.stop() == 0, server.log
