// Package deploy holds the manifests with which Firebreak is put into a
// cluster, and those of them that the demo applies to its own.
package deploy

import _ "embed"

// AuditPolicy is what the API server's audit policy should be.
//
//go:embed audit/policy.yaml
var AuditPolicy []byte

// People are the roles that people are given: viewer, approver and operator.
//
//go:embed base/people.yaml
var People []byte
