package action

import (
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// What the admission policy lets through, in CEL. The hold's label may be set
// or taken off; while it is there labels may only go, with it they may only
// come back.
const (
	heldBefore = "'" + HoldKey + "' in variables.oldLabels"
	heldAfter  = "'" + HoldKey + "' in variables.labels"

	ownLabel = "k.startsWith('" + event.AnnotationPrefix + "')"

	admitPod = "!variables.system && variables.ours && object.spec == oldObject.spec"

	// A pod is held after as it was before.
	admitHeld = "(" + heldBefore + ") == (" + heldAfter + ") && (!(" + heldAfter + ") || variables.labels['" + HoldKey + "'] == variables.oldLabels['" + HoldKey + "'])" +
		" && ('" + ProbesKey + "' in variables.oldLabels) == ('" + ProbesKey + "' in variables.labels)"

	// A patch that changes no label but keeps the hold as it is: its end moves,
	// or it fences an undo off.
	admitSame = admitPod + " && (" + heldBefore + ") == (" + heldAfter + ") && " + kube.SameLabels +
		" && (!(" + heldAfter + ") || variables.labels['" + HoldKey + "'] == '" + HoldQuarantine + "')"

	admitHold = "(" + admitSame + ") || " + admitPod +
		" && (" + heldBefore + " || " + heldAfter + ")" +
		" && (!(" + heldAfter + ") || variables.labels['" + HoldKey + "'] == '" + HoldQuarantine + "')" +
		" && variables.oldLabels.all(k, " + ownLabel + " || k in variables.labels || " + heldAfter + ")" +
		" && variables.labels.all(k, " + ownLabel +
		" || (k in variables.oldLabels ? variables.oldLabels[k] == variables.labels[k] : " + heldBefore + " && !(" + heldAfter + ")))"

	admitAnnotations = "!variables.system && variables.oursBut && object.spec == oldObject.spec && " + kube.SameLabels + " && " + admitHeld

	admitLabels = admitPod + " && " + admitHeld +
		" && variables.oldLabels.all(k, " + ownLabel + " || k in variables.labelKeys || k in variables.labels)" +
		" && variables.labels.all(k, " + ownLabel + " || k in variables.labelKeys || (k in variables.oldLabels && variables.oldLabels[k] == variables.labels[k]))"

	admitPolicy = "object.metadata.name == '" + HoldPolicyName + "'" +
		" && '" + kube.ManagedByLabel + "' in variables.labels && variables.labels['" + kube.ManagedByLabel + "'] == '" + kube.ManagedBy + "'" +
		" && !has(object.spec.podSelector.matchLabels) && has(object.spec.podSelector.matchExpressions)" +
		" && object.spec.podSelector.matchExpressions.exists(e, e.key == '" + HoldKey + "' && e.operator == 'Exists')" +
		" && (!has(object.spec.ingress) || size(object.spec.ingress) == 0) && (!has(object.spec.egress) || size(object.spec.egress) == 0)"

	admitEvent = "object.metadata.name.startsWith('firebreak-')" +
		" && '" + kube.ManagedByLabel + "' in variables.labels && variables.labels['" + kube.ManagedByLabel + "'] == '" + kube.ManagedBy + "'" +
		" && has(object.reportingController) && object.reportingController == '" + reportingController + "'"
)
