# Makes vectors.json beside it: small isolation forests of scikit-learn, node by node, with what it says of
# some rows. The test builds the same trees and must say the same to 1e-9. Run it by hand with Debian's
# python3-sklearn (1.2.1 made the file that is here): /usr/bin/python3 vectors.py > vectors.json
import json
import sys

import numpy as np
import sklearn
from sklearn.ensemble import IsolationForest


def table(rng, n, dims):
    x = rng.normal(size=(n, dims))
    x[:, 1] = np.exp(x[:, 1])
    x[:, 2] = np.round(3 * x[:, 2])
    x[: n // 4] = x[n // 4 : n // 4 + n // 4]
    if dims > 3:
        x[:, 3] = 7
    # scikit-learn rounds rows to single precision before it compares them.
    return x.astype(np.float32).astype(np.float64)


def nodes(tree):
    t = tree.tree_
    return {
        "feature": t.feature.tolist(),
        "cut": t.threshold.tolist(),
        "left": t.children_left.tolist(),
        "right": t.children_right.tolist(),
        "rows": t.n_node_samples.tolist(),
    }


cases = []
for seed, (n, dims, trees, sample, contamination) in enumerate(
    [(400, 5, 12, 256, "auto"), (400, 5, 12, 64, 0.1), (90, 3, 8, 256, 0.05), (40, 4, 5, 2, 0.5), (300, 4, 9, 100, 0.013)]
):
    rng = np.random.default_rng(seed)
    x = table(rng, n, dims)
    forest = IsolationForest(
        n_estimators=trees, max_samples=min(sample, n), contamination=contamination, random_state=seed
    ).fit(x)
    rows = np.concatenate([x[:30], table(rng, 20, dims) * 4, np.zeros((1, dims))]).astype(np.float32).astype(np.float64)
    cases.append(
        {
            "dims": dims,
            "sample": int(forest.max_samples_),
            "contamination": 0 if contamination == "auto" else contamination,
            "trees": [nodes(t) for t in forest.estimators_],
            "fitted": x.ravel().tolist() if contamination != "auto" else [],
            "rows": rows.ravel().tolist(),
            "score_samples": forest.score_samples(rows).tolist(),
            "offset": float(forest.offset_),
            "decision": forest.decision_function(rows).tolist(),
            "predict": forest.predict(rows).tolist(),
        }
    )
json.dump({"scikit-learn": sklearn.__version__, "cases": cases}, sys.stdout)
print()
