package controlplane

import (
	"path/filepath"
	"slices"
	"testing"
)

// The API server works in a directory of its own: there a relative path is another file.
func TestFilesAreNamedFromTheRoot(t *testing.T) {
	want, err := filepath.Abs("policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	args := Options{AuditPolicy: "policy.yaml", AuditWebhook: "/etc/hook"}.args()
	for _, arg := range []string{"--audit-policy=" + want, "--audit-webhook-config=/etc/hook"} {
		if !slices.Contains(args, arg) {
			t.Errorf("no %s in %q", arg, args)
		}
	}
	if got := (Options{}).args(); slices.Contains(got, "--audit-policy=") {
		t.Errorf("no file became one: %q", got)
	}
}
