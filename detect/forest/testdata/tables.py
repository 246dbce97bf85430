# ROC AUC and average precision of scikit-learn's isolation forest over the tables that are named, one
# line each: name, the median AUC and the median precision over 10 seeds. `make bench-forest` runs it.
import os
import sys

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score

for name in sys.argv[2:]:
    with np.load(name) as table:
        x, y = table["X"].astype(np.float64), table["y"] != 0
    areas, precisions = [], []
    for seed in range(int(sys.argv[1])):
        forest = IsolationForest(n_estimators=100, max_samples=256, random_state=seed).fit(x)
        scores = -forest.score_samples(x)
        areas.append(roc_auc_score(y, scores))
        precisions.append(average_precision_score(y, scores))
    print(os.path.basename(name), np.median(areas), np.median(precisions), flush=True)
