// Package torture holds the tests that treat a running Firebreak as a bad day does: processes that die
// at any instant, power cuts, full disks, a NATS that stops, hangs or is slow. They run the built
// program in processes of its own, with real files, sockets and file systems, and then count: what was
// answered with 200, or stood in a log file, must be in the stream, and a detector must have seen it.
//
// `go test` runs small sizes. FIREBREAK_TORTURE=1 runs the long ones that the promises name, and
// FIREBREAK_KILLS, FIREBREAK_EVENTS and FIREBREAK_CUTS set a size of one's own, as do FIREBREAK_ROUNDS,
// FIREBREAK_RESPONDERS, FIREBREAK_OUTAGE and FIREBREAK_NATS_OUTAGE (seconds that the API server and NATS
// are away) of the responders' tests. Those that mostly wait run beside one another.
//
// The power cuts and the full disk need root and a loop device, and are skipped where they are missing.
package torture
