// Package logline reads lines of container logs. Its functions are pure, never
// panic, and may be called concurrently.
//
// Two things stand in a line: the envelope that the container runtime writes
// ([CRI], [Docker]), and in it the message that the program wrote, which
// [Recognise] looks at with each [Parser] of the catalogue. A parser is one
// file that registers one Parser.
//
// All of it is text that the container wrote: nothing in it is proof of who
// did what.
package logline
