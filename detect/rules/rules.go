// Package rules holds the rules that come with Firebreak, as YAML, each file
// with its tests beside it.
package rules

import "embed"

// FS holds the rule files, and the *_test.yaml files beside them.
//
//go:embed *.yaml
var FS embed.FS
