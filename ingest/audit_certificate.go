package ingest

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
)

// maxCertificateRequest is more than a request for a certificate has, in Base64.
const maxCertificateRequest = 64 << 10

// requestedIdentity is whom the body of a CertificateSigningRequest asks to be, as
// the API server reads a client's certificate: the common name and the
// organisations (PKCS #10, RFC 2986). The request itself is taken out with all
// that looks like a key. It is nil of anything else; whoever asks writes all of
// it.
func requestedIdentity(resource string, body any) map[string]any {
	m, ok := body.(map[string]any)
	if !ok || resource != "certificatesigningrequests/" {
		return nil
	}
	spec, _ := m["spec"].(map[string]any)
	text, _ := spec["request"].(string)
	if text == "" || len(text) > maxCertificateRequest {
		return nil
	}
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	block, _ := pem.Decode(plain)
	if block == nil {
		return nil
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil
	}
	groups := make([]any, 0, len(request.Subject.Organization))
	for _, group := range request.Subject.Organization {
		groups = append(groups, group)
	}
	return map[string]any{"user": request.Subject.CommonName, "groups": groups}
}
