"""Compare codes, scores, samples and histories with those of an earlier commit, bit for bit.

Run ``python -m benchmarks.same_numbers``. The earlier commit, 0f01f7a, is extracted from git into a
temporary folder; both versions fit the same configurations to the same tables in processes of
their own, and continue from the model files that the earlier commit wrote. Differences are allowed
where ``EXPECTED`` lists them, each with its reason. The exit status is 1 if another difference is
found.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

COMMIT = "0f01f7a"
ROOT = Path(__file__).parents[1]
FILES = ROOT / "tests" / "estimators" / "files"

_SEEDS = (
    "the seed of a stream is no longer the seed of the fit plus a constant, which is the seed of "
    "the first stream of another fit"
)
EXPECTED: dict[str, str] = {
    "early stopping": f"split and noise of the validation rows: {_SEEDS}",
    "three starts": f"noise by which starts are compared: {_SEEDS}",
    "ClusteredInteLVAE short": f"order of the rows in pretraining: {_SEEDS}",
    "dropout": f"noise of dropout: {_SEEDS}",
    "zero and non-zero weights": "rows of weight 0 had an effect on batches and statistics",
    "soft-intro with vamp-init-mixture": (
        "the objective no longer tells the prior when the game begins: its hold is a parameter, "
        "which SoftIntroVAE sets"
    ),
}
"""Configurations whose numbers differ, and why."""


def tables() -> dict[str, np.ndarray]:
    """Return the two tables: images of digits, and measurements of tumors."""
    from sklearn.datasets import load_breast_cancer, load_digits
    from sklearn.preprocessing import StandardScaler

    cancer = StandardScaler().fit_transform(load_breast_cancer().data[:300])
    return {
        "digits": (load_digits().data[:300] / 16).astype(np.float32),
        "cancer": (cancer / np.abs(cancer).max()).astype(np.float32),
    }


def configurations(old: bool) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Yield name, estimator and further arguments of fit, with the names of either version."""
    import torch

    from sklearn_intelvae import PCL, ClusteredInteLVAE, InteLVAE, SoftIntroVAE, SparseInteLVAE
    from sklearn_intelvae.likelihoods import Gaussian
    from sklearn_intelvae.mappings import (
        Clusters,
        Compose,
        DimensionSelector,
        Flow,
        Linear,
        OnComponents,
        Sphere,
        StraightThrough,
    )

    small: dict[str, Any] = {"hidden_layer_sizes": (32,), "max_iter": 15, "random_state": 0}
    output = "codes" if old else "output"

    def vae(n_components: int = 4, **params: Any) -> InteLVAE:
        return InteLVAE(n_components, **small | params)

    long = {"max_iter": 25}  # 200 steps or more, without pretraining
    for mapping in ("identity", "sphere", "sparse", "hierarchy", "flow", "ica"):
        yield f"mapping {mapping}", vae(mapping=mapping), {}
    yield "mapping clusters", vae(mapping="clusters", **long), {}
    matrix = np.random.default_rng(0).normal(size=(5, 4))
    objects = {
        "glue": (vae(2, mapping="glue", max_iter=40)),
        "linear": vae(mapping=Linear(matrix)),
        "compose": vae(mapping=Compose(Clusters(3), DimensionSelector()), **long),
        "components": vae(
            mapping=OnComponents(Clusters(2, learn_proportions=True), (0, 2)), **long
        ),
        "straight through": vae(mapping=StraightThrough(Sphere(), Flow())),
        "function": vae(mapping=torch.tanh),
    }
    for name, estimator in objects.items():
        yield f"mapping {name}", estimator, {}
    for prior in ("mixture", "vamp", "laplace", "spike-and-slab"):
        yield f"prior {prior}", vae(prior=prior), {}
    name = "vamp-mixture" if old else "vamp-init-mixture"
    yield "prior vamp-init-mixture", vae(prior=name), {}
    yield "posterior full", vae(posterior="full", prior="laplace"), {}
    for objective in ("annealed-capacity", "beta-tc", "factor", "dip", "slow", "autoencoder"):
        yield f"objective {objective}", vae(objective=objective), {}
    yield "objective soft-intro", vae(objective="soft-intro"), {}
    name = "vamp-mixture" if old else "vamp-init-mixture"
    game = vae(objective="soft-intro", prior=name)
    yield "soft-intro with vamp-init-mixture", game, {}
    yield "objective beta schedule", vae(beta=lambda share: 4 * share), {}
    yield "likelihood bernoulli", vae(likelihood="bernoulli"), {"positive": True}
    yield "likelihood laplace", vae(likelihood="laplace"), {}
    yield "likelihood per feature", vae(likelihood=Gaussian("per_feature")), {}
    yield "SparseInteLVAE", SparseInteLVAE(6, **small), {}
    yield "ClusteredInteLVAE", ClusteredInteLVAE(3, **small | long), {}
    yield "ClusteredInteLVAE short", ClusteredInteLVAE(3, **small | {"max_iter": 5}), {}
    starts = {"vae_warmup": 0.2, "game_warmup": 0.2} if old else {"game_start": 0.2}
    yield "SoftIntroVAE", SoftIntroVAE(3, **starts, **small), {}
    yield "SoftIntroVAE sphere", SoftIntroVAE(3, mapping="sphere", **starts, **small), {}
    yield "SoftIntroVAE mixture", _game_with_mixture(old, starts | small), {}
    yield "SoftIntroVAE vamp", _game_with_vamp(old, starts | small), {}
    yield "PCL", PCL(3, **small), {}
    yield "outputs side by side", vae(mapping="sphere", **{output: "both"}), {}
    yield "early stopping", vae(early_stopping=True), {}
    yield "three starts", vae(n_init=3), {}
    torch.manual_seed(0)
    encoder = torch.nn.Sequential(torch.nn.Linear(64, 16), torch.nn.Dropout(0.2))
    yield "dropout", vae(encoder=encoder), {"only": "digits"}
    yield "weights", vae(), {"weighted": True}
    yield "weights clusters", vae(mapping="clusters", **long), {"weighted": True}
    yield "zero and non-zero weights", vae(), {"weighted": True, "zeros": True}
    yield "images", vae(image_shape=(1, 8, 8)), {"only": "digits"}


def _game_with_mixture(old: bool, settings: dict[str, Any]) -> Any:
    from sklearn_intelvae import SoftIntroVAE, priors

    if old:
        return SoftIntroVAE(
            3, prior="mixture", n_prior_components=5, responsibility=1.0, **settings
        )
    prior = priors.VampInitMixture(n_modes=5)
    return SoftIntroVAE(3, prior=prior, responsibility_weight=1.0, **settings)


def _game_with_vamp(old: bool, settings: dict[str, Any]) -> Any:
    from sklearn_intelvae import SoftIntroVAE, priors

    if old:
        return SoftIntroVAE(3, prior="vamp", n_prior_components=5, **settings)
    return SoftIntroVAE(3, prior=priors.Vamp(n_modes=5), **settings)


def numbers(estimator: Any, X: np.ndarray, options: dict[str, Any]) -> dict[str, Any]:
    """Fit, continue, and return everything that is to be compared."""
    if options.get("positive"):
        X = np.abs(X)
    arguments = {}
    if options.get("weighted"):
        weight = np.random.default_rng(0).uniform(0.5, 2, len(X))
        weight[:40] *= 0 if options.get("zeros") else 1
        arguments["sample_weight"] = weight
    estimator.fit(X, **arguments)
    found = {"codes": estimator.transform(X), "score": estimator.score(X)}
    found["history"] = _history(estimator)
    if hasattr(estimator, "sample"):
        found["scores"] = estimator.score_samples(X)
        found["samples"] = estimator.sample(50)
        found["noisy samples"] = estimator.sample(50, noise=True, random_state=1)
        found["posterior"] = np.concatenate(estimator.encode(X))
        found["reconstruction"] = estimator.reconstruct(X)
    if hasattr(estimator, "predict"):
        found["labels"] = estimator.predict(X)
    estimator.partial_fit(X, **arguments)
    found["codes after partial_fit"] = estimator.transform(X)
    return found


def numbers_of_file(path: Path) -> dict[str, Any]:
    """Load a model that the earlier commit wrote, continue, and return the same."""
    from safetensors import safe_open

    import sklearn_intelvae

    with safe_open(path, "np") as file:
        cls = getattr(sklearn_intelvae, json.loads(file.metadata()["content"])["class"])
    estimator, X = cls.load(path), np.load(FILES / "expected.npz")["X"]
    found = {"codes": estimator.transform(X), "score": estimator.score(X)}
    estimator.partial_fit(X)
    return found | {"codes after partial_fit": estimator.transform(X)}


def _history(estimator: Any) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k != "dur"} for row in estimator.history_]


def dump(path: Path, old: bool, only: str | None) -> None:
    """Run every configuration on every table and pickle what is found."""
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    found = {}
    for file in sorted(FILES.glob("*.safetensors")):
        if not file.stem.startswith("own_") and (not only or only in file.stem):
            found["file", file.stem] = numbers_of_file(file)  # own_ needs a class of the user
    for table, X in tables().items():
        for name, estimator, options in configurations(old):
            if options.get("only", table) != table or (only and only not in name):
                continue
            try:
                found[table, name] = numbers(estimator, X, options)
            except Exception as error:
                found[table, name] = {"error": f"{type(error).__name__}: {error}"}
                print(table, name, found[table, name], flush=True)
    path.write_bytes(pickle.dumps(found))


def differences(ours: Any, theirs: Any) -> Iterator[str]:
    """Yield the names of what is not equal bit for bit."""
    for name in ours.keys() | theirs.keys():
        a, b = ours.get(name), theirs.get(name)
        if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
            if not np.array_equal(a, b, equal_nan=True):
                yield f"{name} (by {_gap(a, b):.2g})"
        elif repr(a) != repr(b):
            yield name


def _gap(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max()) if a.shape == b.shape else np.inf


def _run(folder: Path, path: Path, flags: list[str]) -> None:
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--dump", str(path), *flags]
    subprocess.run(command, check=True, env=environment, cwd=path.parent)


def compare(report: Callable[[str], None], only: str | None, baseline: Path | None) -> bool:
    """Run both versions and report each configuration; return whether all is as expected."""
    flags = ["--only", only] if only else []
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        if baseline is None or not baseline.exists():
            archive = subprocess.run(
                ["git", "archive", COMMIT], cwd=ROOT, check=True, capture_output=True
            )
            (here / "old").mkdir()
            subprocess.run(["tar", "-x", "-C", here / "old"], input=archive.stdout, check=True)
            _run(here / "old", baseline or here / "old.pickle", [*flags, "--old"])
        _run(ROOT, here / "new.pickle", flags)
        theirs = pickle.loads((baseline or here / "old.pickle").read_bytes())
        ours = pickle.loads((here / "new.pickle").read_bytes())
    return _judge(report, ours, theirs)


def _judge(report: Callable[[str], None], ours: Any, theirs: Any) -> bool:
    good, equal = True, 0
    for key, found in ours.items():
        table, name = key
        other = sorted(differences(found, theirs[key]))
        expected = EXPECTED.get(name)
        if other:
            note = f"expected: {expected}" if expected else "NOT EXPECTED"
            report(f"{table}, {name}: {', '.join(other)}; {note}")
        equal += not other
        good &= not other or expected is not None
    report(f"{equal} of {len(ours)} fits and files are equal bit for bit to those of {COMMIT}")
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dump", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--old", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--only", help="compare only configurations whose name holds this text")
    parser.add_argument("--baseline", type=Path, help="keep the earlier commit's numbers here")
    options = parser.parse_args()
    if options.dump:
        dump(options.dump, options.old, options.only)
    else:
        sys.exit(not compare(print, options.only, options.baseline))


if __name__ == "__main__":
    main()
