package event

// Image is what others said about a container's image, as the cluster's index
// has it. It is empty where a cluster has no scanner and no policy engine.
type Image struct {
	// Report names the VulnerabilityReport that Vulnerabilities are of; without
	// one, no vulnerabilities means that nobody looked.
	Report          string          `json:"report,omitempty" expr:"report"`
	Vulnerabilities Vulnerabilities `json:"vulnerabilities,omitzero" expr:"vulnerabilities"`
	// Signature is what the policy engine wrote at the pod: verified, failed or
	// skipped; empty says that nothing is known.
	Signature Signature `json:"signature,omitempty" expr:"signature"`
}

// Vulnerabilities counts those of an image by severity.
type Vulnerabilities struct {
	Critical int `json:"critical,omitempty" expr:"critical"`
	High     int `json:"high,omitempty" expr:"high"`
	Medium   int `json:"medium,omitempty" expr:"medium"`
	Low      int `json:"low,omitempty" expr:"low"`
	Unknown  int `json:"unknown,omitempty" expr:"unknown"`
	// Score is the highest CVSS score, 0 to 10.
	Score float64 `json:"score,omitempty" expr:"score"`
}

// Signature is the outcome of the check of an image's signature.
type Signature string

// The outcomes of a check.
const (
	SignatureVerified Signature = "verified"
	SignatureFailed   Signature = "failed"
	SignatureSkipped  Signature = "skipped"
)
