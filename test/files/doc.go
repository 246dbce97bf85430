// Package files tests the reading of log files together with the embedded
// streams: killed at any moment, and measured from the file to the disk.
package files
