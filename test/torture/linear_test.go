//go:build linux

package torture

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/firebreak-io/firebreak/internal/event"
)

// op is one thing that a responder asked of the log of one run: an append after the record that it knew, or
// the newest record.
type op struct {
	client   int
	run      string
	reads    bool
	expected uint64
	nonce    string
	kinds    []string
	record   event.Run
	// epoch is set for one that takes or renews the lease.
	epoch uint64
	then  *fault
	// call and back are times since the beginning; back is 0 while there is no answer. stored is the
	// sequence that was given or read, 0 for none; refused says that another had written.
	call, back time.Duration
	stored     uint64
	refused    bool
}

// read notes that a responder asks for the newest record of a run.
func (s *stage) read(client int, m message) {
	var ask struct {
		Last string `json:"last_by_subj"`
	}
	if json.Unmarshal(m.body, &ask) != nil || len(ask.Last) < 5 || ask.Last[:4] != "run." {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := &op{client: client, run: ask.Last[4:], reads: true, call: time.Since(s.began)}
	s.ops[m.reply] = o
	s.done = append(s.done, o)
}

// answer takes the server's answer in.
func (o *op) answer(body []byte, now time.Duration) {
	var a struct {
		Seq     uint64 `json:"seq"`
		Message struct {
			Seq uint64 `json:"seq"`
		} `json:"message"`
		Error *struct {
			Code int `json:"err_code"`
		} `json:"error"`
	}
	const wrongLast, notFound = 10071, 10037
	if json.Unmarshal(body, &a) != nil {
		return
	}
	switch {
	case a.Error != nil && !o.reads && a.Error.Code == wrongLast:
		o.refused, o.back = true, now
	case a.Error != nil && o.reads && a.Error.Code == notFound:
		o.back = now
	case a.Error != nil:
	case o.reads:
		o.stored, o.back = a.Message.Seq, now
	default:
		o.stored, o.back = a.Seq, now
	}
}

// linear is how the log of one run behaves when it is linear: its state is the sequence of its newest record.
var linear = porcupine.Model{
	Init: func() any { return uint64(0) },
	Step: func(state, input, _ any) (bool, any) {
		last, o := state.(uint64), input.(*op)
		switch {
		case o.reads:
			return o.stored == last, last
		case o.refused:
			return o.expected != last, last
		}
		return o.expected == last && o.stored > last, o.stored
	},
	DescribeOperation: func(input, _ any) string { return fmt.Sprintf("%+v", input) },
}

// linearity checks the histories of all runs. An append whose answer nobody saw counts as stored at any time
// after it was sent when the log has it, and as never sent when not.
func (s *stage) linearity(nonces map[string]uint64) (checked int, broken []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	end := int64(time.Since(s.began)) + 1
	byRun := map[string][]porcupine.Operation{}
	for _, o := range s.done {
		back := int64(o.back)
		if back == 0 {
			seq, ok := nonces[o.nonce]
			if o.reads || !ok {
				continue
			}
			o.stored, back = seq, end
		}
		byRun[o.run] = append(byRun[o.run], porcupine.Operation{ClientId: o.client, Input: o, Call: int64(o.call), Return: back})
	}
	for run, ops := range byRun {
		checked += len(ops)
		if porcupine.CheckOperationsTimeout(linear, ops, time.Minute) != porcupine.Ok {
			broken = append(broken, run)
		}
	}
	return checked, broken
}
