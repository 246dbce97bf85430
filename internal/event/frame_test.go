package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func encode(t interface{ Fatal(...any) }, events []Event) []byte {
	encoded := make([][]byte, len(events))
	for i, e := range events {
		var err error
		if encoded[i], err = json.Marshal(e); err != nil {
			t.Fatal(err)
		}
	}
	return EncodeFrame(encoded)
}

func TestFrameRoundTrip(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC)
	events := []Event{
		{ID: "a", Source: SourceFalco, Class: ClassProcessExec, Time: at, Received: at, Severity: SeverityHigh, Trust: TrustRuntime},
		{},
		{
			ID: "b", Source: SourceAudit, Class: ClassAPI, Time: at, Received: at, Severity: SeverityLow, Trust: TrustAudit,
			Actor: Actor{User: "u", Groups: []string{"g"}}, Verb: "get", Outcome: OutcomeDenied,
			Object: Ref{Resource: "pods", Namespace: "n", Name: "x", Labels: map[string]string{"k": "v"}, Workload: Workload{Kind: "Deployment"}},
			HTTP:   HTTP{Method: "GET", Path: "/", Status: 403, Duration: .5, Bytes: 7},
			Fields: Fields{"n": int64(1), "list": []any{int64(2), "s", nil}}, Tags: []string{"t"}, From: "f:1", Cut: []string{"message"},
		},
	}
	for n := range len(events) + 1 {
		got, err := DecodeFrame(encode(t, events[:n]))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != n {
			t.Fatalf("%d events, want %d", len(got), n)
		}
		if diff := cmp.Diff(events[:n], append([]Event{}, got...)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestFrameRoundTripProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 20).Draw(t, "n")
		events := make([]Event, n)
		for i := range events {
			events[i] = Event{
				ID: rapid.String().Draw(t, "id"), Message: rapid.String().Draw(t, "message"),
				Fields: Fields{"k": rapid.String().Draw(t, "field"), "n": rapid.Int64().Draw(t, "number")},
				Time:   time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "time"), 0).UTC(),
			}
		}
		got, err := DecodeFrame(encode(t, events))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(events, append([]Event{}, got...)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestDecodeFrameRefuses(t *testing.T) {
	whole := encode(t, []Event{{ID: "a"}, {ID: "b"}})
	for name, frame := range map[string][]byte{
		"nothing":         {},
		"unknown version": {2},
		"cut length":      {frameVersion, 0, 0},
		"huge length":     {frameVersion, 0xff, 0xff, 0xff, 0xff, '{', '}'},
		"no JSON":         EncodeFrame([][]byte{[]byte("{")}),
		"empty event":     EncodeFrame([][]byte{nil}),
		"cut":             whole[:len(whole)-1],
		"rest":            append(bytes.Clone(whole), 0),
	} {
		if events, err := DecodeFrame(frame); err == nil {
			t.Errorf("%s: %v", name, events)
		}
	}
	if _, err := DecodeFrame([]byte{9}); !errors.Is(err, errFrame) {
		t.Error(err)
	}
}

// FuzzDecodeFrame: no input crashes it, and what it takes, it takes again.
func FuzzDecodeFrame(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{frameVersion})
	f.Add([]byte{frameVersion, 0xff, 0xff, 0xff, 0xff})
	f.Add(encode(f, []Event{{ID: "a", Fields: Fields{"x": int64(1)}}, {}}))
	f.Fuzz(func(t *testing.T, frame []byte) {
		events, err := DecodeFrame(frame)
		if err != nil {
			return
		}
		again, err := DecodeFrame(encode(t, events))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(encode(t, events), encode(t, again)); diff != "" {
			t.Fatal(diff)
		}
	})
}
