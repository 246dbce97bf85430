// Package playbooks holds the playbooks that come with Firebreak. Each file
// says when it applies and what it does; none of them acts without being
// asked. A playbook of the same name in a file of the user's takes its place.
package playbooks

import "embed"

// Files are the shipped playbooks, one YAML file each.
//
//go:embed *.yaml
var Files embed.FS

// Schema is the JSON Schema of all kinds of documents, playbooks and others.
//
//go:embed schema.json
var Schema []byte

// Actions is the JSON Schema of the parameters of each action, by its name.
//
//go:embed actions.json
var Actions []byte
