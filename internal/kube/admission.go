package kube

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Admit is a write that an action makes: RBAC says that a resource may be
// patched, an admission policy what of it.
type Admit struct {
	Group, Resource string
	// Operation is CREATE, UPDATE (which patches are) or DELETE.
	Operation string
	// Expression is CEL that is true of such a write. Beside what CEL has in an
	// admission policy it may use the variables of [AdmissionManifest].
	Expression string
	// Anywhere says that it is made in protected namespaces too.
	Anywhere bool
}

// Admission says what the admission policy is for.
type Admission struct {
	To Account
	// Protected are the namespaces in which nothing is written, besides that of
	// the account and those that are marked as protected.
	Protected []string
	// LabelKeys are the labels that playbooks set on pods.
	LabelKeys []string
	// AnnotationKeys are the annotations that playbooks set on pods.
	AnnotationKeys []string
	Admits         []Admit
}

// The CEL that several actions need: SameLabels is true when no label changes
// but those of Firebreak's own prefix, OwnObject when the object that is made
// (or, [OwnOldObject], taken away) is one of Firebreak's own by its name and its
// label.
const (
	SameLabels = "variables.oldLabels.all(k, k.startsWith('" + event.AnnotationPrefix + "') || k in variables.labels)" +
		" && variables.labels.all(k, k.startsWith('" + event.AnnotationPrefix + "') || (k in variables.oldLabels && variables.oldLabels[k] == variables.labels[k]))"
	OwnObject = "object.metadata.name.startsWith('firebreak-')" +
		" && '" + ManagedByLabel + "' in variables.labels && variables.labels['" + ManagedByLabel + "'] == '" + ManagedBy + "'"
	OwnOldObject = "oldObject.metadata.name.startsWith('firebreak-')" +
		" && '" + ManagedByLabel + "' in variables.oldLabels && variables.oldLabels['" + ManagedByLabel + "'] == '" + ManagedBy + "'"
	// OwnMarked is an update of an own object in which nothing but the
	// annotations of Firebreak's own prefix changes: the hold's end.
	OwnMarked = OwnOldObject + " && variables.ours && " + SameLabels + " && (!has(object.spec) && !has(oldObject.spec) || has(object.spec) && has(oldObject.spec) && object.spec == oldObject.spec)"
)

// SameSpec is CEL that is true when none of these fields of an object's spec
// changes. All that must not are named, since CEL can't leave one out of a
// message.
func SameSpec(others ...string) string {
	var all []string
	for _, f := range others {
		all = append(all, same("spec."+f))
	}
	return strings.Join(all, " && ")
}

func same(of string) string {
	return fmt.Sprintf("has(object.%[1]s) == has(oldObject.%[1]s) && (!has(object.%[1]s) || object.%[1]s == oldObject.%[1]s)", of)
}

// templateGeneration is an annotation of DaemonSets that the API server itself
// counts up with each change of their template; what a client sends of it is
// not looked at.
const templateGeneration = "deprecated.daemonset.template.generation"

// AdmissionManifest is a ValidatingAdmissionPolicy and its binding, as YAML for
// kubectl apply: of the account's writes the API server takes those that are
// admitted, and no other, whatever RBAC would allow and whoever has taken the
// account over. The same in any order gives the same bytes.
//
// The variables that expressions may use: labels, oldLabels, annotations and
// oldAnnotations (maps, empty where there are none), ours (of the metadata
// nothing but labels and annotations of Firebreak's own prefix changes, so that
// labels are left to the expression), oursBut (the same, and the annotations of
// annotationKeys may change too), system (the pod is one that the cluster can't
// do without), protected (the namespaces in which nothing is written),
// labelKeys, annotationKeys and home (the account's namespace).
func AdmissionManifest(a Admission) ([]byte, error) {
	if a.To.Namespace == "" || a.To.Name == "" {
		return nil, fmt.Errorf("admission manifest: no service account")
	}
	name := cmp.Or(a.To.Role, RoleName)
	meta := metav1.ObjectMeta{Name: name, Labels: map[string]string{
		"app.kubernetes.io/name": "firebreak", "app.kubernetes.io/component": "admission",
	}}
	fail, scope := admissionregistrationv1.Fail, admissionregistrationv1.AllScopes
	policy := admissionregistrationv1.ValidatingAdmissionPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicy"},
		ObjectMeta: meta,
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: &fail,
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.OperationAll},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{"*"}, APIVersions: []string{"*"}, Resources: []string{"*/*"}, Scope: &scope},
				},
			}}},
			MatchConditions: []admissionregistrationv1.MatchCondition{{
				Name: "account", Expression: fmt.Sprintf("request.userInfo.username == 'system:serviceaccount:%s:%s'", a.To.Namespace, a.To.Name),
			}},
			Variables:   append(variables(a), a.home()...),
			Validations: validations(a),
		},
	}
	binding := admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: policy.APIVersion, Kind: "ValidatingAdmissionPolicyBinding"},
		ObjectMeta: meta,
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}
	return documents([]any{policy, binding})
}

// variables are read when an expression asks for them, and not before.
func variables(a Admission) []admissionregistrationv1.Variable {
	field := func(object, of string) string {
		return fmt.Sprintf("%[1]s != null && has(%[1]s.metadata.%[2]s) ? %[1]s.metadata.%[2]s : {}", object, of)
	}
	prefix := event.AnnotationPrefix
	return []admissionregistrationv1.Variable{
		{Name: "labels", Expression: field("object", "labels")},
		{Name: "oldLabels", Expression: field("oldObject", "labels")},
		{Name: "annotations", Expression: field("object", "annotations")},
		{Name: "oldAnnotations", Expression: field("oldObject", "annotations")},
		{Name: "labelKeys", Expression: list(sorted(a.LabelKeys))},
		{Name: "ours", Expression: strings.Join([]string{
			fmt.Sprintf("variables.annotations.all(k, k.startsWith('%s') || k == '%s' || (k in variables.oldAnnotations && variables.oldAnnotations[k] == variables.annotations[k]))", prefix, templateGeneration),
			fmt.Sprintf("variables.oldAnnotations.all(k, k.startsWith('%s') || k in variables.annotations)", prefix),
			same("metadata.ownerReferences"), same("metadata.finalizers"),
		}, " && ")},
		{Name: "protected", Expression: a.protected()},
		{Name: "annotationKeys", Expression: list(sorted(a.AnnotationKeys))},
		{Name: "oursBut", Expression: strings.Join([]string{
			fmt.Sprintf("variables.annotations.all(k, k.startsWith('%s') || k == '%s' || k in variables.annotationKeys || (k in variables.oldAnnotations && variables.oldAnnotations[k] == variables.annotations[k]))", prefix, templateGeneration),
			fmt.Sprintf("variables.oldAnnotations.all(k, k.startsWith('%s') || k in variables.annotationKeys || k in variables.annotations)", prefix),
			same("metadata.ownerReferences"), same("metadata.finalizers"),
		}, " && ")},
		{Name: "system", Expression: "has(oldObject.spec.priorityClassName) && oldObject.spec.priorityClassName.startsWith('system-') || " +
			"'kubernetes.io/config.mirror' in variables.oldAnnotations || " +
			"has(oldObject.metadata.ownerReferences) && oldObject.metadata.ownerReferences.exists(o, o.kind == 'Node')"},
	}
}

// home is the account's namespace, where an expression asks for it.
func (a Admission) home() []admissionregistrationv1.Variable {
	if !slices.ContainsFunc(a.Admits, func(x Admit) bool { return strings.Contains(x.Expression, "variables.home") }) {
		return nil
	}
	return []admissionregistrationv1.Variable{{Name: "home", Expression: "'" + a.To.Namespace + "'"}}
}

// reviews are what the service asks the API server about people and itself.
func reviews() []Admit {
	var all []Admit
	for _, r := range []struct{ group, resource string }{
		{"authentication.k8s.io", "tokenreviews"}, {"authentication.k8s.io", "selfsubjectreviews"},
		{"authorization.k8s.io", "subjectaccessreviews"},
	} {
		all = append(all, Admit{Group: r.group, Resource: r.resource, Operation: "CREATE", Expression: "true", Anywhere: true})
	}
	return all
}

// where is what a write is called in the policy.
func (a Admit) where() string { return a.Group + "/" + a.Resource + " " + a.Operation }

const where = "(request.resource.group + '/' + request.resource.resource + (has(request.subResource) && request.subResource != '' ? '/' + request.subResource : '') + ' ' + request.operation)"

// protected are the namespaces in which nothing is written, as a list in CEL.
func (a Admission) protected() string {
	return list(sorted(append(slices.Clone(a.Protected), a.To.Namespace)))
}

func validations(a Admission) []admissionregistrationv1.Validation {
	admits := append(reviews(), a.Admits...)
	anywhere, all, by := []string{}, []string{}, map[string][]string{}
	for _, x := range admits {
		all = append(all, x.where())
		if x.Anywhere {
			anywhere = append(anywhere, x.where())
		}
		by[x.where()] = append(by[x.where()], x.Expression)
	}
	protected := a.protected()
	mark := event.AnnotationPrefix + "protected"
	marked := func(of string) string {
		return fmt.Sprintf("(has(namespaceObject.metadata.%[1]s) && '%[2]s' in namespaceObject.metadata.%[1]s && namespaceObject.metadata.%[1]s['%[2]s'] == 'true')", of, mark)
	}
	free := where + " in " + list(sorted(anywhere))
	out := []admissionregistrationv1.Validation{
		{Expression: where + " in " + list(sorted(all)), Message: "firebreak: no action writes this"},
		{Expression: free + " || !(has(request.namespace) && request.namespace in " + protected + ")", Message: "firebreak: the namespace is protected"},
		{
			Expression: free + " || namespaceObject == null || !(" + marked("annotations") + " || " + marked("labels") + ")",
			Message:    "firebreak: the namespace is marked as protected",
		},
	}
	for _, at := range sorted(all) {
		expressions := sorted(by[at])
		if slices.Equal(expressions, []string{"true"}) {
			continue
		}
		for i, e := range expressions {
			expressions[i] = "(" + e + ")"
		}
		out = append(out, admissionregistrationv1.Validation{
			Expression: fmt.Sprintf("%s != '%s' || %s", where, at, strings.Join(expressions, " || ")),
			Message:    "firebreak: no action makes such a write: " + at,
		})
	}
	return out
}

// list is a list of strings in CEL. They hold nothing that would have to be
// escaped: names of namespaces, labels and resources.
func list(all []string) string {
	quoted := make([]string, len(all))
	for i, s := range all {
		quoted[i] = "'" + strings.NewReplacer(`\`, "", "'", "", "\n", "").Replace(s) + "'"
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
