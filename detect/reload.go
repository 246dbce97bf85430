package detect

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Bounds of a bundle: of what travels in an event, and of what it unfolds to.
const (
	maxBundle   = 512 << 10
	maxUnfolded = 32 << 20
)

// bundledDocument is one document of a bundle.
type bundledDocument struct {
	File string `json:"file"`
	Text string `json:"text"`
}

// Bundle writes the documents that the set is made of, so that they can travel.
func (s *RuleSet) Bundle() ([]byte, error) {
	layers := make([][]bundledDocument, len(s.layers))
	for i, l := range s.layers {
		for _, doc := range l {
			layers[i] = append(layers[i], bundledDocument{doc.File, doc.Text()})
		}
	}
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	err := errors.Join(json.NewEncoder(zip).Encode(layers), zip.Close())
	if err == nil && out.Len() > maxBundle {
		err = fmt.Errorf("%d bytes are more than %d", out.Len(), maxBundle)
	}
	if err != nil {
		return nil, fmt.Errorf("bundle rules: %w", err)
	}
	return out.Bytes(), nil
}

// bundled is Bundle, made once; nothing when it is too large.
func (s *RuleSet) bundled() []byte {
	if s.bundle == nil {
		s.bundle, _ = s.Bundle()
	}
	return s.bundle
}

// Unbundle makes the set that was bundled.
func Unbundle(data []byte) (*RuleSet, error) {
	unzip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read bundle of rules: %w", err)
	}
	var bundle [][]bundledDocument
	if err := json.NewDecoder(io.LimitReader(unzip, maxUnfolded)).Decode(&bundle); err != nil {
		return nil, fmt.Errorf("read bundle of rules: %w", err)
	}
	layers := make([]layer, len(bundle))
	for i, docs := range bundle {
		for _, one := range docs {
			doc, err := conf.Documents(one.File, []byte(one.Text))
			if err != nil {
				return nil, fmt.Errorf("read bundle of rules: %w", err)
			}
			layers[i] = append(layers[i], doc...)
		}
	}
	set, err := newRuleSet(layers)
	if err != nil {
		return nil, fmt.Errorf("read bundle of rules: %w", err)
	}
	return set, nil
}

// Offer asks for another set in place of the one that the worker uses. It
// enters the stream as a control event, and holds from its place there on:
// rules that remember the same things go on where they are. It may be called at
// any time, when Publish is set.
func (w *Worker) Offer(ctx context.Context, set *RuleSet) error {
	bundle, err := set.Bundle()
	if err != nil {
		return err
	}
	now := time.Now()
	e := event.Control(event.VerbRules, now, event.HashID("rules", set.Version(), now.Format(time.RFC3339Nano)), event.Fields{
		"version": set.Version(), "bundle": base64.StdEncoding.EncodeToString(bundle),
	})
	if err := w.Publish(ctx, e); err != nil {
		return fmt.Errorf("offer rules: %w", err)
	}
	return nil
}

// changed offers the rules of the files where the snapshot had others.
func (w *Worker) changed(ctx context.Context, last snapshot) error {
	if w.saves.wanted == nil || w.Publish == nil || w.saves.wanted.Version() == last.Rules {
		return nil
	}
	err := w.retry(ctx, func() error { return w.Offer(ctx, w.saves.wanted) })
	w.saves.wanted = nil
	return err
}

// reload puts the rules of a control event in place of those there are. What
// can't be read changes nothing.
func (g *Engine) reload(e *event.Event) error {
	text, _ := e.Fields["bundle"].(string)
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("read bundle of rules: %w", err)
	}
	set, err := Unbundle(data)
	if err != nil {
		return err
	}
	before := map[string]slot{}
	for _, s := range g.running {
		before[s.Name()] = s
	}
	g.use(set, before)
	g.turn++
	return nil
}
