package detect

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// compiler compiles the expressions of a rule and collects what is wrong.
type compiler struct{ errs []error }

// env is what expressions see.
var env = event.Event{}

// condition compiles what is true or false of an event; nil of nothing. With a
// novelty it may ask what is new.
func (c *compiler) condition(x conf.Expression, novel *novelty) *conf.Program {
	if x.IsZero() {
		return nil
	}
	if novel == nil {
		p, err := x.Compile(env, conf.Bool, functions...)
		c.failed(misplaced(x, err))
		return p
	}
	p, calls, err := x.CompileAggregates(env, conf.Bool, novelFunctions, novel.from(len(novel.calls)), functions...)
	c.failed(misplaced(x, err))
	if err == nil {
		c.failed(novel.take(x, calls))
	}
	return p
}

// misplaced says of an aggregate where it belongs, when an expression of one
// event has it and can't be compiled.
func misplaced(x conf.Expression, err error) error {
	var problem *conf.Error
	if !errors.As(err, &problem) || !strings.Contains(problem.Msg, "function") && !strings.Contains(problem.Msg, "arguments") {
		return err
	}
	for _, name := range aggregates {
		if strings.Contains(x.Text, name+"(") && name != "min" && name != "max" {
			problem.Msg += "; " + name + "() over many events belongs in window.having"
			break
		}
	}
	return err
}

func (c *compiler) failed(err error) {
	if err != nil {
		c.errs = append(c.errs, err)
	}
}

// values compiles what events are grouped by.
func (c *compiler) values(by []conf.Expression) []*conf.Program {
	var all []*conf.Program
	for _, x := range by {
		p, err := x.Compile(env, conf.Any, functions...)
		c.failed(err)
		all = append(all, p)
	}
	return all
}

// message compiles the rule's message, which may show the window's numbers.
func (c *compiler) message(t conf.Template, w *windowed) *conf.Text {
	if w == nil {
		text, err := t.Compile(env, functions...)
		c.failed(err)
		return text
	}
	text, calls, err := t.CompileAggregates(env, aggregates, w.ofMessage, functions...)
	c.failed(err)
	if err == nil {
		w.inMessage, err = w.take(t.Errorf, calls)
		c.failed(err)
	}
	if len(c.errs) == 0 { // else what is wrong was told with its place
		c.failed(w.open())
	}
	return text
}

// groupKey is a hash of values as text. Nobody can make two groups one, so it has to
// be one that can't be worked backwards.
func groupKey(e *event.Event, values []*conf.Program) ([16]byte, error) {
	var buffer [256]byte
	b := buffer[:0]
	for _, p := range values {
		text, err := p.Text(e)
		if err != nil {
			return [16]byte{}, err
		}
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16]), nil
}

// tuple is a hash of values, and whether any of them is there at all.
func tuple(e *event.Event, values []*conf.Program) (hash [16]byte, some bool, err error) {
	var buffer [256]byte
	b := buffer[:0]
	for _, p := range values {
		text, err := p.Text(e)
		if err != nil {
			return hash, false, err
		}
		some = some || strings.TrimSpace(text) != ""
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16]), some, nil
}

// namespaceOf is a number for the namespace that pays for a group.
func namespaceOf(name string) uint64 {
	if name == "" {
		return 0
	}
	sum := sha256.Sum256([]byte(name))
	return max(1, binary.LittleEndian.Uint64(sum[:8]))
}
