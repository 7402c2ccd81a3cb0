"""All benchmarks, one after the other, each in a process of its own.

    python -m benchmarks            a few minutes
    python -m benchmarks --full     an hour or so

Results are printed; the JSON lines are also appended to benchmarks/results/results.jsonl. What
needs data that do not ship with ppgen is left out unless PPGEN_DATA names their folder.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "results.jsonl"
QUICK = {
    "import_time": [],
    "gmm_vs_sklearn": ["--repeats", "1", "--seeds", "1"],
    "gmm_times": ["--repeats", "1"],
    "factor_vs_sklearn": ["--pairs", "1"],
    "uai_problems": [],
    "bayesnet_queries": ["--queries", "10"],
    "network_em": [],
    "network_parameters": [],
    "network_files": [],
    "bayesnet_structure": ["--orders", "3", "--sections", "orders", "sachs"],
    "edge_posterior": [],
    "network_states": [],
    "mixed_networks": [],
    "network_study": ["--tables", "penguins", "--seeds", "1", "--budget", "20s"],
    "flow_vs_zuko": ["--minutes", "1"],
    "vae_ppca": [],
    "vae_mnist": ["--sections", "speed", "--pairs", "3"],
    "diffusion_step": ["--pairs", "5"],
    "diffusion_toys": ["--minutes", "1", "--seeds", "0"],
    "gan_step": ["--pairs", "5"],
    "gan_grid": ["--seeds", "0"],
    "gan_mnist": ["--minutes", "1"],
    "gan_adult": ["--minutes", "1"],
    "diffusion_mnist": ["--minutes", "1", "--samples", "500"],
    "diffusion_adult": ["--minutes", "1"],
    "diffusion_small_tables": ["--tables", "iris", "--seeds", "0", "--seconds", "5"],
    "cyclegan_digits": ["--speed", "5"],
    "debiasing": [],
    "diffusion_samplers": [],
    "diffusion_conditioning": ["--rows", "20", "--particles", "500"],
    "diffusion_likelihood": ["--rows", "30"],
    "calibration": [],
    "pair_nuts": ["--pairs", "1"],
    "svi_step": ["--pairs", "3"],
    "posteriordb": ["--posteriors", "sblrc-blr", "mesquite-mesquite"],
    "outliers": ["--sets", "glass", "wine"],
}
FULL = {
    "import_time": [],
    "gmm_vs_sklearn": ["--sections", "speed", "quality", "scaling"],
    "gmm_times": ["--repeats", "5"],
    "factor_vs_sklearn": [],
    "uai_problems": [],
    "bayesnet_queries": [],
    "network_em": [],
    "network_parameters": [],
    "network_files": [],
    "bayesnet_structure": ["--pgmpy"],
    "edge_posterior": [],
    "network_states": ["--cutset", "8"],
    "mixed_networks": ["--repeats", "25"],
    "network_study": [],
    "flow_vs_zuko": ["--minutes", "1", "5", "10"],
    "vae_ppca": [],
    "vae_mnist": ["--sections", "speed", "scoring", "bound", "--minutes", "10", "20"],
    "diffusion_step": [],
    "diffusion_toys": [],
    "gan_step": [],
    "gan_grid": ["--refine"],
    "gan_mnist": [],
    "gan_adult": [],
    "diffusion_adult": [],
    "diffusion_small_tables": [],
    "gan_progressive": [],
    "diffusion_mnist": [],
    "diffusion_prompts": [],
    "diffusion_faces": [],
    "cyclegan_digits": [],
    "embeddings": [],
    "image_features": ["--seeds", "2"],
    "debiasing": [],
    "diffusion_samplers": ["--sections", "methods", "grids"],
    "diffusion_conditioning": [],
    "diffusion_likelihood": ["--seeds", "0", "1", "2"],
    "calibration": ["--full"],
    "early_stopping": [],
    "pair_nuts": [],
    "svi_step": [],
    "posteriordb": ["--seeds", "0", "1"],
    "outliers": ["--seeds", "0", "1", "2"],
}
NEED_DATA = (
    "early_stopping",
    "pair_nuts",
    "posteriordb",
    "uai_problems",
    "bayesnet_queries",
    "network_em",
    "network_parameters",
    "network_files",
    "bayesnet_structure",
    "edge_posterior",
    "network_states",
    "mixed_networks",
    "network_study",
    "flow_vs_zuko",
    "vae_mnist",
    "gan_mnist",
    "gan_adult",
    "diffusion_adult",
    "diffusion_small_tables",
    "gan_progressive",
    "diffusion_mnist",
    "diffusion_prompts",
    "diffusion_faces",
    "cyclegan_digits",
    "embeddings",
    "image_features",
    "outliers",
)


def run(name: str, words: list[str]) -> int:
    """Run one benchmark, print what it prints and keep its JSON lines."""
    command = [sys.executable, str(HERE / f"{name}.py"), *words]
    print(f"\n== {name} {' '.join(words)}".rstrip(), flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
        RESULTS.open("a") as kept,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if line.startswith("{"):
                kept.write(line)
    return process.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="every size")
    failed = []
    for name, words in (FULL if parser.parse_args().full else QUICK).items():
        if name in NEED_DATA and "PPGEN_DATA" not in os.environ:
            print(f"\n== {name}: left out; set PPGEN_DATA to the folder of its data")
        elif run(name, words):
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
