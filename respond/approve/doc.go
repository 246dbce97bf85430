// Package approve is how people speak to runs: an HTTP API that asks the
// cluster who they are (TokenReview) and whether they may (SubjectAccessReview
// on resources of the group firebreak.io), so that cluster RBAC decides.
//
// What people say is stored in INPUTS before it is answered. Whether it counts
// is decided by the run itself, and stands in its record.
package approve
