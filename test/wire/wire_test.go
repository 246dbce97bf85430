package wire

import (
	"bufio"
	"fmt"
	"net"
	"testing"
	"time"
)

// echo is a server that says each line again.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for lines := bufio.NewScanner(c); lines.Scan(); {
					fmt.Fprintln(c, lines.Text())
				}
			}()
		}
	}()
	return l.Addr().String()
}

// dial connects by the wire; it gives the answer to a line.
func dial(t *testing.T, w *Wire) func(line string) (string, error) {
	t.Helper()
	c, err := net.Dial("tcp", w.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	answers := bufio.NewReader(c)
	return func(line string) (string, error) {
		if _, err := fmt.Fprintln(c, line); err != nil {
			return "", err
		}
		return answers.ReadString('\n')
	}
}

func TestCut(t *testing.T) {
	w := New(t, echo(t), nil)
	say := dial(t, w)
	if got, err := say("one"); err != nil || got != "one\n" {
		t.Fatalf("%q %v", got, err)
	}
	w.Cut()
	if got, err := say("two"); err == nil {
		t.Errorf("%q over a wire that was cut", got)
	}
	if got, err := dial(t, w)("three"); err == nil {
		t.Errorf("%q over a wire that is cut", got)
	}
	w.Mend()
	if got, err := dial(t, w)("four"); err != nil || got != "four\n" {
		t.Errorf("%q %v", got, err)
	}
}

func TestHold(t *testing.T) {
	w := New(t, echo(t), nil)
	say := dial(t, w)
	if _, err := say("one"); err != nil {
		t.Fatal(err)
	}
	w.Hold()
	answered := make(chan string, 1)
	go func() {
		got, _ := say("two")
		answered <- got
	}()
	select {
	case got := <-answered:
		t.Errorf("%q while it is held", got)
	case <-time.After(50 * time.Millisecond):
	}
	w.Release()
	if got := <-answered; got != "two\n" {
		t.Errorf("%q", got)
	}
}
