package port

import (
	"net"
	"testing"
)

func TestFree(t *testing.T) {
	seen := map[string]bool{}
	for range 2000 {
		address, err := Free()
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close() // and still it is not given again
		if port := l.Addr().(*net.TCPAddr).Port; seen[address] || port < lowest || port >= highest {
			t.Errorf("%s is given again, or is a client's", address)
		}
		seen[address] = true
	}
}
