"""Google Benchmark programs of bench/micro."""

import json
import subprocess

from harness.stage import BIN


def run(program, pattern="."):
    """→ (name without its arguments, the arguments as numbers, the result) of each benchmark."""
    answer = subprocess.run([f"{BIN}/{program}", "--benchmark_format=json", f"--benchmark_filter={pattern}"],
                            check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for result in json.loads(answer.stdout)["benchmarks"]:
        if result.get("error_occurred"):
            raise SystemExit(f"bench/run: {result['name']}: {result['error_message']}")
        words = result["name"].split("/")
        name = [word for word in words if not word.isdigit() and ":" not in word
                and word not in ("real_time", "process_time")]
        yield "/".join(name), [int(word) for word in words if word.isdigit()], result
