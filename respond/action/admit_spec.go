package action

import (
	"fmt"
	"strings"

	"github.com/firebreak-io/firebreak/internal/kube"
)

// admitSpec is CEL that is true of an update that changes nothing of these
// parts of an object, and of its metadata only what is Firebreak's own. CEL
// can't say "all but one field", so what is not to change is listed: a field
// that a later Kubernetes adds is not in it.
func admitSpec(parts ...string) string {
	all := []string{"variables.ours", kube.SameLabels}
	for _, p := range parts {
		all = append(all, fmt.Sprintf("has(object.%[1]s) == has(oldObject.%[1]s) && (!has(object.%[1]s) || object.%[1]s == oldObject.%[1]s)", p))
	}
	return strings.Join(all, " && ")
}

// specParts are the fields of the spec of a workload, less one.
func specParts(x Resource, less string) (parts []string) {
	for _, f := range map[Resource][]string{
		deployments: {"replicas", "selector", "template", "strategy", "minReadySeconds", "revisionHistoryLimit", "paused", "progressDeadlineSeconds"},
		statefulSets: {
			"replicas", "selector", "template", "volumeClaimTemplates", "serviceName", "podManagementPolicy", "updateStrategy",
			"revisionHistoryLimit", "minReadySeconds", "persistentVolumeClaimRetentionPolicy", "ordinals",
		},
		daemonSets: {"selector", "template", "updateStrategy", "minReadySeconds", "revisionHistoryLimit"},
		cronJobs: {
			"schedule", "timeZone", "startingDeadlineSeconds", "concurrencyPolicy", "suspend", "jobTemplate",
			"successfulJobsHistoryLimit", "failedJobsHistoryLimit",
		},
		jobs: {
			"parallelism", "completions", "activeDeadlineSeconds", "podFailurePolicy", "successPolicy", "backoffLimit", "backoffLimitPerIndex",
			"maxFailedIndexes", "selector", "manualSelector", "template", "ttlSecondsAfterFinished", "completionMode", "suspend",
			"podReplacementPolicy", "managedBy",
		},
	}[x] {
		if f != less {
			parts = append(parts, "spec."+f)
		}
	}
	return parts
}

// admitField lets an update change one field of a workload's spec.
func admitField(field string) func(Resource) string {
	return func(x Resource) string { return admitSpec(specParts(x, field)...) }
}
