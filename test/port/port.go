// Package port finds ports for servers that tests start in other processes, or
// start again later under the same address.
package port

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// The ports that are given lie below those that systems give to clients (from
// 32768 on for Linux, 49152 for others): a port from there may be anybody's as
// soon as it is let go, even that of the very client that dials it while nobody
// listens.
const lowest, highest = 12_000, 32_000

// given are those of this process, which gives none twice: nobody listens yet at
// one that was given a moment ago.
var given sync.Map

// Free gives the address of a port of loopback at which nobody listens now, each
// once. Nothing keeps others from taking it, but they would have to ask for it.
// It may be called concurrently.
func Free() (string, error) {
	var last error
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", lowest+rand.IntN(highest-lowest))
		if _, again := given.LoadOrStore(address, true); again {
			continue
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			last = err
			continue
		}
		return address, l.Close()
	}
	return "", errors.Join(errors.New("find a free port"), last)
}
