// Package pattern matches regular expressions against what strangers wrote, at a
// cost that they can't drive up.
//
// Package regexp takes linear time, but for a large pattern over a long text that
// is microseconds for each byte: it follows all threads of the pattern at once, and
// who writes the text decides how many there are. Here the sets of threads that
// came up are kept as states with their transitions (a deterministic automaton that
// is built as it is needed, as in RE2, https://swtch.com/~rsc/regexp/regexp3.html),
// so that a byte costs one step through a table. States are bounded in memory; a
// text that keeps asking for new ones is handed to package regexp, which says the
// same of it. So the most that a text can cost is what regexp takes for it and some
// part of that.
package pattern
