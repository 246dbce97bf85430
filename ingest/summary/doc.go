// Package summary counts log lines by writer and interval: the edge summaries
// that stand in for lines which need not be stored one by one.
//
// It has no clock and does no I/O. Who feeds a [Table] says what time it is,
// takes the parts that are due, stores them as events of class log.summary, and
// says when that is done.
package summary
