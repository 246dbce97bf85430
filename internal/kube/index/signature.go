package index

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Kyverno writes at a pod what its policies found out about each image
// (https://kyverno.io/docs/policy-types/cluster-policy/verify-images/overview/):
// {"REPOSITORY@DIGEST": "pass"}, in older versions true and false. It refuses
// that others write it; where it does not run, whoever writes pods could.
const signatureAnnotation = "kyverno.io/verify-images"

// An ImageValidatingPolicy of Kyverno up to 1.18 left another note, by policy:
// {"POLICY": {"status": "pass", …}}. Newer versions neither write nor check it,
// so whoever writes a pod can say in it that all is well: only that something
// failed is believed, and of no image in particular
// (https://kyverno.io/docs/policy-types/image-validating-policy/).
// Sigstore's policy-controller leaves nothing at a pod.
const outcomesAnnotation = "kyverno.io/image-verification-outcomes"

// maxSignatures bounds what is read of the annotation.
const (
	maxSignatures     = maxContainers
	maxSignatureBytes = 32 << 10
)

// signature is the outcome of one image's check.
type signature struct {
	image   string
	outcome event.Signature
}

func signaturesOf(annotations map[string]string) []signature {
	all := notedSignatures(annotations)
	if policyFailed(annotations) {
		all = append(all, signature{"", event.SignatureFailed})
	}
	return all
}

func notedSignatures(annotations map[string]string) []signature {
	note := annotations[signatureAnnotation]
	if note == "" || len(note) > maxSignatureBytes {
		return nil
	}
	var found map[string]any
	if json.Unmarshal([]byte(note), &found) != nil {
		return nil
	}
	var all []signature
	for image, v := range found {
		if outcome := outcomeOf(v); outcome != "" && image != "" {
			all = append(all, signature{intern(image), outcome})
		}
	}
	slices.SortFunc(all, func(a, b signature) int { return cmp.Compare(a.image, b.image) })
	return slices.Clip(all[:min(len(all), maxSignatures)])
}

// policyFailed says that a policy of the pod's images failed.
func policyFailed(annotations map[string]string) bool {
	note := annotations[outcomesAnnotation]
	if note == "" || len(note) > maxSignatureBytes {
		return false
	}
	var found map[string]struct {
		Status string `json:"status"`
	}
	if json.Unmarshal([]byte(note), &found) != nil {
		return false
	}
	for _, outcome := range found {
		if outcomeOf(outcome.Status) == event.SignatureFailed {
			return true
		}
	}
	return false
}

func outcomeOf(v any) event.Signature {
	switch v {
	case true, "pass":
		return event.SignatureVerified
	case false, "fail", "error":
		return event.SignatureFailed
	case "skip":
		return event.SignatureSkipped
	}
	return ""
}

// about says whether the check was of the image that the container runs. One
// that names a digest is of that digest alone.
func (s signature) about(c *Container) bool {
	if s.image == "" {
		return true
	}
	_, digest, ok := strings.Cut(s.image, "@")
	if !ok {
		return s.image == c.Image
	}
	if c.Digest != "" {
		return digest == c.Digest
	}
	_, asked, _ := strings.Cut(c.Image, "@")
	return asked == digest
}
