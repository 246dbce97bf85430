// Package conf reads what people write: strict YAML files, and the
// expressions in them.
//
// A file is one or more documents of apiVersion, kind, metadata and spec
// ([Documents]), or one plain mapping ([Decode]). Reading is strict: an unknown
// key, a wrong type, a key given twice, an anchor or an alias is an error with
// file, line and column, a caret under the place and, where there is one, a
// suggestion. All errors of a document are given at once.
//
// Expressions are expr (github.com/expr-lang/expr), compiled and type-checked
// against a Go struct when the file is loaded. An expression can't be stopped
// while it runs, so its cost is bounded when it is compiled; and because what
// it reads is written by strangers, it is total over values of unknown type:
// a missing or odd field makes a comparison false, not the rule an error. See
// [Expression.Compile]. What several documents share, lists of constants and
// macros, is a [Library] that they use; a macro is put in its place as a tree,
// so that the bounds hold for the whole.
//
// Nothing else in the module imports the YAML and expression libraries.
package conf

// APIVersion is the only apiVersion of documents.
const APIVersion = "firebreak.io/v1alpha1"

// Bounds of a file, checked before it is parsed. The parser takes quadratic
// time and memory in depth and in tokens of one document.
const (
	MaxFileBytes = 256 << 10
	MaxDepth     = 64
	MaxTokens    = 10_000
	MaxDocuments = 512
)
