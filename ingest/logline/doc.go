// Package logline reads lines of container logs. Its functions are pure, never
// panic, and may be called concurrently.
//
// Two things stand in a line: the envelope that the container runtime writes
// ([CRI], [Docker]), and in it the message that the program wrote. Messages
// are read by the [Parser] that the pod's annotation, the image or the
// container's name chooses ([Choose]), and where none is chosen or the line is
// of another form by the first of the catalogue that knows it ([Recognise]). A
// parser is one file that registers one Parser. A line is read in time and
// memory that grow with its length, whatever is in it.
//
// What a line doesn't plainly say is left out: a status that is none, a
// negative or endless duration, an address that isn't an IP address, a time
// without its zone, all that stands behind a quote which the server should
// have escaped and didn't (the field doubtful says so).
//
// All of it is text that the container wrote: nothing in it is proof of who
// did what.
package logline
