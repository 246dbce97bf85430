// Package port finds ports for servers that tests start in other processes, or
// start again later under the same address.
package port

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// The ports that are given lie below those that systems give to clients (from
// 32768 on for Linux, 49152 for others): a port from there may be anybody's as
// soon as it is let go, even that of the very client that dials it while nobody
// listens.
const lowest, highest = 12_000, 32_000

// Free gives the address of a port of loopback at which nobody listens now.
// Nothing keeps others from taking it, but they would have to ask for it.
func Free() (string, error) {
	var last error
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", lowest+rand.IntN(highest-lowest))
		l, err := net.Listen("tcp", address)
		if err != nil {
			last = err
			continue
		}
		return address, l.Close()
	}
	return "", errors.Join(errors.New("find a free port"), last)
}
