// Package credential says who may send to a source: whoever shows one of its
// tokens, its secret path, or a client certificate of an allowed name.
//
// Tokens are compared by their SHA-256 alone, and may be kept as that alone:
// they are random words of 32 bytes ([New]), so that a plain hash can't be
// guessed back. Files are read again when they change, several credentials
// may be valid at a time, and a file that can't be used never replaces one
// that could: that is how they are rotated without a restart and without a
// gap. To take a credential away, remove its line; a file without any line
// left is one that can't be used.
package credential
